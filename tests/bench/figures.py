"""The benchmarks behind hack/bench: a real director of the release build on this machine, one line a figure."""
import json
import os
import pathlib
import socket
import statistics
import sys
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from tests.bench.kubernetes import kubernetes  # noqa: E402
from tests.e2e.harness import Director, Folder, environment, wait_for  # noqa: E402

BARS = pathlib.Path(__file__).with_name("bars.txt")
MASTERLESS = {"worker": {"command": ["true"]}, "runPolicy": {"cleanup": {"policy": "Never"}}}


def quantile(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))]


def rss_mib(pid):
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def cpu_seconds(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def written_bytes(pid):
    for line in open(f"/proc/{pid}/io"):
        if line.startswith("wchar"):
            return int(line.split()[1])
    return 0


def records(folder):
    """The store's records of all objects, as they stand on disk."""
    for file in (folder.data / "store").glob("*/*.json"):
        try:
            yield json.loads(file.read_text())
        except (OSError, json.JSONDecodeError):
            continue


def finished_runs(folder):
    return sum(1 for record in records(folder) if (record.get("status") or {}).get("phase") == "Finished")


def read_when_there(file, seconds=30):
    def read():
        try:
            return json.loads(file.read_text())
        except (OSError, json.JSONDecodeError):
            return None
    return wait_for(f"{file}", read, seconds, 0.001)


def run_folder(folder, name):
    """The folder of run 1 of that LoadTest, once it is there."""
    def find():
        for file in (folder.data / "runs").glob("*/1/run.json"):
            try:
                if json.loads(file.read_text())["name"] == name:
                    return file.parent
            except (OSError, json.JSONDecodeError, KeyError):
                continue
        return None
    return wait_for(f"run of {name}", find, 30, 0.001)


def idle():
    with Folder() as folder, Director(folder, environment(), "--max-concurrent-runs", "20") as director:
        for i in range(100):
            folder.loadtest(f"idle-{i}", {"worker": {"command": ["true"], "replicas": 2}})
        wait_for("100 runs finished", lambda: finished_runs(folder) == 100, 180, 0.2)
        time.sleep(3)  # let what follows a finished run settle, as a user's director would
        pid, seconds = director.process.pid, 20
        cpu, written = cpu_seconds(pid), written_bytes(pid)
        time.sleep(seconds)
        yield "idle_rss_mib", rss_mib(pid), "MiB"
        yield "idle_cpu_percent", 100 * (cpu_seconds(pid) - cpu) / seconds, "%"
        yield "idle_file_writes", float(written_bytes(pid) - written), "bytes"


def is_ready(address):
    try:
        with urllib.request.urlopen(f"http://{address}/readyz", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def free_address():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def seconds_until_ready(address):
    """Of a director that was started a moment ago."""
    begin = time.monotonic()
    wait_for("ready", lambda: is_ready(address), 120, 0.01)
    return time.monotonic() - begin


def directory(count=10_000):
    with Folder() as folder:
        padding = {f"p{i}": "x" * 100 for i in range(14)}
        for i in range(count):
            folder.loadtest(f"t-{i}", {"worker": {"command": ["true"]}, "parameters": padding})
        yield "directory_object_bytes", float((folder.tests / "t-0.yaml").stat().st_size), "bytes"
        env = environment()
        with Director(folder, env, "--max-concurrent-runs", "50", "--listen", address := free_address()) as director:
            yield "directory_first_ready_s", seconds_until_ready(address), "s"
            wait_for(f"{count} runs finished", lambda: finished_runs(folder) == count, 1500, 2)
        with Director(folder, env, "--listen", address := free_address()) as director:
            yield "directory_ready_s", seconds_until_ready(address), "s"
            yield "directory_rss_mib", rss_mib(director.process.pid), "MiB"
            latencies = []
            for i in range(100):
                spec = {"worker": {"command": ["true"]}, "parameters": padding, "runNonce": "2",
                        "runPolicy": {"cleanup": {"policy": "Never"}}}
                written = time.time()
                folder.loadtest(f"t-{i}", spec)
                uid = record_of(folder, f"t-{i}")["state"]["uid"]
                started = read_when_there(folder.data / "runs" / uid / "2" / "worker-0" / "started")
                latencies.append(started["atUs"] / 1e3 - written * 1e3)
            yield "directory_change_acted_p50_ms", quantile(latencies, 0.5), "ms"
            yield "directory_change_acted_p99_ms", quantile(latencies, 0.99), "ms"


def record_of(folder, name):
    return json.loads((folder.data / "store" / "default" / f"{name}.json").read_text())


def phase_of(folder, name):
    return (record_of(folder, name).get("status") or {}).get("phase")


def process(count=200):
    with Folder() as folder, Director(folder, environment(), "--max-concurrent-runs", "100"):
        first, gate = [], []
        for i in range(count):
            written = time.time()
            folder.loadtest(f"p-{i}", {"worker": {"command": ["sleep", "30"], "replicas": 3}, "master": {"command": ["true"]},
                                       "healthCheck": {"checks": [{"name": "up", "exec": {"command": ["true"]}}]},
                                       "runPolicy": {"cleanup": {"policy": "Never"}, "stopGraceSeconds": 1}})
            run = run_folder(folder, f"p-{i}")
            starts = [read_when_there(run / f"worker-{w}" / "started")["atUs"] for w in range(3)]
            first.append(min(starts) / 1e3 - written * 1e3)
            master = read_when_there(run / "master" / "started")["atUs"]
            passed = max(json.loads(line)["atUs"] for line in (run / "checks" / "report.jsonl").read_text().splitlines()
                         if json.loads(line).get("passed"))
            gate.append((master - passed) / 1e3)
            wait_for("its end", lambda: phase_of(folder, f"p-{i}") == "Finished", 30, 0.005)
        yield "file_to_first_worker_p50_ms", quantile(first, 0.5), "ms"
        yield "file_to_first_worker_p99_ms", quantile(first, 0.99), "ms"
        yield "check_to_master_p50_ms", quantile(gate, 0.5), "ms"
        yield "check_to_master_p99_ms", quantile(gate, 0.99), "ms"
        spread = []
        for i in range(5):
            folder.loadtest(f"many-{i}", {"worker": {"command": ["sleep", "30"], "replicas": 64}, "master": {"command": ["true"]},
                                          "runPolicy": {"cleanup": {"policy": "Never"}, "stopGraceSeconds": 1}})
            run = run_folder(folder, f"many-{i}")
            starts = [read_when_there(run / f"worker-{w}" / "started")["atUs"] for w in range(64)]
            spread.append((max(starts) - min(starts)) / 1e3)
            wait_for("its end", lambda: phase_of(folder, f"many-{i}") == "Finished", 60, 0.02)
        yield "spawn_64_workers_ms", statistics.median(spread), "ms"


def core():
    for benchmark in json.load(sys.stdin)["benchmarks"]:
        if benchmark.get("items_per_second"):
            name = benchmark["name"].split("/")[0]
            figure = "reconciles_per_second" if name == "BM_ReconcileAllPhases" else f"{name.lower()}_per_second"
            yield figure, benchmark["items_per_second"], "1/s"


def main():
    bars = {}
    for line in BARS.read_text().splitlines():
        if line and not line.startswith("#"):
            name, comparison, bar = line.split()
            bars[name] = (comparison, float(bar))
    missed = []
    for name, value, unit in {"idle": idle, "directory": directory, "process": process, "core": core,
                               "kubernetes": kubernetes}[sys.argv[1]]():
        print(f"{name} {value:.6g} {unit}", flush=True)
        comparison, bar = bars.get(name, ("", 0.0))
        if (comparison == "<=" and value > bar) or (comparison == ">=" and value < bar):
            missed.append(f"{name} is {value:.6g} {unit}, asked is {comparison} {bar:g}")
    if "--check" in sys.argv and missed:
        sys.exit("\n".join(missed))


if __name__ == "__main__":
    main()
