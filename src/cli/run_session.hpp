#pragma once
// The seam between `atq run`, which shows a run, and the director in process that does it
// (controller/app). Everything on the loop's thread.

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "controller/api/types.hpp"
#include "controller/core/world.hpp"
#include "controller/ports/task.hpp"

namespace atq::cli {

struct RunRequest {
  api::LoadTest test;            ///< valid, overrides applied
  std::filesystem::path folder;  ///< what the spec's `path` files are relative to
  std::filesystem::path data;  ///< where state, logs and results go; "" = a fresh temporary folder
  bool keep = false;           ///< keep the folder of the run even where the run passed
};

/// A replica that did not end well, for the report of a failed run.
struct FailedReplica {
  core::Role role = core::Role::Worker;
  int index = 0;
  std::string how;                      ///< "exited 1 after 0.4s"
  std::vector<std::string> last_lines;  ///< of its log, oldest first
};

struct RunOutcome {
  api::LoadTest test;  ///< finished
  std::vector<FailedReplica> failed;
  std::filesystem::path folder;  ///< of the run's logs and results; "" = removed
};

class RunSession {
 public:
  virtual ~RunSession() = default;
  /// Does the run; returns when it has finished and everything has been tidied up. `on_status` gets
  /// the object at each change of its status. Errors: the run could not even begin.
  virtual AsyncResult<RunOutcome> run(std::function<void(const api::LoadTest&)> on_status) = 0;
  /// May be called at any time during run(), also again; `now` overtakes a graceful stop.
  virtual void request_stop(bool now) = 0;
};

/// The loop outlives the session.
using RunSessionFactory = std::function<Result<std::unique_ptr<RunSession>>(
    boost::asio::io_context& loop, RunRequest request)>;

}  // namespace atq::cli
