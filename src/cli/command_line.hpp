#pragma once
// The command line of `atq` as a value. CLI11 stands in the .cpp alone.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace atq::cli {

enum class Verb { Run, Validate, Render, Get, Describe, Logs, Stop, Rerun, Version, Completion };

struct Command {
  Verb verb = Verb::Version;
  std::string data;         ///< the director's folder; for run: "" = a temporary one
  bool kubernetes = false;  ///< the cluster of the current context
  std::string context;      ///< of the kubeconfig
  std::string kubeconfig;   ///< a path or colon list; "" = as kubectl finds it
  std::string ns;           ///< "" = not given: the context's, else "default"
  std::string name;         ///< may be "namespace/name", which overrides ns
  bool all_namespaces = false;
  std::vector<std::string> files;
  std::string output;  ///< "" = for people; json, yaml, name, wide
  bool watch = false;
  bool follow = false;
  bool now = false;
  bool keep = false;
  bool master = false;
  std::optional<int> worker;
  int64_t tail = 0;  ///< 0: all
  int64_t run = 0;   ///< logs of that run; 0: the latest
  std::map<std::string, std::string> parameters;
  std::optional<int> replicas;
  std::string shell;

  /// A cluster is meant, not a director on this machine.
  bool cluster() const { return kubernetes || !context.empty() || !kubeconfig.empty(); }
};

/// What main() does: the command, or (help, version, usage error) text and an exit code.
struct ParsedLine {
  std::optional<Command> command;
  int exit_code = 0;  ///< 2 for usage
  std::string output;
};
ParsedLine parse_command_line(const std::vector<std::string>& arguments);

/// The commands and their options, for completion scripts and for a test of the help.
struct OptionInfo {
  std::vector<std::string> names;  ///< "-n", "--namespace"
  std::string description;
  bool takes_value = false;
};
enum class Operand { None, File, TestName, Shell };
struct CommandInfo {
  std::string name;
  std::string description;
  std::string help;  ///< the whole text
  std::vector<OptionInfo> options;
  Operand operand = Operand::None;
};
std::vector<CommandInfo> describe_commands();

}  // namespace atq::cli
