#pragma once
// The coroutine type of every port. All engine state lives on one io_context thread; a port's
// implementation may use threads inside, but starts and ends on that thread.

#include <utility>

#include <boost/asio/awaitable.hpp>

#include "src/base/error.hpp"

namespace atq {

template <class T>
using Task = boost::asio::awaitable<T>;

/// A Task with an error as a value.
template <class T>
using AsyncResult = Task<Result<T>>;

}  // namespace atq
