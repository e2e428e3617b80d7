#include "src/cli/completion.hpp"

#include "src/base/text.hpp"

namespace atq::cli {
namespace {

/// As they are typed: those of the default namespace without it. Quoted, as ^ is a pattern in zsh.
constexpr std::string_view kNames = "atq get -A -o name 2>/dev/null | sed 's,^default/,,'";

std::string all_names(const std::vector<CommandInfo>& commands) {
  std::vector<std::string> names;
  for (const auto& command : commands) {
    names.push_back(command.name);
  }
  return join(names, " ");
}

/// For a string in single quotes, in all three shells.
std::string quoted(std::string_view text) {
  std::string out = "'";
  for (const char sign : text) {
    if (sign == '\'') {
      out += "'\\''";
    } else {
      out += sign;
    }
  }
  return out + "'";
}

std::string bash(const std::vector<CommandInfo>& commands) {
  std::string out =
      "# bash completion of atq: source <(atq completion bash)\n"
      "_atq() {\n"
      "  local word=\"${COMP_WORDS[COMP_CWORD]}\" options=\"\" operand=\"\"\n"
      "  COMPREPLY=()\n"
      "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
      "    COMPREPLY=($(compgen -W \"" +
      all_names(commands) +
      " --help --version\" -- \"$word\"))\n"
      "    return\n"
      "  fi\n"
      "  case \"${COMP_WORDS[1]}\" in\n";
  for (const auto& command : commands) {
    std::vector<std::string> options;
    for (const auto& option : command.options) {
      options.insert(options.end(), option.names.begin(), option.names.end());
    }
    std::string operand;
    switch (command.operand) {
      case Operand::File:
        operand = "local IFS=$'\\n'; COMPREPLY=($(compgen -f -- \"$word\"))";
        break;
      case Operand::TestName:
        operand = "COMPREPLY=($(compgen -W \"$(" + std::string(kNames) + ")\" -- \"$word\"))";
        break;
      case Operand::Shell:
        operand = "COMPREPLY=($(compgen -W \"bash zsh fish\" -- \"$word\"))";
        break;
      case Operand::None:
        operand = ":";
        break;
    }
    out += "    " + command.name +
           ")\n      if [[ \"$word\" == -* ]]; then COMPREPLY=($(compgen -W \"" +
           join(options, " ") + "\" -- \"$word\")); else " + operand + "; fi ;;\n";
  }
  return out + "  esac\n}\ncomplete -o filenames -o bashdefault -F _atq atq\n";
}

std::string zsh_escape(std::string_view text) {
  std::string out;
  for (const char sign : text) {
    if (sign == ':' || sign == '[' || sign == ']') {
      out += '\\';
    }
    out += sign;
  }
  return out;
}

std::string zsh(const std::vector<CommandInfo>& commands) {
  std::string out =
      "#compdef atq\n"
      "# zsh completion of atq: atq completion zsh > \"${fpath[1]}/_atq\"\n"
      "_atq_tests() {\n  local -a tests\n  tests=(${(f)\"$(" +
      std::string(kNames) +
      ")\"})\n  compadd -a tests\n}\n"
      "_atq() {\n  local -a commands\n  commands=(\n";
  for (const auto& command : commands) {
    out += "    " + quoted(command.name + ":" + zsh_escape(command.description)) + "\n";
  }
  out +=
      "  )\n  if (( CURRENT == 2 )); then\n    _describe command commands\n    return\n  fi\n"
      "  local command=${words[2]}\n  shift words\n  (( CURRENT-- ))\n  case $command in\n";
  for (const auto& command : commands) {
    out += "    " + command.name + ")\n      _arguments";
    for (const auto& option : command.options) {
      for (const auto& name : option.names) {
        out += " \\\n        " + quoted(name + "[" + zsh_escape(option.description) + "]" +
                                        (option.takes_value ? ":value:_files" : ""));
      }
    }
    switch (command.operand) {
      case Operand::File:
        out += " \\\n        '*:file:_files'";
        break;
      case Operand::TestName:
        out += " \\\n        '1:name:_atq_tests'";
        break;
      case Operand::Shell:
        out += " \\\n        '1:shell:(bash zsh fish)'";
        break;
      case Operand::None:
        break;
    }
    out += "\n      ;;\n";
  }
  return out +
         "  esac\n}\nif [ \"$funcstack[1]\" = \"_atq\" ]; then\n  _atq \"$@\"\nelse\n  compdef "
         "_atq atq\nfi\n";
}

std::string fish(const std::vector<CommandInfo>& commands) {
  std::string out =
      "# fish completion of atq: atq completion fish > ~/.config/fish/completions/atq.fish\n"
      "complete -c atq -f\n";
  for (const auto& command : commands) {
    out += "complete -c atq -n __fish_use_subcommand -a " + command.name + " -d " +
           quoted(command.description) + "\n";
    const std::string when =
        "complete -c atq -n " + quoted("__fish_seen_subcommand_from " + command.name);
    for (const auto& option : command.options) {
      out += when;
      for (const auto& name : option.names) {
        out += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      }
      out +=
          std::string(option.takes_value ? " -r" : "") + " -d " + quoted(option.description) + "\n";
    }
    switch (command.operand) {
      case Operand::File:
        out += when + " -F\n";
        break;
      case Operand::TestName:
        out += when + " -a " + quoted("(" + std::string(kNames) + ")") + "\n";
        break;
      case Operand::Shell:
        out += when + " -a 'bash zsh fish'\n";
        break;
      case Operand::None:
        break;
    }
  }
  return out;
}

}  // namespace

std::string completion_script(std::string_view shell, const std::vector<CommandInfo>& commands) {
  if (shell == "zsh") {
    return zsh(commands);
  }
  return shell == "fish" ? fish(commands) : bash(commands);
}

}  // namespace atq::cli
