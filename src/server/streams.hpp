#pragma once
// Internal to the server: answers that are sent while they come into being.

#include "controller/engine/operations.hpp"
#include "src/net/server.hpp"

namespace atq::server {

struct LogQuery {
  api::Key key;
  int64_t run = 0;
  ports::LogOptions options;
};
/// The output of one replica as text. With follow: until the replica has ended or the client goes.
net::Task<net::Response> stream_logs(engine::Operations& operations, LogQuery query,
                                     net::BodyWriter& writer);

struct WatchQuery {
  std::string ns;     ///< "" = all
  uint64_t from = 0;  ///< changes after this resource version
};
/// Changes as JSON lines, until the client goes or the changes are no longer kept.
net::Task<net::Response> stream_changes(engine::Operations& operations, WatchQuery query,
                                        net::BodyWriter& writer);

}  // namespace atq::server
