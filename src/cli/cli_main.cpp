#include <csignal>
#include <exception>
#include <iostream>

#include "controller/app/local_run.hpp"
#include "src/cli/commands.hpp"

int main(int argc, char** argv) {
  // A reader that goes (`atq logs x | head`) is told by write errors.
  std::signal(SIGPIPE, SIG_IGN);
  try {
    atq::cli::Console console = atq::cli::make_console();
    return atq::cli::run_cli({argv + 1, argv + argc}, console, atq::app::make_local_run);
  } catch (const std::exception& error) {
    std::cerr << "atq: " << error.what() << "\n";
    return atq::cli::kNotDone;
  }
}
