#pragma once
// Awaits one call from code that blocks.

#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "src/net/task.hpp"

namespace atq::cli {

/// Turns `loop` until the task has ended; what else waits on it goes on at the next call.
template <class T>
Result<T> block_on(boost::asio::io_context& loop, net::Task<Result<T>> task) {
  Result<T> out = fail(ErrorKind::Internal, "the call has not ended");
  boost::asio::co_spawn(loop, std::move(task),
                        [&](const std::exception_ptr& thrown, Result<T> result) {
                          if (!thrown) {
                            out = std::move(result);
                          }
                          loop.stop();
                        });
  loop.restart();
  loop.run();
  return out;
}

}  // namespace atq::cli
