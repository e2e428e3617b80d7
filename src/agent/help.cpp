#include "src/agent/command_line.hpp"

// Once clang-format took a text in here for code of another language and rewrote it.
// clang-format off

namespace atq::agent {
namespace {

constexpr char kGeneral[] =
    R"help(atq-agent runs one worker or master of a load test, and its health checks

Usage:
  atq-agent exec --folder DIR [--parent PID]
  atq-agent pod [options] -- COMMAND [ARGUMENT]…
  atq-agent start --token TOKEN --targets HOST:PORT,… [--timeout 30s]
  atq-agent install DIR
  atq-agent probe --spec checks.json | --spec-env NAME  --report report.jsonl | -  [--parent PID]
  atq-agent probe tcp|udp HOST:PORT [--timeout 2s]
  atq-agent probe http URL [--timeout 2s]
  atq-agent probe dns NAME [--timeout 2s]
  atq-agent version
  atq-agent help [exec|pod|start|install|probe]

Examples:
  atq-agent exec --folder /run/atq/worker-0
  atq-agent pod --listen 7070 --ready-tcp 1099 -- jmeter-server
  atq-agent probe tcp 127.0.0.1:1099
  atq-agent probe http http://127.0.0.1:8080/healthz --timeout 500ms
)help";

constexpr char kExec[] =
    R"help(Runs the tool that DIR/replica.json describes, once, and records its end in DIR/exit.json

Usage:
  atq-agent exec --folder DIR [--parent PID]

  --folder DIR   the replica's folder
  --parent PID   with dieWithParent: stop when this process ends (default: the one that started it)

Exit code: the tool's (128 + number of the signal that killed it); 120 if this replica was started
before; 121 if the tool could not be started, with the reason in DIR/exit.json.

Signals: TERM stops gracefully and kills after graceMs; a second TERM, INT, USR1 or QUIT stops now.

Example:
  mkdir -p /tmp/replica
  echo '{"command": ["echo", "hello $(NAME)"], "environment": {"NAME": "world"}}' \
    > /tmp/replica/replica.json
  atq-agent exec --folder /tmp/replica; cat /tmp/replica/stdout.log /tmp/replica/exit.json
)help";

constexpr char kPod[] =
    R"help(Runs a tool as the first process of a container, with the container's environment and output

Usage:
  atq-agent pod [options] -- COMMAND [ARGUMENT]…

  --termination-log FILE   write how the tool ended, as JSON of at most 4000 bytes
  --grace-ms N             between a graceful stop and KILL (default 30000)
  --stop-udp PORT          stop by a datagram to this port of --address first
  --stop-graceful TEXT     … its text for a graceful stop
  --stop-now TEXT          … its text for a stop now
  --address ADDR           the replica's own address (default 127.0.0.1)
  --listen PORT            answer GET /ready (200, or 503 and what is missing) and POST /start
  --ready-log RE2          ready when a line of the tool's output matches
  --ready-tcp PORT         ready when the port accepts
  --ready-http PORT:/path  ready when the page answers 200 to 399
  --wait-for-start TOKEN   start the tool only on POST /start?token=TOKEN; ready when it waits

Of several --ready-… all must hold; without any, the tool is ready when it has started.

Exit code: the tool's (128 + number of the signal that killed it); 121 if it could not be started.

Signals: TERM stops gracefully and kills after --grace-ms; a second TERM, INT, USR1 or QUIT stops
now. Every process that the tool leaves behind is ended with it.

Example:
  atq-agent pod --listen 7070 --ready-log listening -- sh -c 'echo listening; exec sleep 60'
)help";

constexpr char kStart[] =
    R"help(Starts the waiting workers of a run without a master, all at once

Usage:
  atq-agent start --token TOKEN --targets HOST:PORT,… [--timeout 30s]

  --token TOKEN     what the workers were given as --wait-for-start
  --targets LIST    where they listen, separated by commas
  --timeout TIME    for all of it, e.g. 500ms, 30s, 1m (default 30s)

Connects to all of them first and starts nobody while one cannot be reached. Prints one line:
{"skewUs": 310, "started": 3, "errors": []}

Exit code: 0 all have started, 1 not all have.

Example:
  atq-agent start --token run-4 --targets 10.244.0.7:7070,10.244.0.8:7070
)help";

constexpr char kInstall[] =
    R"help(Copies atq-agent to DIR/atq-agent, for containers of other images

Usage:
  atq-agent install DIR

Example:
  atq-agent install /atq/bin
)help";

constexpr char kProbe[] =
    R"help(Health checks: a list of them until all have passed, or one try of one

Usage:
  atq-agent probe --spec checks.json --report report.jsonl [--parent PID]
  atq-agent probe --spec-env NAME --report -
  atq-agent probe tcp|udp HOST:PORT [--timeout 2s]
  atq-agent probe http URL [--timeout 2s]
  atq-agent probe dns NAME [--timeout 2s]

  --spec FILE      the checks, a JSON array
  --spec-env NAME  the same from an environment variable
  --report FILE    a line of JSON is added whenever something changes; - is stdout
  --parent PID     end when this process ends
  --timeout TIME   of the one try, e.g. 250ms, 2s, 1m (default 2s)

Exit code: 0 passed (all of them), 1 failed, 2 bad arguments or checks, 120 another prober has the
report.

Examples:
  atq-agent probe tcp 127.0.0.1:1099
  atq-agent probe udp [::1]:4445 --timeout 500ms
  atq-agent probe http http://127.0.0.1:8080/healthz
  atq-agent probe dns shop.internal
)help";

}  // namespace

std::string help_text(const std::string& topic) {
  if (topic == "exec") return kExec;
  if (topic == "pod") return kPod;
  if (topic == "start") return kStart;
  if (topic == "install") return kInstall;
  if (topic == "probe") return kProbe;
  return kGeneral;
}

}  // namespace atq::agent
