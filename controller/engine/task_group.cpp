#include "controller/engine/task_group.hpp"

#include <boost/asio/co_spawn.hpp>

#include "controller/engine/async_event.hpp"

namespace atq::engine {

struct TaskGroup::State {
  State(boost::asio::io_context& context, OnError handler)
      : io(context), on_error(std::move(handler)), emptied(context) {}
  boost::asio::io_context& io;
  OnError on_error;
  AsyncEvent emptied;
  size_t running = 0;
};

TaskGroup::TaskGroup(boost::asio::io_context& io, OnError on_error)
    : state_(std::make_shared<State>(io, std::move(on_error))) {}

TaskGroup::~TaskGroup() = default;

void TaskGroup::spawn(Task<void> task) {
  ++state_->running;
  // The handler shares the state, as it may run when the group has gone.
  boost::asio::co_spawn(state_->io, std::move(task), [state = state_](std::exception_ptr thrown) {
    if (thrown) {
      state->on_error(thrown);
    }
    if (--state->running == 0) {
      state->emptied.notify_all();
    }
  });
}

Task<void> TaskGroup::join() {
  const auto state = state_;
  while (state->running > 0) {
    co_await state->emptied.wait();
  }
}

size_t TaskGroup::size() const noexcept { return state_->running; }

boost::asio::io_context& TaskGroup::io() noexcept { return state_->io; }

}  // namespace atq::engine
