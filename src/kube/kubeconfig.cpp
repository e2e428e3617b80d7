#include "src/kube/kubeconfig.hpp"

#include <charconv>
#include <filesystem>
#include <fstream>

#include "src/base/text.hpp"
#include "src/kube/kubeconfig_parse.hpp"

namespace atq::kube {
namespace {

constexpr size_t kNamesInMessage = 10;

std::string named(std::string_view name) { return "\"" + to_printable(truncate(name, 200)) + "\""; }

/// What exists instead: "did you mean …", else the names.
template <class Entry>
std::string instead(const std::string& name, const std::map<std::string, Entry>& entries,
                    const std::string& kind) {
  if (entries.empty()) return "there is no " + kind + " at all";
  std::vector<std::string_view> names;
  for (const auto& [each, entry] : entries) names.push_back(each);
  const auto near = nearest(name, names);
  if (!near.empty()) return "did you mean " + named(near) + "?";
  std::string out = "there is ";
  for (size_t i = 0; i < names.size() && i < kNamesInMessage; ++i) {
    out += (i > 0 ? ", " : "") + named(names[i]);
  }
  if (names.size() > kNamesInMessage) {
    out += " and " + std::to_string(names.size() - kNamesInMessage) + " more";
  }
  return out;
}

std::unexpected<Error> invalid(std::string message) {
  return fail(ErrorKind::Invalid, std::move(message));
}

std::string check_exec(const Kubeconfig::UserEntry& user) {
  const ExecPlugin& exec = *user.exec;
  if (exec.command.empty()) return "exec: command: found none, expected a program";
  if (exec.api_version != "client.authentication.k8s.io/v1" &&
      exec.api_version != "client.authentication.k8s.io/v1beta1") {
    return "exec: apiVersion: found " + named(exec.api_version) +
           ", expected client.authentication.k8s.io/v1 or client.authentication.k8s.io/v1beta1";
  }
  if (user.interactive_mode == "Always") {
    return "exec: interactiveMode: Always is not supported, as there may be no terminal: use a "
           "plugin that can do without one";
  }
  for (const auto& [name, value] : exec.environment) {
    if (name.empty() || name.find('=') != std::string::npos) {
      return "exec: env: expected names that are not empty and without \"=\"";
    }
  }
  return {};
}

/// What stands between us and this user; "" = nothing.
std::string check_user(const Kubeconfig::UserEntry& user) {
  if (!user.problem.empty()) return user.problem;
  if (user.has_password) {
    return "username and password are not supported: Kubernetes has had no basic authentication "
           "since 1.19; use a token, a client certificate or exec";
  }
  if (!user.auth_provider.empty()) {
    return "auth-provider " + named(user.auth_provider) +
           " is not supported: Kubernetes has removed these; use exec";
  }
  if (user.impersonates) {
    return "impersonation (as, as-groups, as-uid, as-user-extra) is not supported: use the "
           "credentials of that user";
  }
  if (user.certificate.empty() != user.key.empty()) {
    return std::string("found ") + (user.key.empty() ? "client-certificate" : "client-key") +
           " alone, expected client-certificate and client-key together";
  }
  return user.exec ? check_exec(user) : "";
}

std::string check_cluster(const Kubeconfig::ClusterEntry& cluster) {
  if (!cluster.problem.empty()) return cluster.problem;
  if (!cluster.proxy_url.empty()) {
    return "proxy-url is not supported: remove it and reach the server directly, or through a "
           "tunnel whose address is the server's";
  }
  if (cluster.insecure && !cluster.ca.empty()) {
    return "found certificate-authority and insecure-skip-tls-verify, expected one of them";
  }
  return {};
}

}  // namespace

std::string ServerUrl::origin() const {
  const bool v6 = host.find(':') != std::string::npos;
  return (tls ? "https://" : "http://") + (v6 ? "[" + host + "]" : host) + ":" +
         std::to_string(port);
}

Result<ServerUrl> parse_server_url(std::string_view url) {
  // "https://user:password@host" would put a secret in a message.
  const std::string shown = url.find('@') == std::string_view::npos ? named(url) : "the URL";
  const auto bad = [&](const std::string& what) {
    return invalid(what + " in " + shown + ", expected https://HOST:PORT, e.g. " +
                   "https://10.0.0.1:6443 or https://[fd00::1]:6443");
  };
  ServerUrl out;
  if (url.starts_with("http://")) {
    out.tls = false;
    out.port = 80;
  } else if (!url.starts_with("https://")) {
    return bad("found no https://");
  }
  url.remove_prefix(out.tls ? 8 : 7);
  const size_t slash = std::min(url.find('/'), url.size());
  std::string_view authority = url.substr(0, slash);
  if (authority.find('@') != std::string_view::npos) {
    return invalid("found a user in the server's URL, expected https://HOST:PORT");
  }
  out.prefix = url.substr(slash);
  while (out.prefix.ends_with('/')) out.prefix.pop_back();
  for (const char sign : out.prefix) {
    if (sign <= ' ' || sign >= 0x7F || sign == '?' || sign == '#')
      return bad("found no plain path");
  }
  if (authority.starts_with('[')) {
    const size_t end = authority.find(']');
    if (end == std::string_view::npos) return bad("found \"[\" without \"]\"");
    out.host = authority.substr(1, end - 1);
    authority.remove_prefix(end + 1);
    if (!authority.empty() && authority.front() != ':') return bad("found no port after \"]\"");
  } else {
    const size_t colon = std::min(authority.find(':'), authority.size());
    out.host = authority.substr(0, colon);
    authority.remove_prefix(colon);
  }
  for (const char sign : out.host) {
    if (sign <= ' ' || sign >= 0x7F) return bad("found no host");
  }
  if (out.host.empty()) return bad("found no host");
  if (authority.empty()) return out;
  authority.remove_prefix(1);
  const auto [end, error] =
      std::from_chars(authority.data(), authority.data() + authority.size(), out.port);
  if (error != std::errc{} || end != authority.data() + authority.size() || out.port == 0) {
    return bad("found no port from 1 to 65535");
  }
  return out;
}

Result<Kubeconfig> Kubeconfig::merge(const std::vector<KubeconfigText>& files) {
  if (files.size() > kMaxKubeconfigFiles) {
    return invalid("found " + std::to_string(files.size()) +
                   " kubeconfig files, expected at most " + std::to_string(kMaxKubeconfigFiles));
  }
  Kubeconfig out;
  for (const auto& file : files) {
    auto parsed = parse_kubeconfig(file);
    if (!parsed) return std::unexpected(parsed.error());
    out.clusters_.merge(parsed->clusters);
    out.users_.merge(parsed->users);
    out.contexts_.merge(parsed->contexts);
    if (out.current_.empty() && !parsed->current.empty()) {
      out.current_ = parsed->current;
      out.current_file_ = file.path;
    }
    out.files_.push_back(file.path);
  }
  return out;
}

std::vector<std::string> Kubeconfig::contexts() const {
  std::vector<std::string> out;
  for (const auto& [name, entry] : contexts_) out.push_back(name);
  return out;
}

Result<Access> Kubeconfig::choose(const std::string& context) const {
  const std::string where = join(files_, ":");
  const std::string name = context.empty() ? current_ : context;
  if (name.empty()) {
    return invalid(where +
                   ": found no current-context, expected one: name it with --context or "
                   "`kubectl config use-context` (" +
                   instead("", contexts_, "context") + ")");
  }
  const auto found = contexts_.find(name);
  if (found == contexts_.end()) {
    return fail(ErrorKind::NotFound,
                (context.empty() ? current_file_ + ": current-context" : where + ": context") +
                    " " + named(name) + " does not exist: " + instead(name, contexts_, "context"));
  }
  const ContextEntry& chosen = found->second;
  const std::string here = chosen.file + ": context " + named(name) + ": ";
  if (!chosen.problem.empty()) return invalid(here + chosen.problem);
  const auto cluster = clusters_.find(chosen.cluster);
  if (cluster == clusters_.end()) {
    return fail(ErrorKind::NotFound,
                here + "cluster " + named(chosen.cluster) +
                    " does not exist: " + instead(chosen.cluster, clusters_, "cluster"));
  }
  const std::string at_cluster = cluster->second.file + ": cluster " + named(chosen.cluster) +
                                 " (of context " + named(name) + "): ";
  if (const auto problem = check_cluster(cluster->second); !problem.empty()) {
    return invalid(at_cluster + problem);
  }
  auto server = parse_server_url(cluster->second.server);
  if (!server) return invalid(at_cluster + "server: " + server.error().message);
  Access out{.server = std::move(*server),
             .tls_server_name = cluster->second.tls_server_name,
             .insecure = cluster->second.insecure,
             .ca = cluster->second.ca,
             .source = "context " + name + " of " + chosen.file};
  if (!chosen.ns.empty()) out.ns = chosen.ns;
  if (chosen.user.empty()) return out;  // as who we are, the server says
  const auto user = users_.find(chosen.user);
  if (user == users_.end()) {
    return fail(ErrorKind::NotFound, here + "user " + named(chosen.user) + " does not exist: " +
                                         instead(chosen.user, users_, "user"));
  }
  const std::string at_user =
      user->second.file + ": user " + named(chosen.user) + " (of context " + named(name) + "): ";
  if (const auto problem = check_user(user->second); !problem.empty()) {
    return invalid(at_user + problem);
  }
  if (!user->second.token.text.empty() && !is_token(user->second.token.text)) {
    return invalid(at_user + "token: found signs that no token has, expected a single word");
  }
  out.certificate = user->second.certificate;
  out.key = user->second.key;
  out.token = user->second.token;
  // As kubectl: a token that is given makes the plugin needless.
  if (out.token.empty()) out.exec = user->second.exec;
  return out;
}

bool is_token(std::string_view text) noexcept {
  for (const char sign : text) {
    if (static_cast<unsigned char>(sign) <= 0x20 || static_cast<unsigned char>(sign) >= 0x7F) {
      return false;
    }
  }
  return !text.empty();
}

Result<std::string> read_small_file(const std::string& path, size_t limit) {
  std::error_code code;
  if (std::filesystem::is_directory(path, code)) {
    return invalid(path + ": found a folder, expected a file");
  }
  std::ifstream in(path, std::ios::binary);
  if (!in) return std::unexpected(from_errno(errno, path));
  std::string text(limit + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(in.gcount()));
  if (in.bad()) return fail(ErrorKind::Unavailable, path + ": cannot be read");
  if (text.size() > limit) {
    return invalid(path + ": found more than " + std::to_string(limit) + " bytes");
  }
  return text;
}

Result<Kubeconfig> load_kubeconfig(const std::string& colon_list) {
  std::vector<KubeconfigText> files;
  const auto names = split(colon_list, ':');
  for (const auto& name : names) {
    if (name.empty()) continue;
    std::error_code code;
    const auto path = std::filesystem::absolute(name, code).lexically_normal().string();
    auto text = read_small_file(path, kMaxKubeconfigBytes);
    if (!text && text.error().kind == ErrorKind::NotFound && names.size() > 1) continue;
    if (!text) return fail_with("kubeconfig", text.error());
    files.push_back({path, std::move(*text)});
  }
  if (files.empty()) {
    return fail(ErrorKind::NotFound, "found none of the kubeconfig files " + colon_list);
  }
  return Kubeconfig::merge(files);
}

}  // namespace atq::kube
