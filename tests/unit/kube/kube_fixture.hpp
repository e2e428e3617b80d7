#pragma once
// A fake API server in virtual time with one connection to it.

#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include "tests/fakes/kube/fake_api.hpp"
#include "tests/fakes/virtual_clock.hpp"

namespace atq::kube {

class KubeTest : public ::testing::Test {
 protected:
  /// To the task's end, in at most an hour of virtual time.
  template <class T>
  T run(Task<T> task) {
    std::optional<T> result;
    auto done = [&result](const std::exception_ptr& thrown, T value) {
      if (thrown) {
        std::rethrow_exception(thrown);
      }
      result = std::move(value);
    };
    boost::asio::co_spawn(io, std::move(task), std::move(done));
    clock.advance_until([&result] { return result.has_value(); }, std::chrono::hours{1});
    if (!result) {
      throw std::logic_error("the task has not ended within an hour");
    }
    return std::move(*result);
  }

  boost::asio::io_context io;
  fakes::VirtualClock clock{io};
  fakes::kube::FakeApi api{io, clock};
  std::unique_ptr<Client> client = api.connect();
};

}  // namespace atq::kube
