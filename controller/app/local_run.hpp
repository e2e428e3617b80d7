#pragma once
// `atq run`: a whole director in this process for one LoadTest, whose processes end with it.

#include "src/cli/run_session.hpp"

namespace atq::app {

/// Invalid: a file that the spec names is not there.
Result<std::unique_ptr<cli::RunSession>> make_local_run(boost::asio::io_context& loop,
                                                        cli::RunRequest request);

}  // namespace atq::app
