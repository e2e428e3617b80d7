#include "src/agent/event_loop.hpp"

#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <gtest/gtest.h>

namespace atq::agent {
namespace {

using namespace std::chrono_literals;

struct Pipe {
  Pipe() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    in.reset(ends[0]);
    out.reset(ends[1]);
  }
  void write() const { EXPECT_EQ(::write(out.get(), "x", 1), 1); }
  UniqueFd in, out;
};

TEST(EventLoop, TimersFireInTheirOrder) {
  EventLoop loop;
  std::string order;
  loop.after(4ms, [&] {
    order += "c";
    loop.stop();
  });
  loop.after(2ms, [&] { order += "b"; });
  loop.after(0ms, [&] { order += "a"; });
  const auto canceled = loop.after(1ms, [&] { order += "x"; });
  loop.cancel(canceled);
  loop.run();
  EXPECT_EQ(order, "abc");
}

TEST(EventLoop, ATimerOfNoDelayMadeByATimerWaitsForTheNextRound) {
  EventLoop loop;
  Pipe pipe;
  pipe.write();
  bool seen = false;
  // Timers that beget timers must not starve the descriptors.
  std::function<void()> again = [&] { loop.after(0ms, again); };
  again();
  loop.watch(pipe.in.get(), EPOLLIN, [&](uint32_t) {
    seen = true;
    loop.stop();
  });
  loop.run();
  EXPECT_TRUE(seen);
}

TEST(EventLoop, AWatchCanRemoveItselfAndOthers) {
  EventLoop loop;
  Pipe first, second;
  first.write();
  second.write();
  int calls = 0;
  const auto remove_both = [&](uint32_t) {
    ++calls;
    loop.unwatch(first.in.get());
    loop.unwatch(second.in.get());
  };
  loop.watch(first.in.get(), EPOLLIN, remove_both);
  loop.watch(second.in.get(), EPOLLIN, remove_both);
  loop.after(5ms, [&] { loop.stop(); });
  loop.run();
  EXPECT_EQ(calls, 1);
}

TEST(EventLoop, ALateEventIsNotGivenToTheDescriptorsSuccessor) {
  EventLoop loop;
  Pipe first, second;
  first.write();
  second.write();
  bool wrong = false;
  const Pipe empty;
  const auto replace_other = [&](Pipe& other) {
    return [&](uint32_t) {
      // The other's event has been fetched already; its number now belongs to an empty pipe.
      loop.unwatch(first.in.get());
      loop.unwatch(second.in.get());
      ::dup2(empty.in.get(), other.in.get());
      loop.watch(other.in.get(), EPOLLIN, [&](uint32_t) { wrong = true; });
      loop.after(2ms, [&] { loop.stop(); });
    };
  };
  loop.watch(first.in.get(), EPOLLIN, replace_other(second));
  loop.watch(second.in.get(), EPOLLIN, replace_other(first));
  loop.run();
  EXPECT_FALSE(wrong);
}

}  // namespace
}  // namespace atq::agent
