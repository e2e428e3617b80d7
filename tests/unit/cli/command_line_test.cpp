#include "src/cli/command_line.hpp"

#include <cstdio>

#include "src/cli/completion.hpp"
#include "tests/unit/cli/cli_fixture.hpp"

namespace atq::cli {
namespace {

TEST(CommandLine, ReadsRun) {
  const auto line = parse_command_line({"run", "a.yaml", "-p", "users=5", "-p", "x=a=b",
                                        "--replicas", "4", "-o", "json", "--keep", "--name", "b"});
  ASSERT_TRUE(line.command) << line.output;
  const Command& command = *line.command;
  EXPECT_EQ(command.verb, Verb::Run);
  EXPECT_EQ(command.files, std::vector<std::string>{"a.yaml"});
  EXPECT_EQ(command.parameters, (std::map<std::string, std::string>{{"users", "5"}, {"x", "a=b"}}));
  EXPECT_EQ(command.replicas, 4);
  EXPECT_EQ(command.name, "b");
  EXPECT_TRUE(command.keep);
  EXPECT_EQ(command.data, "");
}

TEST(CommandLine, AParameterDoesNotSwallowTheFile) {
  const auto line = parse_command_line({"run", "-p", "users=5", "a.yaml"});
  ASSERT_TRUE(line.command) << line.output;
  EXPECT_EQ(line.command->files, std::vector<std::string>{"a.yaml"});
}

TEST(CommandLine, ReadsNamesWithNamespaces) {
  const auto line = parse_command_line({"logs", "shop/cart", "--worker", "2", "-f", "--tail", "9"});
  ASSERT_TRUE(line.command) << line.output;
  EXPECT_EQ(line.command->ns, "shop");
  EXPECT_EQ(line.command->name, "cart");
  EXPECT_EQ(line.command->worker, 2);
  EXPECT_TRUE(line.command->follow);
  EXPECT_EQ(line.command->tail, 9);
}

TEST(CommandLine, TakesDataFromTheEnvironment) {
  ::setenv("ATQ_DATA", "/x", 1);
  const auto from_environment = parse_command_line({"get"});
  const auto given = parse_command_line({"get", "--data", "/y"});
  ::unsetenv("ATQ_DATA");
  EXPECT_EQ(from_environment.command->data, "/x");
  EXPECT_EQ(given.command->data, "/y");
  EXPECT_EQ(parse_command_line({"get"}).command->data, "./data");
}

TEST(CommandLine, RefusesWhatItDoesNotKnow) {
  const std::vector<std::vector<std::string>> cases{
      {},
      {"walk"},
      {"get", "--bad"},
      {"get", "a", "b"},
      {"get", "a/b/c"},
      {"get", "/b"},
      {"get", "-o", "xml"},
      {"run"},
      {"run", "a", "b"},
      {"run", "a", "-p", "novalue"},
      {"run", "a", "-p", "=x"},
      {"run", "a", "--replicas", "0"},
      {"run", "a", "--replicas", "x"},
      {"logs"},
      {"logs", "a", "--worker", "1", "--master"},
      {"logs", "a", "--worker", "-1"},
      {"logs", "a", "--tail", "0"},
      {"completion", "csh"},
      {"validate"},
  };
  for (const auto& arguments : cases) {
    const auto line = parse_command_line(arguments);
    EXPECT_FALSE(line.command) << testing::PrintToString(arguments);
    EXPECT_EQ(line.exit_code, 2) << testing::PrintToString(arguments);
    EXPECT_NE(line.output.find("--help"), std::string::npos) << line.output;
  }
}

TEST(CommandLine, HelpHasExamplesForEachCommand) {
  EXPECT_EQ(parse_command_line({"--help"}).exit_code, 0);
  EXPECT_NE(parse_command_line({"--version"}).output.find(ATQ_VERSION), std::string::npos);
  const auto commands = describe_commands();
  EXPECT_EQ(commands.size(), 10U);
  for (const auto& command : commands) {
    const auto line = parse_command_line({command.name, "--help"});
    EXPECT_EQ(line.exit_code, 0);
    EXPECT_EQ(line.output, command.help);
    EXPECT_NE(line.output.find("Examples:\n  "), std::string::npos) << line.output;
    EXPECT_NE(line.output.find("Usage: atq " + command.name), std::string::npos) << line.output;
  }
}

/// Gives `script` to `shell` to check its syntax; true where the shell is not installed.
bool parses(const std::string& shell, const std::string& script) {
  if (std::system(("command -v " + shell + " >/dev/null").c_str()) != 0) {
    return true;
  }
  std::FILE* const stream = ::popen((shell + " -n /dev/stdin").c_str(), "w");
  std::fwrite(script.data(), 1, script.size(), stream);
  return ::pclose(stream) == 0;
}

TEST(Completion, ScriptsParseAndKnowEveryCommandAndOption) {
  const auto commands = describe_commands();
  for (const std::string shell : {"bash", "zsh", "fish"}) {
    const std::string script = completion_script(shell, commands);
    EXPECT_TRUE(parses(shell, script)) << shell;
    for (const auto& command : commands) {
      EXPECT_NE(script.find(command.name), std::string::npos);
      for (const auto& option : command.options) {
        const std::string name = option.names.back();
        EXPECT_NE(script.find(shell == "fish" ? "-l " + name.substr(2) : name), std::string::npos)
            << shell << " " << name;
      }
    }
  }
}

TEST(Completion, BashCompletesCommandsOptionsAndNames) {
  const std::string script = completion_script("bash", describe_commands()) + R"sh(
atq() { printf '%s\n' default/checkout team/night; }
complete_line() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _atq; echo "${COMPREPLY[*]}"; }
[ "$(complete_line atq re)" = "render rerun" ] || exit 11
[ "$(complete_line atq logs --f)" = "--follow" ] || exit 12
[ "$(complete_line atq stop '')" = "checkout team/night" ] || exit 13
[ "$(complete_line atq completion z)" = "zsh" ] || exit 14
)sh";
  std::FILE* const stream = ::popen("bash", "w");
  std::fwrite(script.data(), 1, script.size(), stream);
  EXPECT_EQ(WEXITSTATUS(::pclose(stream)), 0);
}

TEST(Cli, PrintsHelpToOutAndUsageToErr) {
  const auto help = test::atq({"--help"});
  EXPECT_EQ(help.code, 0);
  EXPECT_NE(help.out.find("completion"), std::string::npos);
  EXPECT_EQ(help.err, "");
  const auto wrong = test::atq({"walk"});
  EXPECT_EQ(wrong.code, 2);
  EXPECT_EQ(wrong.out, "");
}

}  // namespace
}  // namespace atq::cli
