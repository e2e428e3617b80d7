#include "controller/app/kube_parts.hpp"

#include <array>
#include <cstdlib>
#include <unistd.h>

#include "src/base/hash.hpp"
#include "src/stores/directory/files.hpp"

namespace atq::app {
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string make_identity() {
  std::string host = environment("POD_NAME");
  if (host.empty()) {
    std::array<char, 256> name{};
    host = ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "director";
  }
  return host + "_" + stores::directory::random_uid().value_or(std::to_string(::getpid()));
}

}  // namespace

KubeParts::KubeParts(boost::asio::io_context& loop, KubernetesConfig config,
                     std::function<void(const std::string&)> warn,
                     std::function<void(const kube::RequestMade&)> on_request)
    : loop_(loop),
      config_(std::move(config)),
      warn_(std::move(warn)),
      on_request_(std::move(on_request)),
      identity_(make_identity()) {}

KubeParts::~KubeParts() = default;

Result<kube::Client*> KubeParts::get(std::optional<kube::Connection>& into, const char* suffix,
                                     int limit, std::function<bool()> may_write) {
  if (!into) {
    kube::ConnectionOptions options;
    options.kubeconfig = config_.kubeconfig;
    options.context = config_.context;
    // An audit log is to tell directors apart.
    options.user_agent = "atq-director/" ATQ_VERSION " (" + identity_ + ")" + suffix;
    options.may_write = std::move(may_write);
    options.queries_per_second = limit;
    options.warn = warn_;
    options.on_request = on_request_;
    auto connection = kube::connect(loop_, options);
    if (!connection) return std::unexpected(connection.error());
    into = std::move(*connection);
  }
  return into->client.get();
}

Result<kube::Client*> KubeParts::shared() {
  return get(shared_, "", config_.queries_per_second,
             [this] { return !may_write_ || may_write_(); });
}

Result<kube::Client*> KubeParts::for_lease() { return get(lease_, " leader-election", 0, nullptr); }

std::string KubeParts::lease_namespace() const {
  if (!config_.lease_namespace.empty()) return config_.lease_namespace;
  if (const std::string pod = environment("POD_NAMESPACE"); !pod.empty()) return pod;
  if (lease_) return lease_->ns;
  return shared_ ? shared_->ns : "default";
}

uint64_t KubeParts::seed() const { return fnv1a(identity_); }

void KubeParts::stop() {
  if (shared_) shared_->client->stop();
  if (lease_) lease_->client->stop();
}

}  // namespace atq::app
