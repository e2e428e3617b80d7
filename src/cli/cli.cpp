#include "src/cli/commands.hpp"
#include "src/cli/completion.hpp"
#include "src/cli/kube_run.hpp"
#include "src/cli/open_client.hpp"

namespace atq::cli {
namespace {

int with_client(int (*verb)(ApiClient&, const Command&, Console&), Command command,
                Console& console) {
  const auto opened = open_client(command, console);
  if (!opened) {
    console.err << "atq: " << opened.error().message << "\n";
    return kNotDone;
  }
  if (command.ns.empty()) {
    command.ns = opened->ns;
  }
  return verb(*opened->client, command, console);
}

}  // namespace

int run_cli(const std::vector<std::string>& arguments, Console& console,
            const RunSessionFactory& make_session) {
  const ParsedLine line = parse_command_line(arguments);
  if (!line.command) {
    (line.exit_code == 0 ? console.out : console.err) << line.output << std::flush;
    return line.exit_code;
  }
  const Command& command = *line.command;
  switch (command.verb) {
    case Verb::Run:
      return run_run(command, console,
                     command.cluster() ? kube_session_factory(command, console) : make_session);
    case Verb::Validate:
      return run_validate(command, console);
    case Verb::Render:
      return run_render(command, console);
    case Verb::Get:
      return with_client(run_get, command, console);
    case Verb::Describe:
      return with_client(run_describe, command, console);
    case Verb::Logs:
      return with_client(run_logs, command, console);
    case Verb::Stop:
      return with_client(run_stop, command, console);
    case Verb::Rerun:
      return with_client(run_rerun, command, console);
    case Verb::Version:
      return with_client(run_version, command, console);
    case Verb::Completion:
      console.out << completion_script(command.shell, describe_commands()) << std::flush;
      return kDone;
  }
  return kInvalid;
}

}  // namespace atq::cli
