#include <csignal>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <nlohmann/json.hpp>

#include "tests/unit/cli/cli_fixture.hpp"
#include "tests/unit/net/net_fixture.hpp"

namespace atq::cli {
namespace {

using test::Outcome;

const std::string kDocument = R"(apiVersion: atq.dev/v1alpha1
kind: LoadTest
metadata: {name: NAME}
spec:
  worker: {replicas: 2, command: [sh, -c, "exit 0"]}
)";

std::string document(const std::string& name) {
  std::string out = kDocument;
  return out.replace(out.find("NAME"), 4, name);
}

struct Script {
  api::Verdict verdict = api::Verdict::Passed;
  bool until_stopped = false;
  bool cannot_begin = false;
  RunRequest request;
  std::vector<bool> stops;
};

class ScriptedSession : public RunSession {
 public:
  ScriptedSession(boost::asio::io_context& loop, Script& script)
      : script_(script), stopped_(loop, boost::asio::steady_timer::time_point::max()) {}

  AsyncResult<RunOutcome> run(std::function<void(const api::LoadTest&)> on_status) override {
    if (script_.cannot_begin) {
      co_return fail(ErrorKind::Conflict, "another director works on this folder");
    }
    api::LoadTest waiting = test::waiting_test();
    on_status(waiting);
    if (script_.until_stopped) {
      ::raise(SIGINT);
      boost::system::error_code ignored;
      co_await stopped_.async_wait(
          boost::asio::redirect_error(boost::asio::use_awaitable, ignored));
    }
    RunOutcome outcome{.test = test::finished_test(script_.verdict)};
    on_status(outcome.test);
    co_return outcome;
  }
  void request_stop(bool now) override {
    script_.stops.push_back(now);
    if (now) {
      stopped_.cancel();
    } else {
      ::raise(SIGINT);
    }
  }

 private:
  Script& script_;
  boost::asio::steady_timer stopped_;
};

Outcome run(Script& script, const std::vector<std::string>& options = {},
            const std::string& input = document("checkout")) {
  std::vector<std::string> arguments{"run", "-"};
  arguments.insert(arguments.end(), options.begin(), options.end());
  return test::atq(arguments, input,
                   [&](boost::asio::io_context& loop,
                       RunRequest request) -> Result<std::unique_ptr<RunSession>> {
                     script.request = std::move(request);
                     return std::make_unique<ScriptedSession>(loop, script);
                   });
}

TEST(Run, ExitCodeIsTheVerdict) {
  const std::map<api::Verdict, int> codes{{api::Verdict::Passed, 0},
                                          {api::Verdict::Failed, 99},
                                          {api::Verdict::NoData, 98},
                                          {api::Verdict::Error, 97},
                                          {api::Verdict::Aborted, 105}};
  for (const auto& [verdict, code] : codes) {
    Script script{.verdict = verdict};
    EXPECT_EQ(run(script).code, code) << api::to_string(verdict);
  }
}

TEST(Run, PrintsPlainLinesOffATerminalAndAReport) {
  Script script{.verdict = api::Verdict::Failed};
  const Outcome outcome = run(script);
  EXPECT_NE(outcome.err.find("Z Workers: 2/3 ready: worker 1: tcp 5557"), std::string::npos)
      << outcome.err;
  EXPECT_NE(outcome.err.find("Z Finished Failed"), std::string::npos) << outcome.err;
  EXPECT_TRUE(outcome.out.starts_with("Failed in 33.4s: 12000 requests")) << outcome.out;
  EXPECT_EQ((outcome.out + outcome.err).find('\x1b'), std::string::npos);
}

TEST(Run, JsonIsAllThatComesToOut) {
  Script script;
  const Outcome outcome = run(script, {"-o", "json"});
  EXPECT_EQ(nlohmann::json::parse(outcome.out)["status"]["verdict"], "Passed");
  EXPECT_NE(outcome.err.find("Passed in"), std::string::npos);
}

TEST(Run, AppliesOverrides) {
  Script script;
  EXPECT_EQ(run(script, {"-p", "users=5", "--replicas", "7", "--keep", "--data", "/d"}).code, 0);
  EXPECT_EQ(script.request.test.spec.parameters.at("users"), "5");
  EXPECT_EQ(script.request.test.spec.worker.replicas, 7);
  EXPECT_TRUE(script.request.keep);
  EXPECT_EQ(script.request.data, "/d");
}

TEST(Run, ChoosesAmongSeveral) {
  const std::string both = document("one") + "---\n" + document("two");
  Script script;
  const Outcome none = run(script, {}, both);
  EXPECT_EQ(none.code, 2);
  EXPECT_NE(none.err.find("choose one with --name: one, two"), std::string::npos) << none.err;
  EXPECT_EQ(run(script, {"--name", "two"}, both).code, 0);
  EXPECT_EQ(script.request.test.metadata.name, "two");
  EXPECT_EQ(run(script, {"--name", "three"}, both).code, 2);
}

TEST(Run, RefusesWhatIsNotValid) {
  Script script;
  const Outcome outcome = run(script, {}, document("checkout") + "  tol: x\n");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_NE(outcome.err.find("<stdin>:6:3: spec.tol"), std::string::npos) << outcome.err;
  EXPECT_EQ(run(script, {}, "kind: Pod\napiVersion: v1\n").code, 2);
  EXPECT_EQ(run(script, {}, "").code, 2);
}

TEST(Run, SaysWhyItCouldNotBegin) {
  Script script{.cannot_begin = true};
  const Outcome outcome = run(script);
  EXPECT_EQ(outcome.code, 97);
  EXPECT_EQ(outcome.err, "atq: another director works on this folder\n");
}

TEST(Run, FirstInterruptIsGracefulTheSecondIsNow) {
  Script script{.verdict = api::Verdict::Aborted, .until_stopped = true};
  const Outcome outcome = run(script);
  EXPECT_EQ(script.stops, (std::vector<bool>{false, true}));
  EXPECT_EQ(outcome.code, 105);
  EXPECT_NE(outcome.err.find("Stopping gracefully"), std::string::npos);
  EXPECT_NE(outcome.err.find("Stopping at once"), std::string::npos);
}

TEST(Run, RedrawsOnATerminal) {
  std::istringstream in(document("checkout"));
  std::ostringstream out;
  std::ostringstream err;
  Console console{.in = in, .out = out, .err = err, .live = true};
  Script script;
  const int code = run_cli(
      {"run", "-"}, console,
      [&](boost::asio::io_context& loop, RunRequest) -> Result<std::unique_ptr<RunSession>> {
        return std::make_unique<ScriptedSession>(loop, script);
      });
  EXPECT_EQ(code, 0);
  EXPECT_NE(err.str().find("\x1b[6A"), std::string::npos);
  EXPECT_NE(err.str().find("✔ Collecting"), std::string::npos);
}

TEST(Validate, TellsEveryProblemWithItsPlace) {
  net::test::Folder folder;
  std::filesystem::create_directories(folder / "sub");
  std::ofstream(folder / "good.yaml") << document("good");
  std::ofstream(folder / "sub/bad.yml") << document("bad") << "  tol: x\n  runtimes: y\n";
  std::ofstream(folder / "pod.yaml") << "apiVersion: v1\nkind: Pod\n";
  std::ofstream(folder / "notes.txt") << "not looked at";
  const Outcome bad = test::atq({"validate", (folder / "").string()});
  EXPECT_EQ(bad.code, 2);
  EXPECT_NE(bad.err.find("bad.yml:6:3: spec.tol: "), std::string::npos) << bad.err;
  EXPECT_NE(bad.err.find("bad.yml:7:3: spec.runtimes: "), std::string::npos) << bad.err;
  EXPECT_NE(bad.err.find("2 problems\n"), std::string::npos) << bad.err;
  EXPECT_EQ(test::atq({"validate", (folder / "good.yaml").string()}).out, "1 LoadTest valid\n");
  EXPECT_EQ(test::atq({"validate", "-"}, document("x")).code, 0);
  EXPECT_EQ(test::atq({"validate", (folder / "none.yaml").string()}).code, 2);
  EXPECT_EQ(test::atq({"validate", (folder / "pod.yaml").string()}).code, 2);
}

TEST(Validate, LooksForFilesTheSpecNames) {
  net::test::Folder folder;
  std::ofstream(folder / "there.txt") << "x";
  std::ofstream(folder / "test.yaml")
      << document("files") << "  files: [{path: there.txt}, {path: missing.txt}]\n";
  const Outcome outcome = test::atq({"validate", (folder / "test.yaml").string()});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_NE(outcome.err.find("spec.files[1].path: \"missing.txt\" there is no such file"),
            std::string::npos)
      << outcome.err;
  EXPECT_EQ(outcome.err.find("files[0]"), std::string::npos);
}

TEST(Render, FillsInDefaults) {
  const Outcome yaml = test::atq({"render", "-"}, document("x"));
  EXPECT_EQ(yaml.code, 0);
  EXPECT_NE(yaml.out.find("startupDeadlineSeconds: 600"), std::string::npos);
  const Outcome json = test::atq({"render", "-", "-o", "json"}, document("x"));
  EXPECT_EQ(nlohmann::json::parse(json.out)["spec"]["worker"]["replicas"], 2);
  EXPECT_EQ(test::atq({"render", "-"}, "nonsense: [").code, 2);
}

}  // namespace
}  // namespace atq::cli
