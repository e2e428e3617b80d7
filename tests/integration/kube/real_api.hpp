#pragma once
// The API server that KUBECONFIG names, for tests that change objects of their own in it.

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "src/kube/connection.hpp"

namespace atq::kube {

/// "" where the tests can run; else why not.
inline std::string missing_cluster() {
  return std::getenv("KUBECONFIG") == nullptr ? "no KUBECONFIG: eval \"$(hack/lab kubernetes env)\""
                                              : "";
}

/// A connection with a loop of its own, so that it can be used between the turns of another.
class RealApi {
 public:
  RealApi() : connection_(connect(loop_, {}).value()) {}
  ~RealApi() {
    connection_.client->stop();
    loop_.restart();
    loop_.run_for(std::chrono::seconds(1));
  }
  RealApi(const RealApi&) = delete;
  RealApi& operator=(const RealApi&) = delete;

  Result<std::string> call(Call call) {
    Result<std::string> out = fail(ErrorKind::Internal, "has not ended");
    boost::asio::co_spawn(loop_, connection_.client->call(std::move(call)),
                          [&](const std::exception_ptr& thrown, Result<std::string> result) {
                            if (!thrown) out = std::move(result);
                            loop_.stop();
                          });
    loop_.restart();
    loop_.run_for(std::chrono::seconds(30));
    return out;
  }
  /// Throws what the server says.
  std::string must(Call what) {
    auto answer = call(std::move(what));
    if (!answer) throw std::runtime_error(answer.error().message);
    return *answer;
  }
  /// Server-side apply of a whole YAML or JSON text.
  void apply(const std::string& target, std::string text) {
    must({.method = "PATCH",
          .target = target + "?fieldManager=test&force=true",
          .content_type = std::string(kApplyPatch),
          .body = std::move(text)});
  }
  /// Installs the kind LoadTest as this tree has it.
  void install_kind() {
    std::ifstream file(ATQ_SOURCE_DIR "/crd/loadtests.atq.dev.yaml");
    std::ostringstream text;
    text << file.rdbuf();
    apply("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/loadtests.atq.dev", text.str());
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!call({.target = "/apis/atq.dev/v1alpha1/loadtests?limit=1"})) {
      if (std::chrono::steady_clock::now() > end) throw std::runtime_error("not established");
    }
  }

 private:
  boost::asio::io_context loop_;
  Connection connection_;
};

}  // namespace atq::kube
