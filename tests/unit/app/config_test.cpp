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

TEST(Config, ReadsWhatConcernsACluster) {
  const auto config = parse_config(R"(
store: kubernetes
runtimes: [{type: kubernetes, maxConcurrentRuns: 16}]
kubernetes:
  kubeconfig: /root/.kube/config
  context: lab
  namespaces: [shop, team-a]
  leaseNamespace: atq-system
  leaseName: atq
  agentImage: atq.dev/director:1
  imagePullPolicy: Never
  queriesPerSecond: 50
)");
  ASSERT_TRUE(config) << config.error().message;
  const KubernetesConfig expected{.kubeconfig = "/root/.kube/config",
                                  .context = "lab",
                                  .namespaces = {"shop", "team-a"},
                                  .lease_namespace = "atq-system",
                                  .lease_name = "atq",
                                  .agent_image = "atq.dev/director:1",
                                  .image_pull_policy = "Never",
                                  .queries_per_second = 50};
  EXPECT_EQ(config->kubernetes, expected);
  EXPECT_TRUE(check_config(*config));
  for (const char* wrong :
       {"kubernetes: {namespace: a}", "kubernetes: {namespaces: a}",
        "kubernetes: {namespaces: [[a]]}", "kubernetes: {queriesPerSecond: -1}",
        "kubernetes: {imagePullPolicy: Sometimes}", "kubernetes: [a]", "store: kubernetes:x"}) {
    EXPECT_FALSE(parse_config(wrong)) << wrong;
  }
  EXPECT_NE(parse_config("kubernetes: {agentimage: x}").error().message.find("agentImage"),
            std::string::npos);
}

TEST(Config, RefusesAClusterItCannotUse) {
  Config good;
  ASSERT_TRUE(set_store(good, "kubernetes"));
  ASSERT_TRUE(add_runtime(good, "kubernetes"));
  EXPECT_FALSE(check_config(good)) << "pods need the agent's image";
  good.kubernetes.agent_image = "atq.dev/director:1";
  EXPECT_TRUE(check_config(good));
  for (const char* name : {"", "A", "-a", "a-", "a.b", "a/b"}) {
    Config config = good;
    config.kubernetes.namespaces = {name};
    EXPECT_FALSE(check_config(config)) << name;
    config = good;
    config.kubernetes.lease_name = name;
    EXPECT_FALSE(check_config(config)) << name;
  }
}

TEST(Config, OnlyAStoreOfFilesHasAFolderUnasked) {
  Config config;
  ASSERT_TRUE(set_store(config, "directory:./x"));
  fill_in(config);
  EXPECT_EQ(config.data, "./data");
  Config cluster;
  ASSERT_TRUE(set_store(cluster, "kubernetes"));
  fill_in(cluster);
  EXPECT_EQ(cluster.data, "") << "a read-only root file system is enough";
  cluster.data = "/data";
  fill_in(cluster);
  EXPECT_EQ(cluster.data, "/data");
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
  EXPECT_EQ(good.config.data, "./data");
  const auto cluster =
      parse({"--store", "kubernetes", "--runtime", "kubernetes", "--agent-image", "x", "--context",
             "lab", "--kubeconfig", "/k", "--namespace", "a", "--namespace", "b"});
  ASSERT_EQ(cluster.kind, CommandLine::Kind::Run) << cluster.output;
  EXPECT_EQ(cluster.config.kubernetes.namespaces, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(cluster.config.kubernetes.context, "lab");
  EXPECT_EQ(cluster.config.kubernetes.kubeconfig, "/k");
  EXPECT_EQ(cluster.config.data, "");
}

}  // namespace
}  // namespace atq::app
