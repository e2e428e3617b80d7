#pragma once
// Blocking work off the event loop.

#include <type_traits>
#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace atq::proc {

namespace detail {
template <class Work>
boost::asio::awaitable<std::invoke_result_t<Work&>> run_work(Work* work) {
  co_return (*work)();
}
}  // namespace detail

/// Runs `work` on the pool and resumes where the caller was. Its result must be default
/// constructible (a Result<T> is). `work` and the pool must outlive the call: give a local, not a
/// temporary, which GCC 12 destroys twice in an awaiting expression.
template <class Work>
boost::asio::awaitable<std::invoke_result_t<Work&>> offload(boost::asio::thread_pool& pool,
                                                            Work& work) {
  return boost::asio::co_spawn(pool, detail::run_work(&work), boost::asio::use_awaitable);
}

}  // namespace atq::proc
