#include <csignal>
#include <exception>
#include <iostream>

#include "src/cli/commands.hpp"

#ifdef ATQ_LOCAL_RUN
#include "controller/app/local_run.hpp"
#endif

namespace {

#ifdef ATQ_LOCAL_RUN
const atq::cli::RunSessionFactory kMakeSession = atq::app::make_local_run;
#else
const atq::cli::RunSessionFactory kMakeSession =
    [](boost::asio::io_context&,
       const atq::cli::RunRequest&) -> atq::Result<std::unique_ptr<atq::cli::RunSession>> {
  return atq::fail(atq::ErrorKind::Unavailable, "this atq was built without the engine");
};
#endif

}  // namespace

int main(int argc, char** argv) {
  // A reader that goes (`atq logs x | head`) is told by write errors.
  std::signal(SIGPIPE, SIG_IGN);
  try {
    atq::cli::Console console = atq::cli::make_console();
    return atq::cli::run_cli({argv + 1, argv + argc}, console, kMakeSession);
  } catch (const std::exception& error) {
    std::cerr << "atq: " << error.what() << "\n";
    return atq::cli::kNotDone;
  }
}
