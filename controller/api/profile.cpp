#include "controller/api/profile.hpp"

#include <initializer_list>
#include <stdexcept>

#include <nlohmann/json.hpp>
#include <re2/re2.h>

#include "controller/api/decode.hpp"
#include "controller/api/document.hpp"
#include "controller/api/json_reader.hpp"
#include "controller/api/profile_codec.hpp"
#include "controller/api/schema.hpp"
#include "src/base/text.hpp"

namespace atq::embedded {
std::string_view custom_yaml();
std::string_view jmeter_yaml();
std::string_view locust_yaml();
}  // namespace atq::embedded

namespace atq::api {
namespace {

using nlohmann::json;
using Type = json::value_t;

struct Field {
  std::string_view name;
  Type type = Type::string;
};

/// Names a problem per call; the first one is what parse_profile returns.
class ProfileCheck {
 public:
  const std::string& problem() const { return problem_; }

  void note(std::string message) {
    if (problem_.empty()) problem_ = std::move(message);
  }

  /// The member `key` of `owner` (all of `owner` for "") has these fields and no others.
  void fields(const json& owner, const char* key, std::initializer_list<Field> known) {
    const std::string at = std::string(key).empty() ? "" : std::string(key) + ".";
    const json* object = at.empty() ? &owner : member(owner, key);
    if (!object) return;
    if (!object->is_object()) {
      note(std::string(key) + ": found " + object->type_name() + ", expected an object");
      return;
    }
    for (const auto& [name, value] : object->items()) field(at, name, value, known);
  }

  void pattern(const std::string& where, const std::string& text) {
    RE2::Options options;
    options.set_log_errors(false);
    const RE2 compiled(text, options);
    if (!compiled.ok()) {
      note(where + ": found \"" + text + "\", expected an RE2 expression: " + compiled.error());
    }
  }

  /// The fields that a LoadTest has too are held against its schema.
  void as_in_loadtest(const json& profile) {
    json spec = json::object();
    for (const char* role : {"worker", "master"}) {
      const json* object = member(profile, role);
      if (!object || !object->is_object()) continue;
      json plain = *object;
      plain.erase("stop");
      plain.erase("diagnoses");
      spec[role] = std::move(plain);
    }
    if (const json* checks = member(profile, "checks")) spec["healthCheck"]["checks"] = *checks;
    if (!spec.contains("worker")) spec["worker"] = json::object();
    const auto problems = check_schema({{"apiVersion", std::string(kApiVersion)},
                                        {"kind", std::string(kKind)},
                                        {"metadata", {{"name", "profile"}}},
                                        {"spec", std::move(spec)}});
    if (problems.empty()) return;
    std::string path = problems.front().path;
    if (path.starts_with("spec.")) path.erase(0, 5);
    note(path + ": " + problems.front().message);
  }

 private:
  void field(const std::string& at, const std::string& name, const json& value,
             std::initializer_list<Field> known) {
    std::vector<std::string_view> names;
    for (const Field& candidate : known) {
      names.push_back(candidate.name);
      if (candidate.name != name) continue;
      const bool fits = value.type() == candidate.type ||
                        (candidate.type == Type::number_integer && value.is_number_integer());
      if (!fits) {
        note(at + name + ": found " + value.type_name() + ", expected " +
             json(candidate.type).type_name());
      }
      return;
    }
    const std::string_view near = nearest(name, names);
    note(at + name + ": unknown field" +
         (near.empty() ? "; expected one of " + join({names.begin(), names.end()}, ", ")
                       : "; did you mean " + std::string(near) + "?"));
  }

  std::string problem_;
};

RoleProfile decode_role_profile(const json& object) {
  RoleProfile profile;
  profile.role = decode_role(object);
  if (const auto* readiness = member(object, "readiness")) {
    profile.readiness = decode_readiness(*readiness);
  }
  if (const auto* stop = member(object, "stop")) profile.stop = decode_stop(*stop);
  profile.diagnoses = decode_diagnoses(object, "diagnoses");
  return profile;
}

void check_role(ProfileCheck& check, const json& document, const char* role) {
  const json* object = member(document, role);
  if (!object || !object->is_object()) return;
  check.fields(*object, "stop", {{"udpPort"}, {"graceful"}, {"now"}});
  const json* diagnoses = member(*object, "diagnoses");
  if (!diagnoses) return;
  const std::string at = std::string(role) + ".diagnoses";
  if (!diagnoses->is_array()) check.note(at + ": expected a list");
  for (const json& item : *diagnoses) {
    check.fields(item, "", {{"pattern"}, {"message"}});
    if (!item.is_object() || !item.contains("pattern") || !item.contains("message")) {
      check.note(at + ": expected a pattern and a message in each");
    }
  }
  for (const Diagnosis& diagnosis : decode_diagnoses(*object, "diagnoses")) {
    check.pattern(at, diagnosis.pattern);
  }
}

std::string check_profile(const json& document) {
  ProfileCheck check;
  check.fields(document, "",
               {{"tool"},
                {"plan", Type::object},
                {"worker", Type::object},
                {"master", Type::object},
                {"checks", Type::array},
                {"parameters", Type::object},
                {"closing", Type::object},
                {"workersExitAlone", Type::boolean},
                {"masterEndsWithinSeconds", Type::number_integer},
                {"allocatePorts", Type::boolean},
                {"networkNamespace", Type::boolean}});
  check.fields(document, "plan", {{"name"}, {"suffix"}});
  check.fields(document, "parameters",
               {{"masterArgs", Type::array},
                {"workerArgs", Type::array},
                {"environment", Type::object},
                {"environmentAll", Type::boolean}});
  check.fields(document, "closing",
               {{"pattern"},
                {"passedExitCodes", Type::array},
                {"failedExitCodes", Type::array},
                {"failuresFail", Type::boolean}});
  check_role(check, document, "worker");
  check_role(check, document, "master");
  if (!check.problem().empty()) return check.problem();
  std::string tool;
  read(document, "tool", tool);
  if (tool.empty()) return "tool: found none, expected the tool's name";
  if (const auto* closing = member(document, "closing")) {
    check.pattern("closing.pattern", decode_closing(*closing).pattern);
  }
  check.as_in_loadtest(document);
  return check.problem();
}

Profile decode_profile(const json& document) {
  Profile profile;
  read(document, "tool", profile.tool);
  if (const auto* worker = member(document, "worker")) {
    profile.worker = decode_role_profile(*worker);
  }
  if (const auto* master = member(document, "master")) {
    profile.master = decode_role_profile(*master);
  }
  profile.checks = decode_checks(document);
  if (const auto* parameters = member(document, "parameters")) {
    read(*parameters, "masterArgs", profile.parameters.master_args);
    read(*parameters, "workerArgs", profile.parameters.worker_args);
    read(*parameters, "environment", profile.parameters.environment);
    read(*parameters, "environmentAll", profile.parameters.environment_all);
  }
  if (const auto* closing = member(document, "closing")) {
    profile.closing = decode_closing(*closing);
  }
  if (const auto* plan = member(document, "plan")) {
    read(*plan, "name", profile.plan_name);
    read(*plan, "suffix", profile.plan_suffix);
  }
  read(document, "workersExitAlone", profile.workers_exit_alone);
  read(document, "masterEndsWithinSeconds", profile.master_ends_within_seconds);
  read(document, "allocatePorts", profile.allocate_ports);
  read(document, "networkNamespace", profile.network_namespace);
  return profile;
}

std::map<std::string, Profile> parse_builtin() {
  std::map<std::string, Profile> profiles;
  for (const std::string_view text :
       {embedded::custom_yaml(), embedded::jmeter_yaml(), embedded::locust_yaml()}) {
    auto profile = parse_profile(text);
    if (!profile) throw std::logic_error("built-in profile: " + profile.error().message);
    const std::string tool = profile->tool;
    profiles.insert_or_assign(tool, *std::move(profile));
  }
  return profiles;
}

}  // namespace

Result<Profile> parse_profile(std::string_view yaml) {
  auto documents = parse_yaml(yaml, {});
  if (documents.size() != 1) {
    return fail(ErrorKind::Invalid,
                "profile: found " + std::to_string(documents.size()) + " documents, expected one");
  }
  const PositionedJson& parsed = documents.front();
  if (!parsed.problems.empty()) {
    return fail(ErrorKind::Invalid, "profile: " + to_string(parsed.problems.front()));
  }
  if (!parsed.value->is_object()) {
    return fail(ErrorKind::Invalid, std::string("profile: found ") + parsed.value->type_name() +
                                        ", expected an object with `tool`");
  }
  const std::string problem = check_profile(*parsed.value);
  if (!problem.empty()) return fail(ErrorKind::Invalid, "profile: " + problem);
  return decode_profile(*parsed.value);
}

const std::map<std::string, Profile>& builtin_profiles() {
  static const std::map<std::string, Profile> kProfiles = parse_builtin();
  return kProfiles;
}

bool is_reserved_variable(std::string_view name) {
  return name.starts_with("ATQ_") || name == "WORKER_CSV_VIPS";
}

}  // namespace atq::api
