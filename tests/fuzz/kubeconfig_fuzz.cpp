// A kubeconfig, a server's URL and what an exec plugin prints.
#include "src/kube/exec_credential.hpp"
#include "src/kube/kubeconfig.hpp"
#include "tests/fuzz/check.hpp"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, size_t size);

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, size_t size) {
  using namespace atq;
  const auto text = fuzz::text_of(data, size);
  const auto config = kube::Kubeconfig::merge({{"/etc/kube/config", std::string(text)}});
  if (config) {
    auto contexts = config->contexts();
    contexts.emplace_back();
    for (const auto& context : contexts) {
      const auto access = config->choose(context);
      fuzz::check(access || !access.error().message.empty(), "an error says what is wrong");
      fuzz::check(!access || !access->server.host.empty(), "a server has a host");
      fuzz::check(!access || access->token.text.empty() || kube::is_token(access->token.text),
                  "no token breaks a header");
    }
  } else {
    fuzz::check(!config.error().message.empty(), "an error says what is wrong");
  }
  if (const auto url = kube::parse_server_url(text)) {
    fuzz::check(kube::parse_server_url(url->origin() + url->prefix) == url, "a URL is kept");
  }
  const kube::ExecPlugin plugin{.command = "p", .api_version = "client.authentication.k8s.io/v1"};
  if (const auto credential = kube::read_exec_credential(text, plugin)) {
    fuzz::check(!credential->token.empty() || !credential->key.empty(), "a credential is one");
  }
  return 0;
}
