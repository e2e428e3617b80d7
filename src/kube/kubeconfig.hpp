#pragma once
// kubeconfig files: https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/, merged and
// chosen from as client-go's tools/clientcmd does. Pure but for load_kubeconfig(). No message holds
// a token, key or password.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/error.hpp"

namespace atq::kube {

/// A token or PEM text as given, and the file that holds it (absolute), which may be read again
/// when it rotates. Both may be there: a token is the text until the file could be read.
struct Secret {
  std::string text;
  std::string file;
  bool empty() const noexcept { return text.empty() && file.empty(); }
  bool operator==(const Secret&) const = default;
};

/// A program that prints credentials (client.authentication.k8s.io).
struct ExecPlugin {
  std::string command;  ///< a name is looked up in PATH; a relative path is made absolute
  std::vector<std::string> arguments;
  std::vector<std::pair<std::string, std::string>> environment;  ///< besides ours
  std::string api_version;
  bool provide_cluster_info = false;
  std::string install_hint;  ///< shown where the program is missing
  bool operator==(const ExecPlugin&) const = default;
};

/// "https://[fd00::1]:6443/k8s/clusters/c-1" in its parts.
struct ServerUrl {
  bool tls = true;
  std::string host;  ///< IPv6 without brackets
  uint16_t port = 443;
  std::string prefix;  ///< "/k8s/clusters/c-1"; "" = none
  bool operator==(const ServerUrl&) const = default;
  /// "https://[fd00::1]:6443", without the prefix.
  std::string origin() const;
};
Result<ServerUrl> parse_server_url(std::string_view url);

/// What is needed to speak to one cluster as one user.
struct Access {
  ServerUrl server;
  std::string tls_server_name;
  bool insecure = false;
  Secret ca;  ///< empty: the system's certificates
  Secret certificate, key;
  Secret token;
  std::optional<ExecPlugin> exec;
  std::string ns = "default";
  std::string source;  ///< "context lab of /root/.kube/config"
  bool operator==(const Access&) const = default;
};

/// A file's text with its path, in order of precedence.
struct KubeconfigText {
  std::string path;  ///< absolute
  std::string text;
};

inline constexpr size_t kMaxKubeconfigBytes = size_t{1} << 20;
inline constexpr size_t kMaxKubeconfigFiles = 64;

/// The files merged: of things with the same name the first file's counts, as does the first
/// current-context. What is wrong with a context, cluster or user is said when it is chosen, so
/// that one bad entry does not disturb the others.
class Kubeconfig {
 public:
  /// Errors: no YAML, no kubeconfig, a name given twice in one file, too large.
  static Result<Kubeconfig> merge(const std::vector<KubeconfigText>& files);

  /// `context` "" = the current one. Errors name file, context, cluster and user, what is wrong,
  /// and which exist instead. Invalid; NotFound for a name that does not exist.
  Result<Access> choose(const std::string& context) const;

  /// In the order of their names.
  std::vector<std::string> contexts() const;
  const std::string& current_context() const noexcept { return current_; }

  struct ClusterEntry {
    std::string file, server, tls_server_name, proxy_url;
    Secret ca;
    bool insecure = false;
    std::string problem;
  };
  struct UserEntry {
    std::string file;
    Secret certificate, key, token;
    bool has_password = false;
    std::string auth_provider;
    bool impersonates = false;
    std::optional<ExecPlugin> exec;
    std::string interactive_mode;
    std::string problem;  ///< "" = none
  };
  struct ContextEntry {
    std::string file, cluster, user, ns;
    std::string problem;
  };

 private:
  std::map<std::string, ClusterEntry> clusters_;
  std::map<std::string, UserEntry> users_;
  std::map<std::string, ContextEntry> contexts_;
  std::string current_;
  std::string current_file_;
  std::vector<std::string> files_;
};

/// False where the text could forge or break a header: not a single word of visible ASCII.
bool is_token(std::string_view text) noexcept;

/// A file that is read whole, up to `limit` bytes. NotFound, Forbidden, Invalid (too large).
Result<std::string> read_small_file(const std::string& path, size_t limit);

/// Reads the files of a colon list and merges them. Those of a list that do not exist are passed
/// over; a single one must exist. Blocks.
Result<Kubeconfig> load_kubeconfig(const std::string& colon_list);

}  // namespace atq::kube
