#include "src/cli/command_line.hpp"

#include <cstdlib>
#include <memory>

#include <CLI/CLI.hpp>

namespace atq::cli {
namespace {

constexpr int kUsage = 2;

class Formatter : public CLI::Formatter {
 public:
  std::string make_footer(const CLI::App* app) const override {
    const std::string footer = app->get_footer();
    return footer.empty() ? "" : footer + "\n";
  }
};

/// CLI11's app with the values it writes to. The values' addresses must not change.
struct Parser {
  CLI::App app{"Runs distributed load tests and talks to a director.", "atq"};
  Command command;
  std::string name_of_run;
  std::vector<std::string> parameters;
  std::string data = "./data";
  std::string run_data;

  Parser();
  CLI::App* add(Verb verb, const std::string& name, const std::string& what,
                const std::string& examples);
  void add_file_commands();
  void add_run();
  void add_queries();
  void add_requests();
  void add_data(CLI::App* sub);
  void add_name(CLI::App* sub, bool required);
};

Parser::Parser() {
  // Not CLI11's envname(): each command has the option, and those not given would overwrite it.
  const char* const environment = std::getenv("ATQ_DATA");
  if (environment != nullptr && *environment != '\0') {
    data = environment;
  }
  app.formatter(std::make_shared<Formatter>());
  app.require_subcommand(1);
  app.set_help_flag("-h,--help", "Show this help and exit");
  app.set_version_flag("--version", std::string("atq ") + ATQ_VERSION, "Show the version and exit");
  app.footer(
      "Exit codes of run: 0 Passed, 99 Failed, 98 NoData, 97 Error, 105 Aborted.\n"
      "Of all others: 0 done, 1 not done (the message says why), 2 usage or invalid input.\n"
      "`atq COMMAND --help` shows a command's options and examples.");
  app.fallthrough();
  app.add_option("--context", command.context,
                 "A cluster instead of a director on this machine: a context of the kubeconfig");
  app.add_option("--kubeconfig", command.kubeconfig,
                 "The kubeconfig, for its current context or --context; else $KUBECONFIG, "
                 "~/.kube/config")
      ->type_name("PATH");
  app.add_flag("-k,--kubernetes", command.kubernetes, "The cluster of the current context");
  add_run();
  add_file_commands();
  add_queries();
  add_requests();
  add(Verb::Version, "version", "Show the version of atq, and of the director if one runs",
      "  atq version");
  add_data(app.get_subcommand("version"));
  auto* const completion =
      add(Verb::Completion, "completion", "Print a completion script for a shell",
          "  source <(atq completion bash)\n"
          "  atq completion zsh > \"${fpath[1]}/_atq\"\n"
          "  atq completion fish > ~/.config/fish/completions/atq.fish");
  completion->add_option("SHELL", command.shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
}

CLI::App* Parser::add(Verb verb, const std::string& name, const std::string& what,
                      const std::string& examples) {
  auto* const sub = app.add_subcommand(name, what);
  sub->footer("Examples:\n" + examples);
  sub->callback([this, verb] { command.verb = verb; });
  return sub;
}

void Parser::add_data(CLI::App* sub) {
  sub->add_option("--data", data, "Folder of the running director (its --data); else $ATQ_DATA")
      ->type_name("DIR")
      ->capture_default_str();
}

void Parser::add_name(CLI::App* sub, bool required) {
  sub->add_option("NAME", command.name, "Name of the LoadTest, or NAMESPACE/NAME")
      ->required(required);
  sub->add_option("-n,--namespace", command.ns,
                  "Namespace of the LoadTest; else the context's, else default");
  add_data(sub);
}

void Parser::add_run() {
  auto* const sub =
      add(Verb::Run, "run", "Run a LoadTest from a file, in this process or on a cluster",
          "  atq run checkout.yaml\n"
          "  atq run checkout.yaml -p users=50 --replicas 5\n"
          "  atq run suite.yaml --name checkout -o json > result.json\n"
          "  atq run checkout.yaml --kubernetes\n"
          "  atq run checkout.yaml --context lab -n shop --keep\n"
          "With a cluster the LoadTest is applied there, followed, and deleted afterwards.\n"
          "Ctrl-C once stops the run gracefully, twice at once.");
  sub->add_option("FILE", command.files, "YAML or JSON file; - reads standard input")
      ->required()
      ->expected(1);
  sub->add_option("--name", name_of_run, "Which LoadTest, where the file has several");
  sub->add_option("-p,--parameter", parameters, "Set a parameter of the test; may be repeated")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  sub->add_option("--replicas", command.replicas, "Number of workers instead of the file's")
      ->check(CLI::Range(1, 1000));
  sub->add_option(
         "-o,--output", command.output,
         "json: print the finished LoadTest to standard output, progress to standard error")
      ->check(CLI::IsMember({"json", "yaml"}));
  sub->add_option("--data", run_data,
                  "Folder for state, logs and results; left out: a temporary one, which is removed "
                  "where the run passed")
      ->type_name("DIR");
  sub->add_flag("--keep", command.keep,
                "Keep the folder of the run also where it passed; on a cluster: keep the LoadTest");
  sub->add_option("-n,--namespace", command.ns,
                  "On a cluster: where to run; else the file's namespace, else the context's");
}

void Parser::add_file_commands() {
  auto* const validate =
      add(Verb::Validate, "validate", "Check files and folders, showing every problem",
          "  atq validate checkout.yaml loadtests/\n"
          "  kubectl get loadtest checkout -o yaml | atq validate -");
  validate->add_option("FILE", command.files, "Files, folders, or - for standard input")
      ->required();
  auto* const render =
      add(Verb::Render, "render", "Show a LoadTest with defaults and tool profile filled in",
          "  atq render checkout.yaml\n"
          "  atq render suite.yaml --name checkout -o json");
  render->add_option("FILE", command.files, "YAML or JSON file; - reads standard input")
      ->required()
      ->expected(1);
  render->add_option("--name", name_of_run, "Which LoadTest; left out: all of the file");
  render->add_option("-o,--output", command.output, "json or yaml (default)")
      ->check(CLI::IsMember({"json", "yaml"}));
}

void Parser::add_queries() {
  auto* const get = add(Verb::Get, "get", "List LoadTests, or show one",
                        "  atq get\n"
                        "  atq get -A -o wide\n"
                        "  atq get checkout -o yaml\n"
                        "  atq get --watch\n"
                        "  atq get --context lab -n shop");
  add_name(get, false);
  get->add_flag("-A,--all-namespaces", command.all_namespaces, "All namespaces");
  get->add_option("-o,--output", command.output, "json, yaml, name or wide")
      ->check(CLI::IsMember({"json", "yaml", "name", "wide"}));
  get->add_flag("-w,--watch", command.watch, "Go on and show each change");

  auto* const describe = add(Verb::Describe, "describe", "Tell everything about a LoadTest",
                             "  atq describe checkout\n"
                             "  atq describe shop/cart");
  add_name(describe, true);

  auto* const logs = add(Verb::Logs, "logs", "Show the output of a worker or of the master",
                         "  atq logs checkout\n"
                         "  atq logs checkout --worker 2 -f\n"
                         "  atq logs checkout --master --tail 50\n"
                         "  atq logs checkout -f --context lab");
  add_name(logs, true);
  auto* const worker = logs->add_option("--worker", command.worker, "Output of this worker, from 0")
                           ->check(CLI::Range(0, 999));
  logs->add_flag("--master", command.master, "Output of the master (default where there is one)")
      ->excludes(worker);
  logs->add_flag("-f,--follow", command.follow, "Go on until the replica has ended");
  logs->add_option("--tail", command.tail, "Only the last N lines")
      ->check(CLI::Range(int64_t{1}, int64_t{1'000'000}));
  logs->add_option("--run", command.run, "Of this run instead of the latest")
      ->check(CLI::Range(int64_t{1}, INT64_MAX));
}

void Parser::add_requests() {
  auto* const stop = add(Verb::Stop, "stop", "Stop the present run; its results are kept",
                         "  atq stop checkout\n"
                         "  atq stop checkout --now");
  add_name(stop, true);
  stop->add_flag("--now", command.now, "Kill at once instead of letting the tool end");
  add_name(add(Verb::Rerun, "rerun", "Ask for one more run", "  atq rerun checkout"), true);
}

/// Empty where all is well.
std::string take_parameters(const std::vector<std::string>& given, Command& command) {
  for (const std::string& parameter : given) {
    const size_t equals = parameter.find('=');
    if (equals == 0 || equals == std::string::npos) {
      return "--parameter: found \"" + parameter + "\", expected NAME=VALUE";
    }
    command.parameters[parameter.substr(0, equals)] = parameter.substr(equals + 1);
  }
  return {};
}

/// The same for "namespace/name".
std::string take_name(Command& command) {
  const size_t slash = command.name.find('/');
  if (slash != std::string::npos) {
    command.ns = command.name.substr(0, slash);
    command.name = command.name.substr(slash + 1);
    if (command.ns.empty() || command.name.empty() || command.name.find('/') != std::string::npos) {
      return "NAME: expected NAME or NAMESPACE/NAME";
    }
  }
  return {};
}

ParsedLine usage(const std::string& problem, const std::string& command) {
  return {.command = {},
          .exit_code = kUsage,
          .output = "atq: " + problem + "\nRun `atq " + (command.empty() ? "" : command + " ") +
                    "--help` for usage.\n"};
}

OptionInfo info_of(const CLI::Option& option) {
  OptionInfo known{.description = option.get_description(),
                   .takes_value = option.get_items_expected_max() > 0};
  for (const auto& name : option.get_snames()) {
    known.names.push_back("-" + name);
  }
  for (const auto& name : option.get_lnames()) {
    known.names.push_back("--" + name);
  }
  return known;
}

std::string chosen(const CLI::App& app) {
  const auto subs = app.get_subcommands();
  return subs.empty() ? "" : subs.front()->get_name();
}

}  // namespace

ParsedLine parse_command_line(const std::vector<std::string>& arguments) {
  Parser parser;
  try {
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
    parser.app.parse(reversed);
  } catch (const CLI::Success& success) {
    // CallForHelp, CallForVersion: the text comes from the subcommand that was asked.
    const auto subs = parser.app.get_subcommands();
    const bool version = success.get_name() == "CallForVersion";
    const std::string text = version        ? std::string(success.what()) + "\n"
                             : subs.empty() ? parser.app.help()
                                            : subs.front()->help("atq");
    return {.command = {}, .exit_code = 0, .output = text};
  } catch (const CLI::ParseError& error) {
    return usage(error.what(), chosen(parser.app));
  }
  Command& command = parser.command;
  for (const std::string& problem :
       {take_parameters(parser.parameters, command), take_name(command)}) {
    if (!problem.empty()) {
      return usage(problem, chosen(parser.app));
    }
  }
  command.data = command.verb == Verb::Run ? parser.run_data : parser.data;
  if (command.verb == Verb::Run || command.verb == Verb::Render) {
    command.name = parser.name_of_run;
  }
  return {.command = command, .exit_code = 0, .output = {}};
}

std::vector<CommandInfo> describe_commands() {
  Parser parser;
  std::vector<CommandInfo> out;
  for (const CLI::App* sub : parser.app.get_subcommands([](const CLI::App*) { return true; })) {
    CommandInfo info{
        .name = sub->get_name(), .description = sub->get_description(), .help = sub->help("atq")};
    for (const CLI::Option* option : sub->get_options()) {
      if (option->get_positional()) {
        const std::string name = option->get_name(true);
        info.operand = name == "FILE"    ? Operand::File
                       : name == "SHELL" ? Operand::Shell
                                         : Operand::TestName;
        continue;
      }
      info.options.push_back(info_of(*option));
    }
    // Whoever speaks to a director can speak to a cluster.
    for (const char* name : {"--context", "--kubeconfig", "--kubernetes"}) {
      if (sub->get_option_no_throw("--data") != nullptr) {
        info.options.push_back(info_of(*parser.app.get_option(name)));
      }
    }
    out.push_back(std::move(info));
  }
  return out;
}

}  // namespace atq::cli
