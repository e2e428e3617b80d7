#include "src/cli/commands.hpp"
#include "src/cli/completion.hpp"

namespace atq::cli {

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
      return run_run(command, console, make_session);
    case Verb::Validate:
      return run_validate(command, console);
    case Verb::Render:
      return run_render(command, console);
    case Verb::Get:
      return run_get(command, console);
    case Verb::Describe:
      return run_describe(command, console);
    case Verb::Logs:
      return run_logs(command, console);
    case Verb::Stop:
      return run_stop(command, console);
    case Verb::Rerun:
      return run_rerun(command, console);
    case Verb::Version:
      return run_version(command, console);
    case Verb::Completion:
      console.out << completion_script(command.shell, describe_commands()) << std::flush;
      return kDone;
  }
  return kInvalid;
}

}  // namespace atq::cli
