#include "src/kube/kubeconfig_parse.hpp"

#include <filesystem>
#include <functional>

#include <yaml-cpp/yaml.h>

#include "src/base/base64.hpp"
#include "src/base/text.hpp"

namespace atq::kube {
namespace {

constexpr size_t kMaxNesting = 1000;
constexpr size_t kMaxExecItems = 1000;

std::string place(const YAML::Node& node) {
  const auto mark = node.Mark();
  return mark.is_null() ? "" : "line " + std::to_string(mark.line + 1) + ": ";
}

/// The fields of one entry. The first thing that is wrong is kept. Values are never in a message,
/// as they may be secrets.
class Fields {
 public:
  Fields(const YAML::Node& node, std::filesystem::path folder, std::string& problem)
      : node_(node), folder_(std::move(folder)), problem_(problem) {
    if (node.IsDefined() && !node.IsNull() && !node.IsMap()) refuse(node, "", "keys and values");
  }

  YAML::Node at(const char* key) const {
    if (!node_.IsMap()) return YAML::Node(YAML::NodeType::Undefined);
    for (const auto& entry : node_) {
      if (entry.first.IsScalar() && entry.first.Scalar() == key) return entry.second;
    }
    return YAML::Node(YAML::NodeType::Undefined);
  }
  bool has(const char* key) const {
    const auto node = at(key);
    return node.IsDefined() && !node.IsNull();
  }
  std::string text(const char* key) {
    if (!has(key)) return {};
    const auto node = at(key);
    if (!node.IsScalar()) {
      refuse(node, key, "a text");
      return {};
    }
    return node.Scalar();
  }
  bool flag(const char* key) {
    const std::string value = text(key);
    if (value.empty() || value == "false") return false;
    if (value != "true") refuse(at(key), key, "true or false");
    return value == "true";
  }
  /// A path, absolute: relative ones count from the file they stand in.
  std::string path(const char* key) {
    const std::string value = text(key);
    return value.empty() ? "" : (folder_ / value).lexically_normal().string();
  }
  /// `KEY-data` in base64, which overrides the file `KEY`.
  Secret pem(const char* key) {
    const std::string data_key = std::string(key) + "-data";
    const std::string data = text(data_key.c_str());
    if (data.empty()) return {.text = {}, .file = path(key)};
    auto decoded = decode_base64(data);
    if (!decoded) refuse(at(data_key.c_str()), data_key, "base64");
    return {.text = decoded.value_or(""), .file = {}};
  }
  void refuse(const YAML::Node& node, const std::string& key, const std::string& expected) {
    if (problem_.empty()) {
      problem_ = place(node) + (key.empty() ? "" : key + ": ") + "expected " + expected;
    }
  }
  const std::filesystem::path& folder() const { return folder_; }

 private:
  YAML::Node node_;
  std::filesystem::path folder_;
  std::string& problem_;
};

void read_items(Fields& fields, const char* key,
                const std::function<void(const YAML::Node&)>& take) {
  if (!fields.has(key)) return;
  const auto list = fields.at(key);
  if (!list.IsSequence() || list.size() > kMaxExecItems) {
    return fields.refuse(list, key, "a list of at most " + std::to_string(kMaxExecItems));
  }
  for (const auto& item : list) take(item);
}

ExecPlugin read_exec(Fields& fields, std::string& problem) {
  ExecPlugin exec;
  exec.command = fields.text("command");
  if (exec.command.find('/') != std::string::npos) {
    exec.command = (fields.folder() / exec.command).lexically_normal().string();
  }
  read_items(fields, "args", [&](const YAML::Node& item) {
    if (!item.IsScalar()) return fields.refuse(item, "args", "texts");
    exec.arguments.push_back(item.Scalar());
  });
  read_items(fields, "env", [&](const YAML::Node& item) {
    Fields variable(item, fields.folder(), problem);
    exec.environment.emplace_back(variable.text("name"), variable.text("value"));
  });
  exec.api_version = fields.text("apiVersion");
  exec.provide_cluster_info = fields.flag("provideClusterInfo");
  exec.install_hint = fields.text("installHint");
  return exec;
}

Kubeconfig::ClusterEntry read_cluster(const YAML::Node& node, const std::string& file,
                                      const std::filesystem::path& folder) {
  Kubeconfig::ClusterEntry out{.file = file};
  Fields fields(node, folder, out.problem);
  out.server = fields.text("server");
  out.tls_server_name = fields.text("tls-server-name");
  out.proxy_url = fields.text("proxy-url");
  out.ca = fields.pem("certificate-authority");
  out.insecure = fields.flag("insecure-skip-tls-verify");
  return out;
}

Kubeconfig::UserEntry read_user(const YAML::Node& node, const std::string& file,
                                const std::filesystem::path& folder) {
  Kubeconfig::UserEntry out{.file = file};
  Fields fields(node, folder, out.problem);
  out.certificate = fields.pem("client-certificate");
  out.key = fields.pem("client-key");
  out.token = {.text = fields.text("token"), .file = fields.path("tokenFile")};
  out.has_password = fields.has("username") || fields.has("password");
  out.impersonates = fields.has("as") || fields.has("as-uid") || fields.has("as-groups") ||
                     fields.has("as-user-extra");
  if (fields.has("auth-provider")) {
    Fields provider(fields.at("auth-provider"), folder, out.problem);
    out.auth_provider = provider.text("name");
    if (out.auth_provider.empty()) out.auth_provider = "without a name";
  }
  if (fields.has("exec")) {
    Fields exec(fields.at("exec"), folder, out.problem);
    out.exec = read_exec(exec, out.problem);
    out.interactive_mode = exec.text("interactiveMode");
  }
  return out;
}

Kubeconfig::ContextEntry read_context(const YAML::Node& node, const std::string& file,
                                      const std::filesystem::path& folder) {
  Kubeconfig::ContextEntry out{.file = file};
  Fields fields(node, folder, out.problem);
  out.cluster = fields.text("cluster");
  out.user = fields.text("user");
  out.ns = fields.text("namespace");
  return out;
}

/// `clusters: [{name: …, cluster: {…}}, …]`
template <class Entry, class Read>
void read_list(Fields& root, const char* list, const char* member, const std::string& file,
               std::map<std::string, Entry>& out, std::string& problem, const Read& read) {
  if (!root.has(list)) return;
  const auto nodes = root.at(list);
  if (!nodes.IsSequence()) return root.refuse(nodes, list, "a list");
  const std::filesystem::path folder = root.folder();
  for (const auto& node : nodes) {
    Fields entry(node, folder, problem);
    const std::string name = entry.text("name");
    if (name.empty()) {
      entry.refuse(node, std::string(list) + ": name", "a text");
    } else if (!out.emplace(name, read(entry.at(member), file, folder)).second) {
      entry.refuse(node, list,
                   "the name \"" + to_printable(truncate(name, 100)) + "\" once, found it twice");
    }
  }
}

Result<ParsedKubeconfig> read_root(const YAML::Node& node, const std::string& path) {
  ParsedKubeconfig out;
  std::string problem;
  const auto folder = std::filesystem::path(path).parent_path();
  Fields root(node, folder, problem);
  const std::string kind = root.text("kind");
  if (!kind.empty() && kind != "Config") root.refuse(node, "kind", "Config");
  read_list(root, "clusters", "cluster", path, out.clusters, problem, read_cluster);
  read_list(root, "users", "user", path, out.users, problem, read_user);
  read_list(root, "contexts", "context", path, out.contexts, problem, read_context);
  out.current = root.text("current-context");
  if (!problem.empty()) return fail(ErrorKind::Invalid, path + ": " + problem);
  return out;
}

}  // namespace

Result<ParsedKubeconfig> parse_kubeconfig(const KubeconfigText& file) {
  if (file.text.size() > kMaxKubeconfigBytes) {
    return fail(ErrorKind::Invalid, file.path + ": found " + std::to_string(file.text.size()) +
                                        " bytes, expected a kubeconfig of at most 1 MiB");
  }
  if (!is_clean_utf8(file.text)) {
    return fail(ErrorKind::Invalid, file.path +
                                        ": found bytes that are no UTF-8 text, expected a "
                                        "kubeconfig in YAML or JSON");
  }
  if (nests_too_deep(file.text, kMaxNesting)) {
    return fail(ErrorKind::Invalid, file.path + ": found nesting too deep for a kubeconfig");
  }
  try {
    return read_root(YAML::Load(file.text), file.path);
  } catch (const YAML::Exception& error) {
    // Not error.what(): it may quote what stands there.
    return fail(ErrorKind::Invalid, file.path + ": line " + std::to_string(error.mark.line + 1) +
                                        ", column " + std::to_string(error.mark.column + 1) +
                                        ": no YAML, expected a kubeconfig");
  }
}

}  // namespace atq::kube
