#pragma once
// Replicas and checks in words, for the messages of a status.

#include <functional>
#include <string>

#include "controller/core/world.hpp"

namespace atq::core {

/// "exited 1 after 400ms: ModuleNotFoundError: …", "killed by signal 9 after 3.2s".
std::string describe(const Exit& exit);

/// What keeps it from being ready: "tcp 1099 refused (3 tries)", "starting", "exited 1 after …".
std::string describe_state(const Replica& replica);

/// "worker 0: …, worker 2: …, worker 3: … and 4 more": at most three are named.
class WorkerList {
 public:
  void add(int index, const std::function<std::string()>& what);
  int count() const { return count_; }
  std::string take();

 private:
  std::string text_;
  int count_ = 0;
};

/// "1 worker", "3 workers"
std::string count_of(int64_t count, std::string_view noun);

}  // namespace atq::core
