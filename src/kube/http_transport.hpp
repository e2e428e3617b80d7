#pragma once
// The real Client: net::HttpClient with credentials, retries where the server asks for them, a rate
// limit and a hook for metrics. connection.hpp makes one.

#include <memory>

#include "src/kube/connection.hpp"

namespace atq::kube {

std::unique_ptr<Client> make_http_transport(boost::asio::any_io_executor executor, ServerUrl server,
                                            std::unique_ptr<Credentials> credentials,
                                            ConnectionOptions options);

}  // namespace atq::kube
