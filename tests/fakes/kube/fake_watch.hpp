#pragma once
// One open watch of FakeApi: what it sends, and when it ends.

#include "tests/fakes/kube/fake_api.hpp"
#include "tests/fakes/kube/selector.hpp"

namespace atq::fakes::kube {

class FakeApi::Watch {
 public:
  using Sink = std::function<bool(std::string_view)>;

  /// Open until it is destroyed.
  Watch(FakeApi& api, std::string client, ApiRequest request, atq::kube::Call call, Sink sink);
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  Task<Result<void>> run();
  void wake() {
    woken_ = true;
    timer_->cancel();
  }
  void stop();
  const std::string& client() const noexcept { return client_; }

 private:
  void open();
  void send_initial();
  void send_change(const Change& change);
  void send_bookmark(bool end_of_initial);
  void send_event(std::string_view type, const Json& object, const Change* change = nullptr);
  void send(std::string text);
  void apply_fault(const std::string& line, const Change* change);
  void finish(Result<void> result);
  void flush();
  bool wants(const ObjectKey& key, const std::shared_ptr<const Json>& object) const;
  void check_time();
  TimePoint next_alarm() const;

  FakeApi& api_;
  std::string client_;
  ApiRequest request_;
  atq::kube::Call call_;
  Sink sink_;
  std::unique_ptr<ports::Clock::Timer> timer_;
  LabelSelector labels_;
  FieldSelector fields_;
  std::optional<StreamFault> fault_;
  std::optional<Result<void>> result_;
  std::string out_;  ///< decided, but not yet with the client: pieces go with the loop's turns
  uint64_t seen_ = 0;
  size_t next_change_ = 0;
  size_t events_ = 0;
  bool silent_ = false;
  bool woken_ = false;
  TimePoint end_, last_byte_, next_bookmark_;
};

}  // namespace atq::fakes::kube
