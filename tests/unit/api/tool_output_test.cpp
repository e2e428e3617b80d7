// The built-in profiles' patterns over what the tools really printed (tests/data/tools:
// Locust 2.47, JMeter 5.6.3).

#include <fstream>

#include <gtest/gtest.h>
#include <re2/re2.h>

#include "controller/api/profile.hpp"
#include "src/base/text.hpp"

namespace atq::api {
namespace {

std::vector<std::string> lines_of(const std::string& file) {
  std::ifstream in(ATQ_SOURCE_DIR "/tests/data/tools/" + file);
  EXPECT_TRUE(in) << file;
  return split(std::string{std::istreambuf_iterator<char>(in), {}}, '\n');
}

/// "requests failures rps" of the last line that matches; "" for none.
std::string statement_of(const std::string& tool, const std::string& file) {
  const RE2 pattern(builtin_profiles().at(tool).closing.pattern);
  EXPECT_TRUE(pattern.ok()) << pattern.error();
  const auto& groups = pattern.NamedCapturingGroups();
  std::string out;
  for (const std::string& line : lines_of(tool + "/" + file)) {
    std::array<std::string, 3> values;
    std::array<RE2::Arg, 3> args = {&values[0], &values[1], &values[2]};
    const std::array<const RE2::Arg*, 3> pointers = {args.data(), &args[1], &args[2]};
    if (!RE2::PartialMatchN(line, pattern, pointers.data(), 3)) continue;
    const auto group = [&](const char* name) {
      return values[static_cast<size_t>(groups.at(name)) - 1];
    };
    out = group("requests") + " " + group("failures") + " " + group("rps");
  }
  return out;
}

/// The first diagnosis in the profile's order that fits a line.
std::string diagnosis_of(const std::vector<Diagnosis>& diagnoses, const std::string& file) {
  for (const Diagnosis& diagnosis : diagnoses) {
    const RE2 pattern(diagnosis.pattern);
    for (const std::string& line : lines_of(file)) {
      std::string message;
      if (RE2::PartialMatch(line, pattern) &&
          RE2::Extract(line, pattern, diagnosis.message, &message)) {
        return message;
      }
    }
  }
  return "";
}

TEST(ToolOutput, LocustStatesItsTotals) {
  EXPECT_EQ(statement_of("locust", "some-failures.log"), "436 18 109.20");
  EXPECT_EQ(statement_of("locust", "task-exception.log"), "438 0 108.07");
  EXPECT_EQ(statement_of("locust", "worker-fetches-locustfile.log"), "438 0 108.52");
  EXPECT_EQ(statement_of("locust", "worker-killed.log"), "896 0 74.77");
}

TEST(ToolOutput, LocustStatesNothingWhereItDidNotRun) {
  for (const std::string file : {"no-user-class.log", "syntax-error-master.log",
                                 "master-port-in-use.log", "fewer-workers-than-expected.log"}) {
    EXPECT_EQ(statement_of("locust", file), "") << file;
  }
}

TEST(ToolOutput, LocustsFailuresAreExplained) {
  const auto& diagnoses = builtin_profiles().at("locust").master->diagnoses;
  const auto said = [&](const std::string& file) {
    return diagnosis_of(diagnoses, "locust/" + file);
  };
  EXPECT_EQ(said("no-user-class.log"),
            "the locustfile has no User class (such as class MyUser(HttpUser))");
  EXPECT_EQ(said("syntax-error-master.log"),
            "the locustfile is not valid Python: SyntaxError: expected ':'");
  EXPECT_EQ(said("import-error-worker.log"),
            "ModuleNotFoundError: No module named 'nosuchmodule_xyz' (install it where Locust "
            "runs, or add it to files)");
  EXPECT_EQ(said("master-port-in-use.log"),
            "the master cannot listen: Address already in use (addr='tcp://127.88.0.1:25557')");
  EXPECT_EQ(said("fewer-workers-than-expected.log"), "not all workers reached the master in time");
  EXPECT_EQ(said("worker-fetches-locustfile.log"), "");
}

TEST(ToolOutput, LocustWorkersAreReadyWhenThePlanIsLoaded) {
  const RE2 ready(builtin_profiles().at("locust").worker.readiness->log);
  const auto count = [&](const std::string& file) {
    return std::ranges::count_if(lines_of("locust/" + file), [&](const std::string& line) {
      return RE2::PartialMatch(line, ready);
    });
  };
  EXPECT_EQ(count("worker-fetches-locustfile.log"), 1);
  EXPECT_EQ(count("import-error-worker.log"), 0);
}

TEST(ToolOutput, JMeterStatesItsTotals) {
  EXPECT_EQ(statement_of("jmeter", "pass.log"), "120 0 87.5");
  EXPECT_EQ(statement_of("jmeter", "some-failures.log"), "204 40 126.0");
  EXPECT_EQ(statement_of("jmeter", "failing-samples.log"), "120 120 43.2");
  EXPECT_EQ(statement_of("jmeter", "standalone-zero-threads.log"), "0 0 ");
}

TEST(ToolOutput, JMeterStatesNothingWhereItDidNotRun) {
  for (const std::string file : {"engine-busy.log", "killed-before-default.log",
                                 "standalone-missing-plan.log", "standalone-truncated-xml.log"}) {
    EXPECT_EQ(statement_of("jmeter", file), "") << file;
  }
}

TEST(ToolOutput, JMetersFailuresAreExplained) {
  const auto& profile = builtin_profiles().at("jmeter");
  const auto master = [&](const std::string& file) {
    return diagnosis_of(profile.master->diagnoses, "jmeter/" + file);
  };
  const auto worker = [&](const std::string& file) {
    return diagnosis_of(profile.worker.diagnoses, "jmeter/" + file);
  };
  EXPECT_EQ(master("engine-busy.log"),
            "a worker is busy with another test, or two workers share one RMI port");
  EXPECT_EQ(master("killed-before-default.log"),
            "the master cannot reach the workers 127.0.0.1:21010 by RMI");
  EXPECT_EQ(master("standalone-missing-plan.log"),
            "JMeter cannot open the plan /srv/run/nothere.jmx");
  EXPECT_EQ(master("standalone-truncated-xml.log"),
            "the plan /srv/run/bad1.jmx is not valid XML, or uses elements that this JMeter does "
            "not have");
  EXPECT_EQ(master("ssl-mismatch-server-on.log"),
            "a port given as a worker's speaks no plain RMI (TLS on one side only, or another "
            "service)");
  EXPECT_EQ(master("no-keystore-master.log"),
            "RMI over TLS is on but there is no rmi_keystore.jks");
  EXPECT_EQ(master("pass.log"), "");
  EXPECT_EQ(worker("registry-port-clash-server.log"),
            "RMI port 1099 is in use; every worker on a host needs its own");
  EXPECT_EQ(worker("server-no-hostname.log"),
            "the host name vm is a loopback address; -Djava.rmi.server.hostname is missing");
  EXPECT_EQ(worker("no-keystore-server.log"),
            "RMI over TLS is on but there is no rmi_keystore.jks");
}

}  // namespace
}  // namespace atq::api
