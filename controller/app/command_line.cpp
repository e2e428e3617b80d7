#include <fstream>
#include <sstream>

#include <CLI/CLI.hpp>

#include "controller/app/config.hpp"

namespace atq::app {
namespace {

constexpr const char* kExamples = R"(Examples:
  atq-director --store directory:./loadtests --runtime process --data ./data
  atq-director --store kubernetes --runtime kubernetes --agent-image REGISTRY/atq-director:TAG
  atq-director --config /etc/atq/director.yaml --log-format json
  curl -s http://127.0.0.1:8080/metrics     (with --listen 127.0.0.1:8080)

Exit codes: 0 stopped as asked, 1 failed, 2 usage or configuration.)";

struct Flags {
  std::string file, store, data, listen, log_format, log_level, agent;
  std::string kubeconfig, context, agent_image;
  std::vector<std::string> runtimes, namespaces;
  int max_concurrent_runs = 0;
  bool version = false;
};

void declare(CLI::App& app, Flags& flags) {
  app.add_option("--config", flags.file,
                 "YAML file with the same keys (docs/configuration.md); flags win");
  app.add_option("--store", flags.store, "where LoadTests are kept: directory:PATH or kubernetes");
  app.add_option("--runtime", flags.runtimes,
                 "where they run: process, kubernetes, or NAME=TYPE; repeatable");
  app.add_option("--data", flags.data,
                 "folder for state, runs and the local socket (default ./data; none with --store "
                 "kubernetes)");
  app.add_option("--listen", flags.listen,
                 "HOST:PORT of /metrics, /healthz and /readyz (default: none)");
  app.add_option("--agent", flags.agent,
                 "path of atq-agent (default: beside atq-director, else on PATH)");
  app.add_option("--kubeconfig", flags.kubeconfig,
                 "how to reach the cluster (default: $KUBECONFIG, the pod's account, "
                 "~/.kube/config)");
  app.add_option("--context", flags.context, "context of the kubeconfig (default: the current)");
  app.add_option("--namespace", flags.namespaces,
                 "watch LoadTests there; repeatable (default: all of the cluster)");
  app.add_option("--agent-image", flags.agent_image, "image that has /atq-agent, for pods");
  app.add_option("--max-concurrent-runs", flags.max_concurrent_runs,
                 "runs at a time on each runtime (default 4)")
      ->check(CLI::Range(1, 1000));
  app.add_option("--log-format", flags.log_format, "text or json")
      ->check(CLI::IsMember({"text", "json"}));
  app.add_option("--log-level", flags.log_level, "debug, info, warn or error")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}));
  app.add_flag("--version", flags.version, "print the version and exit");
  app.footer(kExamples);
}

Result<Config> read_file(const std::string& path, Config base) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(ErrorKind::NotFound, "cannot read the configuration file " + path);
  std::string text;
  text.resize(300 * 1024);
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(file.gcount()));
  auto config = parse_config(text, std::move(base));
  if (!config) return fail_with(path, config.error());
  return config;
}

Result<Config> combine(const Flags& flags) {
  Config config;
  if (!flags.file.empty()) {
    auto read = read_file(flags.file, std::move(config));
    if (!read) return read;
    config = std::move(*read);
  }
  if (!flags.store.empty()) {
    if (const auto set = set_store(config, flags.store); !set)
      return fail_with("--store", set.error());
  }
  if (!flags.runtimes.empty()) config.runtimes.clear();
  for (const auto& runtime : flags.runtimes) {
    if (const auto added = add_runtime(config, runtime); !added)
      return fail_with("--runtime", added.error());
  }
  if (!flags.data.empty()) config.data = flags.data;
  if (!flags.listen.empty()) config.listen = flags.listen;
  if (!flags.agent.empty()) config.agent = flags.agent;
  if (!flags.log_format.empty()) config.log_format = flags.log_format;
  if (!flags.log_level.empty()) config.log_level = flags.log_level;
  if (flags.max_concurrent_runs > 0) {
    for (auto& runtime : config.runtimes) runtime.max_concurrent_runs = flags.max_concurrent_runs;
  }
  if (!flags.kubeconfig.empty()) config.kubernetes.kubeconfig = flags.kubeconfig;
  if (!flags.context.empty()) config.kubernetes.context = flags.context;
  if (!flags.namespaces.empty()) config.kubernetes.namespaces = flags.namespaces;
  if (!flags.agent_image.empty()) config.kubernetes.agent_image = flags.agent_image;
  fill_in(config);
  if (const auto checked = check_config(config); !checked) return std::unexpected(checked.error());
  return config;
}

CommandLine exit_with(int code, std::string output) {
  CommandLine line;
  line.kind = CommandLine::Kind::Exit;
  line.exit_code = code;
  line.output = std::move(output);
  return line;
}

}  // namespace

CommandLine parse_command_line(int argc, const char* const* argv) {
  CLI::App app{"The controller of ATQ Director: reconciles LoadTests and runs them",
               "atq-director"};
  Flags flags;
  declare(app, flags);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return exit_with(0, app.help());
  } catch (const CLI::ParseError& error) {
    return exit_with(
        2, std::string("atq-director: ") + error.what() + "\nRun atq-director --help for usage.\n");
  }
  if (flags.version) return exit_with(0, "atq-director " ATQ_VERSION "\n");
  auto config = combine(flags);
  if (!config) return exit_with(2, "atq-director: " + config.error().message + "\n");
  CommandLine line;
  line.config = std::move(*config);
  return line;
}

}  // namespace atq::app
