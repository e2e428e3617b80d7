#include "src/agent/command_line.hpp"

namespace atq::agent {
namespace {

constexpr char kGeneral[] =
    R"help(atq-agent runs one worker or master of a load test, and its health checks

Usage:
  atq-agent exec --folder DIR [--parent PID]
  atq-agent probe --spec checks.json --report report.jsonl [--parent PID]
  atq-agent probe tcp|udp HOST:PORT [--timeout 2s]
  atq-agent probe http URL [--timeout 2s]
  atq-agent probe dns NAME [--timeout 2s]
  atq-agent version
  atq-agent help [exec|probe]

Examples:
  atq-agent exec --folder /run/atq/worker-0
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
  echo '{"command": ["echo", "hello $(NAME)"], "environment": {"NAME": "world"}
}
' \
    > /tmp/replica/replica.json atq -
    agent exec-- folder / tmp / replica; cat /tmp/replica/stdout.log /tmp/replica/exit.json
)help";

constexpr char kProbe[] =
    R"help(Health checks: a list of them until all have passed, or one try of one

Usage:
  atq-agent probe --spec checks.json --report report.jsonl [--parent PID]
  atq-agent probe tcp|udp HOST:PORT [--timeout 2s]
  atq-agent probe http URL [--timeout 2s]
  atq-agent probe dns NAME [--timeout 2s]

  --spec FILE     the checks, a JSON array
  --report FILE   a line of JSON is added whenever something changes
  --parent PID    end when this process ends
  --timeout TIME  of the one try, e.g. 250ms, 2s, 1m (default 2s)

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
  if (topic == "probe") return kProbe;
  return kGeneral;
}

}  // namespace atq::agent
