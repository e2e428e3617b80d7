#include "src/stores/kube_crd/kube_events.hpp"

#include "controller/api/types.hpp"
#include "src/kube/events.hpp"

namespace atq::stores::kube {

struct KubeEvents::Impl {
  atq::kube::EventRecorder recorder;
};

KubeEvents::KubeEvents(boost::asio::io_context& io, atq::kube::Client& client, Options options)
    : impl_(new Impl{.recorder = atq::kube::EventRecorder(io.get_executor(), client,
                                                          {.controller = "atq.dev/director",
                                                           .instance = std::move(options.instance)},
                                                          std::move(options.note), options.seed)}) {
}

KubeEvents::~KubeEvents() = default;

void KubeEvents::emit(const std::string& regarding, const std::string& uid,
                      const core::Event& event, TimePoint at) {
  const size_t slash = regarding.find('/');
  if (uid.empty() || slash == std::string::npos) {
    return;
  }
  impl_->recorder.record({.regarding = {.api_version = std::string(api::kApiVersion),
                                        .kind = std::string(api::kKind),
                                        .ns = regarding.substr(0, slash),
                                        .name = regarding.substr(slash + 1),
                                        .uid = uid},
                          .type = event.warning ? "Warning" : "Normal",
                          .reason = event.reason,
                          .action = "",
                          .note = event.message},
                         at);
}

Task<void> KubeEvents::run() { return impl_->recorder.run(); }

void KubeEvents::stop() { impl_->recorder.stop(); }

}  // namespace atq::stores::kube
