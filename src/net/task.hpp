#pragma once
// The coroutine type of this layer: Asio's, the same type as the ports' atq::Task.

#include <utility>

#include <boost/asio/awaitable.hpp>

#include "src/base/error.hpp"

namespace atq::net {

template <class T>
using Task = boost::asio::awaitable<T>;

}  // namespace atq::net
