#include "controller/app/config.hpp"

#include <algorithm>
#include <charconv>
#include <functional>
#include <map>

#include <yaml-cpp/yaml.h>

#include "src/base/text.hpp"

namespace atq::app {
namespace {

constexpr size_t kMaxConfigBytes = 256 * 1024;
constexpr std::string_view kKubernetes = "kubernetes";

/// A DNS label, as namespaces are named.
bool is_label(std::string_view text) {
  const auto inner = [](char sign) {
    return (sign >= 'a' && sign <= 'z') || (sign >= '0' && sign <= '9') || sign == '-';
  };
  return !text.empty() && text.size() <= 63 && std::ranges::all_of(text, inner) &&
         text.front() != '-' && text.back() != '-';
}

Result<void> check_kubernetes(const Config& config) {
  const KubernetesConfig& kubernetes = config.kubernetes;
  std::vector<std::string> names = kubernetes.namespaces;
  if (!kubernetes.lease_namespace.empty()) names.push_back(kubernetes.lease_namespace);
  for (const auto& name : names) {
    if (!is_label(name)) {
      return fail(ErrorKind::Invalid, "found the namespace \"" + name +
                                          "\", expected lower-case letters, digits and -");
    }
  }
  if (!is_label(kubernetes.lease_name)) {
    return fail(ErrorKind::Invalid, "kubernetes.leaseName: found \"" + kubernetes.lease_name +
                                        "\", expected lower-case letters, digits and -");
  }
  const bool runs = std::ranges::any_of(
      config.runtimes, [](const RuntimeConfig& runtime) { return runtime.type == kKubernetes; });
  if (runs && kubernetes.agent_image.empty()) {
    return fail(ErrorKind::Invalid,
                "no agent image: give --agent-image or the key kubernetes.agentImage");
  }
  return {};
}

/// Walks one mapping of the file: a handler a key, everything else is a problem.
class Reader {
 public:
  using Handler = std::function<void(const YAML::Node&)>;

  void read(const YAML::Node& node, const std::string& path,
            const std::map<std::string, Handler>& handlers) {
    if (node.IsNull()) return;
    if (!node.IsMap()) return problem(node, path, "found no mapping, expected keys and values");
    std::map<std::string, bool> seen;
    for (const auto& entry : node) {
      const auto key = entry.first.IsScalar() ? entry.first.Scalar() : "";
      const auto handler = handlers.find(key);
      const std::string where = path.empty() ? key : path + "." + key;
      if (handler == handlers.end()) {
        unknown(entry.first, where, key, handlers);
      } else if (seen[key]) {
        problem(entry.first, where, "found the key twice");
      } else {
        handler->second(entry.second);
      }
      seen[key] = true;
    }
  }

  Handler text(const std::string& path, std::string& out,
               std::vector<std::string_view> allowed = {}) {
    return [this, path, &out, allowed = std::move(allowed)](const YAML::Node& node) {
      if (!node.IsScalar()) return problem(node, path, "found no text, expected a string");
      if (!allowed.empty() &&
          std::find(allowed.begin(), allowed.end(), node.Scalar()) == allowed.end()) {
        std::string expected;
        for (const auto word : allowed)
          expected += (expected.empty() ? "" : ", ") + std::string(word);
        return problem(node, path, "found \"" + node.Scalar() + "\", expected one of " + expected);
      }
      out = node.Scalar();
    };
  }

  Handler number(const std::string& path, int& out, int least, int most) {
    return [this, path, &out, least, most](const YAML::Node& node) {
      const std::string found = node.IsScalar() ? node.Scalar() : "";
      int value = 0;
      const auto [end, error] = std::from_chars(found.data(), found.data() + found.size(), value);
      if (error != std::errc{} || end != found.data() + found.size() || value < least ||
          value > most) {
        return problem(node, path,
                       "found \"" + found + "\", expected an integer from " +
                           std::to_string(least) + " to " + std::to_string(most));
      }
      out = value;
    };
  }

  Handler texts(const std::string& path, std::vector<std::string>& out) {
    return [this, path, &out](const YAML::Node& node) {
      if (!node.IsSequence()) return problem(node, path, "found no list, expected a list of names");
      out.clear();
      for (const auto& entry : node) {
        const std::string where = path + "[" + std::to_string(out.size()) + "]";
        text(where, out.emplace_back())(entry);
      }
    };
  }

  void problem(const YAML::Node& node, const std::string& path, const std::string& message) {
    const auto mark = node.Mark();
    std::string line = "line " + std::to_string(mark.line + 1) + ", column " +
                       std::to_string(mark.column + 1) + ": ";
    problems_ +=
        (problems_.empty() ? "" : "\n") + line + (path.empty() ? "" : path + ": ") + message;
  }

  const std::string& problems() const { return problems_; }

 private:
  void unknown(const YAML::Node& node, const std::string& where, const std::string& key,
               const std::map<std::string, Handler>& handlers) {
    std::vector<std::string_view> names;
    for (const auto& [name, handler] : handlers) names.push_back(name);
    const auto near = nearest(key, names);
    problem(node, where,
            near.empty() ? std::string("unknown key")
                         : "unknown key, did you mean \"" + std::string(near) + "\"?");
  }

  std::string problems_;
};

void read_runtimes(Reader& reader, const YAML::Node& list, std::vector<RuntimeConfig>& out) {
  if (!list.IsSequence())
    return reader.problem(list, "runtimes", "found no list, expected a list of runtimes");
  out.clear();
  for (const auto& node : list) {
    const std::string path = "runtimes[" + std::to_string(out.size()) + "]";
    RuntimeConfig runtime;
    reader.read(node, path,
                {{"name", reader.text(path + ".name", runtime.name)},
                 {"type", reader.text(path + ".type", runtime.type)},
                 {"maxConcurrentRuns", reader.number(path + ".maxConcurrentRuns",
                                                     runtime.max_concurrent_runs, 1, 1000)}});
    if (runtime.name.empty()) runtime.name = runtime.type;
    out.push_back(std::move(runtime));
  }
}

void read_kubernetes(Reader& reader, const YAML::Node& node, KubernetesConfig& out) {
  reader.read(node, "kubernetes",
              {{"kubeconfig", reader.text("kubernetes.kubeconfig", out.kubeconfig)},
               {"context", reader.text("kubernetes.context", out.context)},
               {"namespaces", reader.texts("kubernetes.namespaces", out.namespaces)},
               {"leaseNamespace", reader.text("kubernetes.leaseNamespace", out.lease_namespace)},
               {"leaseName", reader.text("kubernetes.leaseName", out.lease_name)},
               {"agentImage", reader.text("kubernetes.agentImage", out.agent_image)},
               {"imagePullPolicy", reader.text("kubernetes.imagePullPolicy", out.image_pull_policy,
                                               {"Always", "IfNotPresent", "Never"})},
               {"queriesPerSecond",
                reader.number("kubernetes.queriesPerSecond", out.queries_per_second, 0, 10'000)}});
}

}  // namespace

Result<Config> parse_config(std::string_view yaml, Config base) {
  if (yaml.size() > kMaxConfigBytes) {
    return fail(ErrorKind::Invalid, "found " + std::to_string(yaml.size()) +
                                        " bytes, expected a configuration of at most 256 KiB");
  }
  if (!is_clean_utf8(yaml)) return fail(ErrorKind::Invalid, "found bytes that are no UTF-8 text");
  if (nests_too_deep(yaml, 100))
    return fail(ErrorKind::Invalid, "found nesting too deep for a configuration");
  Reader reader;
  try {
    const YAML::Node root = YAML::Load(std::string(yaml));
    std::string store;
    reader.read(
        root, "",
        {{"store", reader.text("store", store)},
         {"runtimes", [&](const YAML::Node& node) { read_runtimes(reader, node, base.runtimes); }},
         {"data", reader.text("data", base.data)},
         {"listen", reader.text("listen", base.listen)},
         {"agent", reader.text("agent", base.agent)},
         {"kubernetes",
          [&](const YAML::Node& node) { read_kubernetes(reader, node, base.kubernetes); }},
         {"maxConcurrentReconciles",
          reader.number("maxConcurrentReconciles", base.max_concurrent_reconciles, 1, 100)},
         {"log", [&](const YAML::Node& node) {
            reader.read(node, "log",
                        {{"format", reader.text("log.format", base.log_format, {"text", "json"})},
                         {"level", reader.text("log.level", base.log_level,
                                               {"debug", "info", "warn", "error"})}});
          }}});
    if (!store.empty()) {
      if (const auto set = set_store(base, store); !set)
        reader.problem(root["store"], "store", set.error().message);
    }
  } catch (const YAML::Exception& error) {
    return fail(ErrorKind::Invalid, error.what());
  }
  if (!reader.problems().empty()) return fail(ErrorKind::Invalid, reader.problems());
  return base;
}

Result<void> set_store(Config& config, std::string_view text) {
  const auto colon = text.find(':');
  std::string type(text.substr(0, colon));
  std::string path(colon == std::string_view::npos ? "" : text.substr(colon + 1));
  const bool wants_path = type == "directory";
  if (type.empty() || (wants_path && path.empty()) || (type == kKubernetes && !path.empty())) {
    return fail(ErrorKind::Invalid,
                "found store \"" + std::string(text) +
                    "\", expected directory:PATH, e.g. directory:./loadtests, or kubernetes");
  }
  config.store_type = std::move(type);
  config.store_path = std::move(path);
  return {};
}

Result<void> add_runtime(Config& config, std::string_view text) {
  const auto equals = text.find('=');
  RuntimeConfig runtime;
  runtime.type = std::string(equals == std::string_view::npos ? text : text.substr(equals + 1));
  runtime.name = std::string(text.substr(0, equals));
  if (runtime.name.empty() || runtime.type.empty()) {
    return fail(ErrorKind::Invalid,
                "found runtime \"" + std::string(text) + "\", expected TYPE or NAME=TYPE");
  }
  config.runtimes.push_back(std::move(runtime));
  return {};
}

void fill_in(Config& config) {
  if (config.data.empty() && config.store_type != kKubernetes) config.data = "./data";
}

Result<void> check_config(const Config& config) {
  if (config.store_type.empty()) {
    return fail(ErrorKind::Invalid,
                "no store: give --store directory:PATH, --store kubernetes or the key store");
  }
  if (config.runtimes.empty()) {
    return fail(ErrorKind::Invalid,
                "no runtime: give --runtime process, --runtime kubernetes or the key runtimes");
  }
  std::map<std::string, int> names;
  for (const auto& runtime : config.runtimes) {
    if (++names[runtime.name] > 1) {
      return fail(ErrorKind::Invalid, "found two runtimes with the name \"" + runtime.name + "\"");
    }
  }
  return check_kubernetes(config);
}

}  // namespace atq::app
