#pragma once
// Every call has a deadline. Asio here cannot cancel a coroutine from outside, so a call that is
// late is left to its task group and its answer is dropped.

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "controller/engine/task_group.hpp"
#include "controller/ports/clock.hpp"

namespace atq::engine {

namespace detail {

template <class T>
struct TimedCall {
  std::function<AsyncResult<T>()> call;  // owns the arguments as long as the call lasts
  std::unique_ptr<ports::Clock::Timer> timer;
  std::optional<Result<T>> result;
  std::exception_ptr thrown;
};

template <class T>
Task<void> run_timed(std::shared_ptr<TimedCall<T>> state) {
  try {
    Result<T> result = co_await state->call();
    state->result.emplace(std::move(result));
  } catch (...) {
    state->thrown = std::current_exception();
  }
  state->timer->cancel();
}

template <class T>
AsyncResult<T> await_timed(TaskGroup& group, ports::Clock& clock, Duration limit, std::string what,
                           std::shared_ptr<TimedCall<T>> state) {
  group.spawn(run_timed<T>(state));
  if (!state->result && !state->thrown) {
    const TimePoint until = clock.now() + limit;
    co_await state->timer->wait_until(until);
  }
  if (state->thrown) {
    std::rethrow_exception(state->thrown);
  }
  if (!state->result) {
    co_return fail(ErrorKind::Timeout, what + ": no answer within " + to_human(limit));
  }
  co_return std::move(*state->result);
}

}  // namespace detail

/// Runs call() and gives its result, or Timeout ("`what`: no answer within 30s") after `limit`.
/// What call() throws is thrown there. `call` must own (capture by value) whatever it passes by
/// reference, as it may go on after the time-out. Take the task into a local and await that: GCC 12
/// destroys a closure twice that is a temporary of the expression with the co_await.
template <class T>
AsyncResult<T> with_deadline(TaskGroup& group, ports::Clock& clock, Duration limit,
                             std::string what, std::function<AsyncResult<T>()> call) {
  auto state = std::make_shared<detail::TimedCall<T>>();
  state->call = std::move(call);
  state->timer = clock.make_timer();
  return detail::await_timed<T>(group, clock, limit, std::move(what), std::move(state));
}

}  // namespace atq::engine
