#pragma once
// LoadTests as custom resources of a Kubernetes cluster. The API server keeps everything: identity,
// versions, generations, and the status as a subresource. Watches follow one namespace each, or the
// whole cluster with one. No finalizer: what a run has in the cluster is owned by its LoadTest and
// goes with it. docs/adr/0007-status-by-json-patch.md says why the status is written as it is.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "controller/ports/store.hpp"
#include "src/kube/client.hpp"
#include "src/kube/resource.hpp"

namespace atq::stores::kube {

inline constexpr atq::kube::Resource kLoadTests{"atq.dev", "v1alpha1", "loadtests", "LoadTest"};

struct Options {
  std::vector<std::string> namespaces;                     ///< empty: all of the cluster
  uint64_t seed = 0;                                       ///< of the watches' back-off
  std::function<void(const std::string&)> note = nullptr;  ///< what a log should have
};

class KubeStore final : public ports::Store {
 public:
  /// `io` and `client` must outlive it and its calls. stop() does not stop the client: it may serve
  /// others; its calls are bounded (10 s).
  KubeStore(boost::asio::io_context& io, atq::kube::Client& client, Options options);
  ~KubeStore() override;

  std::string name() const override { return "kubernetes"; }
  core::Capabilities capabilities() const override;

  /// Errors end it: the kind is not installed, or this account may never list it.
  AsyncResult<void> watch(ports::StoreSink& sink) override;
  void stop() override;

  AsyncResult<ports::StoredTest> get(const api::Key& key) override;
  /// Invalid too for a namespace that is not watched.
  AsyncResult<ports::StoredTest> create(const api::LoadTest& test) override;
  AsyncResult<ports::StoredTest> replace(const api::LoadTest& test) override;
  AsyncResult<void> remove(const api::Key& key, const std::string& uid) override;
  AsyncResult<std::string> update_status(const api::Key& key, const std::string& uid,
                                         const std::string& resource_version,
                                         const api::LoadTestStatus& status) override;
  AsyncResult<ports::StoredTest> annotate(const api::Key& key,
                                          const ports::AnnotationPatch& patch) override;
  AsyncResult<void> finalize(const api::Key& key, const std::string& uid) override;
  /// Unavailable, always: names what to use instead.
  Result<std::filesystem::path> local_file(const api::Key& key, const std::string& path) override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace atq::stores::kube
