#include "src/net/client.hpp"

#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "src/net/http_client.hpp"

namespace atq::net {

Task<Result<Answer>> stream(Endpoint endpoint, Request request, BodySink sink,
                            ClientOptions options) {
  const auto executor = co_await boost::asio::this_coro::executor;
  HttpClient client(executor, std::move(endpoint));
  auto answer = co_await client.stream(std::move(request), std::move(sink), options);
  co_return answer;
}

Task<Result<Answer>> fetch(Endpoint endpoint, Request request, ClientOptions options) {
  BodySink whole;
  auto answer = co_await stream(std::move(endpoint), std::move(request), std::move(whole), options);
  co_return answer;
}

}  // namespace atq::net
