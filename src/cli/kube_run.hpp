#pragma once
// `atq run --kubernetes FILE`: the LoadTest is applied on a cluster, its director does the run, and
// the LoadTest is deleted afterwards. One that existed before is updated, run once more, and stays.

#include <chrono>
#include <memory>

#include "src/cli/command_line.hpp"
#include "src/cli/console.hpp"
#include "src/cli/run_session.hpp"
#include "src/kube/connection.hpp"

namespace atq::cli {

struct KubeRunOptions {
  std::string ns;  ///< of the command line; "" = the file's or the context's
  std::chrono::milliseconds patience{60'000};  ///< for a director to take the LoadTest, and for an
                                               ///< API server that is away to come back
};

/// Invalid where the spec names local files, which no cluster can see.
Result<std::unique_ptr<RunSession>> make_kube_run(boost::asio::io_context& loop,
                                                  kube::Connection connection, RunRequest request,
                                                  KubeRunOptions options = {});

/// Connects as the command says.
RunSessionFactory kube_session_factory(const Command& command, Console& console);

}  // namespace atq::cli
