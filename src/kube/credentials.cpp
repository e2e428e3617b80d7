#include "src/kube/credentials.hpp"

#include <map>
#include <optional>
#include <unistd.h>
#include <utility>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "src/base/text.hpp"
#include "src/kube/exec_credential.hpp"
#include "src/kube/exec_run.hpp"

namespace atq::kube {
namespace {

namespace asio = boost::asio;

/// A token's file is not the token: editors leave line breaks.
Result<std::string> read_token(const RotatingSecret::Read& read, const std::string& path) {
  auto text = read(path);
  if (!text) return text;
  const size_t from = text->find_first_not_of(" \t\r\n");
  if (from == std::string::npos) return fail(ErrorKind::Invalid, path + ": found no token");
  const size_t to = text->find_last_not_of(" \t\r\n");
  std::string token = text->substr(from, to - from + 1);
  if (!is_token(token)) {
    return fail(ErrorKind::Invalid, path + ": found signs that no token has, expected one word");
  }
  return token;
}

std::vector<std::string> environment_of(const ExecPlugin& plugin, std::string info) {
  std::map<std::string, std::string> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const size_t equals = std::min(text.find('='), text.size());
    variables[std::string(text.substr(0, equals))] = text.substr(std::min(equals + 1, text.size()));
  }
  for (const auto& [name, value] : plugin.environment) variables[name] = value;
  variables["KUBERNETES_EXEC_INFO"] = std::move(info);
  std::vector<std::string> out;
  out.reserve(variables.size());
  for (const auto& [name, value] : variables) out.push_back(name + "=" + value);
  return out;
}

}  // namespace

struct Credentials::Impl {
  Impl(asio::any_io_executor given, Access what, CredentialWorld with)
      : executor(given),
        access(std::move(what)),
        world(std::move(with)),
        token(access.token, kTokenPeriod,
              [this](const std::string& path) { return read_token(world.read, path); }),
        ca(access.ca, kPemPeriod, world.read),
        certificate(access.certificate, kPemPeriod, world.read),
        key(access.key, kPemPeriod, world.read),
        changed(given) {}

  asio::any_io_executor executor;
  Access access;
  CredentialWorld world;
  RotatingSecret token, ca, certificate, key;
  std::optional<ExecCredential> printed;
  std::unique_ptr<ExecRun> run;  ///< under way
  Result<void> run_result;
  asio::steady_timer changed;   ///< cancelled when a run ends
  net::TlsOptions used, tried;  ///< `now.tls` was made of `used`
  CurrentCredentials now;
  bool stopped = false;

  Result<void> refresh_files();
  Result<void> refresh_tls();
  net::Task<Result<void>> refresh_exec();
  net::Task<Result<void>> run_plugin();
  Error plugin_failed(const Error& error) const;
};

Result<void> Credentials::Impl::refresh_files() {
  for (auto [secret, what] :
       {std::pair(&token, "token"), std::pair(&ca, "certificate authority"),
        std::pair(&certificate, "client certificate"), std::pair(&key, "client key")}) {
    const auto done = secret->refresh(world.now());
    if (!done) {
      return fail_with(
          access.source,
          {done.error().kind, std::string(what) + ": " + done.error().message, std::nullopt});
    }
    if (!secret->warning().empty()) world.warn(access.source + ": " + secret->warning());
  }
  return {};
}

Result<void> Credentials::Impl::refresh_tls() {
  if (!access.server.tls) return {};
  const bool plugin = printed && !printed->certificate.empty();
  net::TlsOptions wanted{.ca_pem = ca.text(),
                         .cert_pem = plugin ? printed->certificate : certificate.text(),
                         .key_pem = plugin ? printed->key : key.text(),
                         .server_name = access.tls_server_name,
                         .insecure = access.insecure};
  if (now.tls && (wanted == used || wanted == tried)) return {};
  tried = wanted;
  auto made = net::make_tls_context(wanted);
  if (!made && !now.tls) return fail_with(access.source, made.error());
  if (!made) {
    // In the middle of a rotation the key may be newer than its certificate.
    world.warn(access.source + ": " + made.error().message + "; what was read before is kept");
    for (auto* pem : {&ca, &certificate, &key}) pem->read_again_by(world.now() + kAfterFailure);
    return {};
  }
  if (now.tls && (wanted.cert_pem != used.cert_pem || wanted.key_pem != used.key_pem)) {
    ++now.identity;
  }
  used = std::move(wanted);
  now.tls = std::move(*made);
  return {};
}

Error Credentials::Impl::plugin_failed(const Error& error) const {
  std::string message =
      access.source + ": exec plugin " + access.exec->command + " " + error.message;
  if (error.kind == ErrorKind::NotFound && !access.exec->install_hint.empty()) {
    message += ": " + to_printable(truncate(access.exec->install_hint, 1000));
  }
  return {error.kind == ErrorKind::NotFound ? ErrorKind::Invalid : error.kind, std::move(message),
          std::nullopt};
}

net::Task<Result<void>> Credentials::Impl::run_plugin() {
  const ExecPlugin& plugin = *access.exec;
  run = std::make_unique<ExecRun>(
      executor,
      ExecCommand{.program = plugin.command,
                  .arguments = plugin.arguments,
                  .environment = environment_of(plugin, exec_info(plugin, access, ca.text())),
                  .timeout = world.exec_timeout});
  const auto output = co_await run->run();
  run.reset();
  if (!output) co_return std::unexpected(plugin_failed(output.error()));
  auto credential = read_exec_credential(*output, plugin);
  if (!credential) co_return std::unexpected(plugin_failed(credential.error()));
  printed = std::move(*credential);
  co_return Result<void>();
}

net::Task<Result<void>> Credentials::Impl::refresh_exec() {
  const auto due = [this] {
    return !printed || (printed->expires && world.wall() >= *printed->expires);
  };
  if (!access.exec || !due()) co_return Result<void>();
  if (stopped) co_return fail(ErrorKind::Canceled, "the client was stopped");
  if (!run) {
    run_result = co_await run_plugin();
    changed.cancel();
    co_return run_result;
  }
  boost::system::error_code ignored;
  changed.expires_at(asio::steady_timer::time_point::max());
  while (run) {
    co_await changed.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
  co_return run_result;
}

Credentials::Credentials(asio::any_io_executor executor, Access access, CredentialWorld world)
    : impl_(std::make_unique<Impl>(std::move(executor), std::move(access), std::move(world))) {}

Credentials::~Credentials() = default;

Result<void> Credentials::load() {
  auto done = impl_->refresh_files();
  // A plugin may be what gives the certificate.
  return done && !impl_->access.exec ? impl_->refresh_tls() : done;
}

net::Task<Result<CurrentCredentials>> Credentials::current() {
  Impl& impl = *impl_;
  auto done = impl.refresh_files();
  if (done) {
    auto plugin = impl.refresh_exec();
    done = co_await std::move(plugin);
  }
  if (done) done = impl.refresh_tls();
  if (!done) co_return std::unexpected(done.error());
  impl.now.token = impl.access.exec ? impl.printed->token : impl.token.text();
  co_return impl.now;
}

void Credentials::rejected(const CurrentCredentials& used, Steady begun) {
  impl_->token.forget_read_before(begun);
  // Somebody else may have had the plugin run since.
  if (impl_->printed && used == impl_->now) impl_->printed.reset();
}

void Credentials::stop() {
  impl_->stopped = true;
  if (impl_->run) impl_->run->stop();
}

}  // namespace atq::kube
