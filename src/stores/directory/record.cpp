#include "src/stores/directory/record.hpp"

#include <nlohmann/json.hpp>

namespace atq::stores::directory {
namespace {

using Json = nlohmann::json;

constexpr int kFormat = 1;
constexpr std::string_view kStateStart = "{\"state\":";
constexpr std::string_view kSpecStart = "\"spec\":";
constexpr std::string_view kStatusStart = "\"status\":";

Json encode_problems(const std::vector<api::Problem>& problems) {
  Json list = Json::array();
  for (const auto& p : problems) {
    list.push_back({{"path", p.path},
                    {"message", p.message},
                    {"rule", p.rule},
                    {"line", p.line},
                    {"column", p.column}});
  }
  return list;
}

Json encode_state(const Record& record) {
  Json state = {{"format", kFormat},
                {"namespace", record.key.ns},
                {"name", record.key.name},
                {"uid", record.uid},
                {"generation", record.generation},
                {"version", record.version},
                {"created", record.created.time_since_epoch().count()},
                {"from",
                 {{"root", record.from.root},
                  {"source", record.from.source},
                  {"line", record.from.line},
                  {"hash", record.from.hash},
                  {"documents", record.from.documents},
                  {"reader", record.from.reader}}}};
  if (record.deleted) state["deleted"] = record.deleted->time_since_epoch().count();
  if (!record.labels.empty()) state["labels"] = record.labels;
  if (!record.annotations.empty()) state["annotations"] = record.annotations;
  for (const auto& [name, value] : record.requests) {
    state["requests"][name] = value ? Json(*value) : Json(nullptr);
  }
  if (!record.problems.empty()) state["problems"] = encode_problems(record.problems);
  return state;
}

void decode_from(const Json& json, Provenance& from) {
  from.root = json.at("root").get<std::string>();
  from.source = json.at("source").get<std::string>();
  from.line = json.at("line").get<int>();
  from.hash = json.at("hash").get<uint64_t>();
  from.documents = json.at("documents").get<int>();
  from.reader = json.at("reader").get<std::string>();
}

void decode_lists(const Json& state, Record& record) {
  if (const auto it = state.find("labels"); it != state.end()) it->get_to(record.labels);
  if (const auto it = state.find("annotations"); it != state.end()) it->get_to(record.annotations);
  if (const auto it = state.find("requests"); it != state.end()) {
    for (const auto& [name, value] : it->items()) {
      record.requests[name] =
          value.is_null() ? std::nullopt : std::optional(value.get<std::string>());
    }
  }
  if (const auto it = state.find("problems"); it != state.end()) {
    for (const auto& p : *it) {
      record.problems.push_back(
          {p.at("path").get<std::string>(), p.at("message").get<std::string>(),
           p.at("rule").get<std::string>(), p.at("line").get<int>(), p.at("column").get<int>()});
    }
  }
}

/// Throws Json::exception for what encode_state() does not write.
void decode_state(std::string_view text, Record& record) {
  const Json state = Json::parse(text);
  if (state.at("format").get<int>() != kFormat) {
    throw std::invalid_argument("written by a later version");
  }
  record.key = {state.at("namespace").get<std::string>(), state.at("name").get<std::string>()};
  record.uid = state.at("uid").get<std::string>();
  record.generation = state.at("generation").get<int64_t>();
  record.version = state.at("version").get<uint64_t>();
  record.created = TimePoint(Duration(state.at("created").get<int64_t>()));
  if (const auto it = state.find("deleted"); it != state.end()) {
    record.deleted = TimePoint(Duration(it->get<int64_t>()));
  }
  decode_from(state.at("from"), record.from);
  decode_lists(state, record);
}

/// Takes the next line, which starts with `start` and ends with `end`, without both.
std::optional<std::string_view> take_line(std::string_view& text, std::string_view start,
                                          std::string_view end) {
  const size_t stop = text.find('\n');
  if (stop == std::string_view::npos) return std::nullopt;
  std::string_view line = text.substr(0, stop);
  text.remove_prefix(stop + 1);
  if (!line.starts_with(start) || !line.ends_with(end)) return std::nullopt;
  line.remove_prefix(start.size());
  line.remove_suffix(end.size());
  return line;
}

}  // namespace

std::string encode_record(const Record& record) {
  std::string text(kStateStart);
  text += encode_state(record).dump(-1, ' ', false, Json::error_handler_t::replace);
  text += ",\n";
  text += kSpecStart;
  text += record.spec;
  text += ",\n";
  text += kStatusStart;
  text += record.status.empty() ? "null" : record.status;
  text += "}\n";
  return text;
}

Result<Record> decode_record(std::string_view text) {
  Record record;
  const auto state = take_line(text, kStateStart, ",");
  const auto spec = state ? take_line(text, kSpecStart, ",") : std::nullopt;
  const auto status = spec ? take_line(text, kStatusStart, "}") : std::nullopt;
  if (!status || !text.empty()) return fail(ErrorKind::Invalid, "cut short or not written by us");
  try {
    decode_state(*state, record);
  } catch (const std::exception& e) {
    return fail(ErrorKind::Invalid, std::string("unreadable state: ") + e.what());
  }
  record.spec = *spec;
  if (*status != "null") record.status = *status;
  return record;
}

Result<ports::StoredTest> to_stored(const Record& record) {
  ports::StoredTest stored;
  auto spec = api::decode_spec(record.spec);
  if (!spec) return fail_with("spec of " + api::to_string(record.key), spec.error());
  stored.test.spec = std::move(*spec);
  if (!record.status.empty()) {
    auto status = api::decode_status(record.status);
    if (!status) return fail_with("status of " + api::to_string(record.key), status.error());
    stored.test.status = std::move(*status);
  }
  auto& meta = stored.test.metadata;
  meta.name = record.key.name;
  meta.ns = record.key.ns;
  meta.uid = record.uid;
  meta.resource_version = std::to_string(record.version);
  meta.generation = record.generation;
  meta.labels = record.labels;
  meta.annotations = record.annotations;
  for (const auto& [name, value] : record.requests) {
    if (value) {
      meta.annotations[name] = *value;
    } else {
      meta.annotations.erase(name);
    }
  }
  meta.creation_timestamp = record.created;
  meta.deletion_timestamp = record.deleted;
  meta.finalizers = {std::string(kFinalizer)};
  stored.problems = record.problems;
  return stored;
}

bool merge_requests(Record& record, const ports::AnnotationPatch& patch) {
  const auto before = record.requests;
  for (const auto& [name, value] : patch) {
    if (value || record.annotations.contains(name)) {
      record.requests[name] = value;
    } else {
      record.requests.erase(name);
    }
  }
  return record.requests != before;
}

}  // namespace atq::stores::directory
