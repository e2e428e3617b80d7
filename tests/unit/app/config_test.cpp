#include "controller/app/config.hpp"

#include <gtest/gtest.h>

namespace atq::app {
namespace {

TEST(Config, ReadsEveryKey) {
  const auto config = parse_config(R"(
store: directory:./tests
data: /var/lib/atq
listen: 127.0.0.1:8080
agent: /usr/bin/atq-agent
maxConcurrentReconciles: 7
log: {format: json, level: warn}
runtimes:
- {name: here, type: process, maxConcurrentRuns: 2}
- type: process
)");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->store_type, "directory");
  EXPECT_EQ(config->store_path, "./tests");
  EXPECT_EQ(config->data, "/var/lib/atq");
  EXPECT_EQ(config->listen, "127.0.0.1:8080");
  EXPECT_EQ(config->agent, "/usr/bin/atq-agent");
  EXPECT_EQ(config->max_concurrent_reconciles, 7);
  EXPECT_EQ(config->log_format, "json");
  EXPECT_EQ(config->log_level, "warn");
  ASSERT_EQ(config->runtimes.size(), 2U);
  EXPECT_EQ(config->runtimes[0], (RuntimeConfig{"here", "process", 2}));
  EXPECT_EQ(config->runtimes[1].name, "process");
  EXPECT_TRUE(check_config(*config));
}

TEST(Config, ReportsEveryProblemAtOnceWithItsPlace) {
  const auto config = parse_config(
      "stor: directory:x\nlog: {level: loud}\nmaxConcurrentReconciles: many\ndata: [1]\n");
  ASSERT_FALSE(config);
  const auto& message = config.error().message;
  EXPECT_NE(message.find("line 1, column 1: stor: unknown key, did you mean \"store\"?"),
            std::string::npos)
      << message;
  EXPECT_NE(message.find("log.level: found \"loud\", expected one of debug, info, warn, error"),
            std::string::npos);
  EXPECT_NE(
      message.find("maxConcurrentReconciles: found \"many\", expected an integer from 1 to 100"),
      std::string::npos);
  EXPECT_NE(message.find("data: found no text"), std::string::npos);
}

TEST(Config, RefusesHostileText) {
  EXPECT_FALSE(parse_config(std::string(300 * 1024, 'x')));
  EXPECT_FALSE(parse_config(std::string(10'000, '[')));
  EXPECT_FALSE(parse_config("data: \xff"));
  EXPECT_FALSE(parse_config("- a\n- b\n"));
  EXPECT_FALSE(parse_config("data: a\ndata: b\n"));
  EXPECT_TRUE(parse_config("")) << "an empty file changes nothing";
}

TEST(Config, RefusesWhatCannotWorkTogether) {
  Config config;
  EXPECT_FALSE(check_config(config)) << "no store";
  ASSERT_TRUE(set_store(config, "directory:./x"));
  EXPECT_FALSE(check_config(config)) << "no runtime";
  ASSERT_TRUE(add_runtime(config, "a=process"));
  EXPECT_TRUE(check_config(config));
  ASSERT_TRUE(add_runtime(config, "a=process"));
  EXPECT_FALSE(check_config(config)) << "one name twice";
  EXPECT_FALSE(set_store(config, "directory"));
  EXPECT_FALSE(add_runtime(config, "=process"));
}

TEST(Config, WhatIsRefusedChangesNothing) {
  Config config;
  ASSERT_TRUE(set_store(config, "directory:./x"));
  ASSERT_TRUE(add_runtime(config, "process"));
  const Config before = config;
  for (const char* text : {"directory", "directory:", "", ":./y"}) {
    EXPECT_FALSE(set_store(config, text)) << text;
    EXPECT_EQ(config, before) << text;
  }
  for (const char* text : {"", "=process", "here="}) {
    EXPECT_FALSE(add_runtime(config, text)) << text;
    EXPECT_EQ(config, before) << text;
  }
  EXPECT_FALSE(parse_config("data: /elsewhere\nstore: directory\n", config));
  EXPECT_EQ(config, before);
}

TEST(CommandLine, KeepsToItsExitCodes) {
  const auto parse = [](std::vector<const char*> args) {
    args.insert(args.begin(), "atq-director");
    return parse_command_line(static_cast<int>(args.size()), args.data());
  };
  EXPECT_EQ(parse({"--help"}).exit_code, 0);
  EXPECT_NE(parse({"--help"}).output.find("Examples:"), std::string::npos);
  EXPECT_EQ(parse({"--version"}).output, "atq-director " ATQ_VERSION "\n");
  EXPECT_EQ(parse({}).exit_code, 2);
  EXPECT_EQ(parse({"--nonsense"}).exit_code, 2);
  EXPECT_EQ(parse({"--config", "/does/not/exist"}).exit_code, 2);
  const auto good =
      parse({"--store", "directory:./x", "--runtime", "process", "--max-concurrent-runs", "9"});
  ASSERT_EQ(good.kind, CommandLine::Kind::Run);
  EXPECT_EQ(good.config.runtimes.at(0).max_concurrent_runs, 9);
}

}  // namespace
}  // namespace atq::app
