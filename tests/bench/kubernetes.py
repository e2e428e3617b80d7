"""hack/bench kubernetes: a director outside of a real API server. Pods are made by the real Job controller and played by
cluster.Kubelet, so that what is measured is the director and the API server, not the start of containers."""
import concurrent.futures
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request

from tests.bench import cluster
from tests.e2e.harness import BIN, wait_for

NOBODY = {"podTemplate": {"spec": {"schedulerName": "nobody"}}}


def rss_mib(pid):
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def quantile(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))]


class Director:
    """atq-director on the cluster of $KUBECONFIG, for one namespace."""

    def __init__(self, ns):
        self.ns = ns
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{probe.getsockname()[1]}"

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="atq-bench-")
        config = pathlib.Path(self.folder.name, "config.yaml")
        config.write_text(f"""store: kubernetes
runtimes:
- {{type: kubernetes, maxConcurrentRuns: 1000}}
kubernetes: {{namespaces: [{self.ns}], leaseNamespace: {self.ns}, agentImage: "atq.dev/atq-director:lab"}}
listen: "{self.address}"
log: {{level: warn}}
""")
        self.log = open(pathlib.Path(self.folder.name, "log"), "wb")
        self.process = subprocess.Popen([BIN / "atq-director", "--config", config], stderr=self.log, stdout=self.log)
        wait_for("the director is ready", self.ready, 60, 0.005)
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(40)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.log.close()
        self.folder.cleanup()

    def metrics(self):
        with urllib.request.urlopen(f"http://{self.address}/metrics", timeout=10) as answer:
            return answer.read().decode()

    def ready(self):
        if self.process.poll() is not None:
            raise AssertionError("the director ended: " + open(self.log.name).read()[-2000:])
        try:
            with urllib.request.urlopen(f"http://{self.address}/readyz", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def requests(self):
        """(writes, reads) sent so far, by its own count of requests."""
        writes = reads = 0.0
        for line in self.metrics().splitlines():
            if line.startswith("rest_client_requests_total{"):
                value = float(line.rsplit(" ", 1)[1])
                if 'method="GET"' in line:
                    reads += value
                else:
                    writes += value
        return writes, reads


def loadtest(name, workers=4, **spec):
    worker = {"replicas": workers, "image": "none", "command": ["true"], "readiness": {"running": True}}
    return {"apiVersion": "atq.dev/v1alpha1", "kind": "LoadTest", "metadata": {"name": name},
            "spec": {"worker": worker, "master": {"image": "none", "command": ["true"]},
                     "healthCheck": {"checks": [{"name": "up", "tcp": {"port": 80}}]},
                     "kubernetes": {"worker": NOBODY, "master": NOBODY}, **spec}}


class Seen:
    """When the first event about each child came, by (LoadTest, kind)."""

    def __init__(self, api, ns):
        self.at, self.lock, self.changed = {}, threading.Lock(), threading.Condition()
        selector = "labelSelector=" + cluster.MANAGED.replace("=", "%3D").replace("/", "%2F")
        self.stops = [api.watch(f"/api/v1/namespaces/{ns}/services?{selector}", lambda _, o: self.note("service", o)),
                      api.watch(f"/apis/batch/v1/namespaces/{ns}/jobs?{selector}", self.note_job),
                      api.watch(f"/api/v1/namespaces/{ns}/pods?{selector}", self.note_pod)]
        self.pods = set()

    def note(self, kind, item):
        now = time.perf_counter()
        with self.changed:
            self.at.setdefault((item["metadata"]["labels"]["atq.dev/loadtest"], kind), now)
            self.changed.notify_all()

    def note_pod(self, kind, item):
        with self.changed:
            (self.pods.discard if kind == "DELETED" else self.pods.add)(item["metadata"]["name"])
            self.changed.notify_all()

    def wait_no_pods(self, seconds=30):
        """What came before has gone, so that its removal is not measured with what comes next."""
        with self.changed:
            self.changed.wait_for(lambda: not self.pods, seconds)

    def note_job(self, kind, item):
        if kind == "DELETED":
            return
        role = item["metadata"]["labels"]["atq.dev/role"]
        self.note(role, item)
        if role == "master" and not item["spec"].get("suspend"):
            self.note("released", item)

    def wait(self, name, kind, seconds=30):
        with self.changed:
            if not self.changed.wait_for(lambda: (name, kind) in self.at, seconds):
                raise AssertionError(f"not within {seconds} s: {kind} of {name}")
        return self.at[(name, kind)]

    def stop(self):
        for stop in self.stops:
            stop()


def reaction(api, count=200):
    """One test at a time: create sent -> first child, worker Job; last check passed -> master released."""
    first, workers, gate = [], [], []
    with api.namespace("bench-reaction") as ns, Director(ns):
        seen = Seen(api, ns)
        passed = {}
        ready, started, lock = {}, {}, threading.Lock()

        def decide(pod):
            """As a kubelet does it: the address when the container runs, readiness in an update of its own."""
            status = pod.get("status", {})
            if pod["metadata"]["labels"].get("atq.dev/role") != "worker" or status.get("phase") not in ("Pending", "Running"):
                return None
            if status["phase"] == "Pending":
                started[pod["metadata"]["uid"]] = time.monotonic()
                return "Running"
            if any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions", [])):
                return None
            # A probe's first try comes a while after the start.
            time.sleep(max(0.0, started[pod["metadata"]["uid"]] + 0.1 - time.monotonic()))
            with lock:
                name = pod["metadata"]["labels"]["atq.dev/loadtest"]
                ready[name] = ready.get(name, 0) + 1
                if ready[name] == 4:
                    passed[name] = time.perf_counter()
            return "Ready"

        kubelet = cluster.Kubelet(api, ns, decide, 1)
        try:
            for i in range(count):
                name = f"r-{i}"
                sent = time.perf_counter()
                api.call("POST", cluster.loadtests(ns), loadtest(name))
                first.append(1e3 * (seen.wait(name, "service") - sent))
                workers.append(1e3 * (seen.wait(name, "worker") - sent))
                released = seen.wait(name, "released")
                gate.append(1e3 * (released - passed[name]))
                api.call("DELETE", cluster.loadtests(ns, name))
                seen.wait_no_pods()
        finally:
            kubelet.stop()
            seen.stop()
    yield "create_to_first_child_p50_ms", quantile(first, 0.5), "ms"
    yield "create_to_first_child_p99_ms", quantile(first, 0.99), "ms"
    yield "create_to_worker_objects_p50_ms", quantile(workers, 0.5), "ms"
    yield "create_to_worker_objects_p99_ms", quantile(workers, 0.99), "ms"
    yield "pod_ready_to_master_released_p50_ms", quantile(gate, 0.5), "ms"
    yield "pod_ready_to_master_released_p99_ms", quantile(gate, 0.99), "ms"


def physical_limit(api, count=200):
    """What the API server itself needs: POST of a Service sent -> its watch event here."""
    with api.namespace("bench-limit") as ns:
        at, changed = {}, threading.Condition()

        def see(_, item):
            with changed:
                at.setdefault(item["metadata"]["name"], time.perf_counter())
                changed.notify_all()

        stop = api.watch(f"/api/v1/namespaces/{ns}/services", see)
        took = []
        for i in range(count):
            name = f"s-{i}"
            sent = time.perf_counter()
            api.call("POST", f"/api/v1/namespaces/{ns}/services",
                     {"metadata": {"name": name}, "spec": {"clusterIP": "None", "selector": {"a": "b"}}})
            with changed:
                changed.wait_for(lambda: name in at, 10)
            took.append(1e3 * (at[name] - sent))
        stop()
    yield "limit_post_to_event_p50_ms", quantile(took, 0.5), "ms"
    yield "limit_post_to_event_p99_ms", quantile(took, 0.99), "ms"


def burst(api, count=200):
    with api.namespace("bench-burst") as ns, Director(ns) as director:
        seen = Seen(api, ns)
        begun = time.perf_counter()
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for _ in pool.map(lambda i: api.call("POST", cluster.loadtests(ns), loadtest(f"b-{i}")), range(count)):
                pass
        created = time.perf_counter() - begun
        last = max(seen.wait(f"b-{i}", "worker", 60) for i in range(count))

        def told():
            items = api.call("GET", cluster.loadtests(ns))["items"]
            return sum(1 for item in items if item.get("status", {}).get("phase") in ("Discovery", "Workers")) == count
        wait_for("all statuses", told, 60, 0.05)
        statuses = time.perf_counter() - begun
        yield "burst_creates_per_second", count / created, "1/s"
        yield "burst_200_worker_jobs_s", last - begun, "s"
        yield "burst_200_statuses_s", statuses, "s"
        yield "burst_rss_mib", rss_mib(director.process.pid), "MiB"
        seen.stop()


def play(pod):
    """Every worker becomes ready and every master succeeds; workers end after the master (by deletion)."""
    phase = pod.get("status", {}).get("phase")
    if pod["metadata"]["labels"].get("atq.dev/role") == "worker":
        return "Ready" if phase == "Pending" else None
    return {"Pending": "Running", "Running": "Succeeded"}.get(phase)


def finished(api, ns):
    items = api.call("GET", cluster.loadtests(ns))["items"]
    return sum(1 for item in items if item.get("status", {}).get("phase") == "Finished")


def footprint(api, runs=100, foreign=10_000, tests=10_000, rest_seconds=60):
    with api.namespace("bench-footprint") as ns, Director(ns) as director:
        kubelet = cluster.Kubelet(api, ns, play)
        for i in range(runs):
            api.call("POST", cluster.loadtests(ns), loadtest(f"f-{i}", runPolicy={"stopGraceSeconds": 1}))
        wait_for(f"{runs} runs finished", lambda: finished(api, ns) == runs, 300, 0.5)
        kubelet.stop()
        time.sleep(3)  # what follows a finished run settles
        before = rss_mib(director.process.pid)
        yield "kubernetes_rss_after_100_runs_mib", before, "MiB"
        pod = {"spec": {"schedulingGates": [{"name": "atq.dev/bench"}], "containers": [{"name": "c", "image": "none"}]}}
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            for _ in pool.map(lambda i: api.call("POST", f"/api/v1/namespaces/{ns}/pods",
                                                 {"metadata": {"name": f"foreign-{i}"}, **pod}), range(foreign)):
                pass
        yield "foreign_pods_added_rss_mib", rss_mib(director.process.pid) - before, "MiB"
        writes, reads = director.requests()
        time.sleep(rest_seconds)
        after = director.requests()
        # The lease: one write each 2 s.
        yield "rest_writes_beside_lease_per_minute", max(0.0, (after[0] - writes) * 60 / rest_seconds - 30), "1/min"
        yield "rest_reads_per_minute", (after[1] - reads) * 60 / rest_seconds, "1/min"
    with api.namespace("bench-many") as ns:
        status = None
        with Director(ns):
            api.call("POST", cluster.loadtests(ns), loadtest("first", runPolicy={"stopGraceSeconds": 1}))
            kubelet = cluster.Kubelet(api, ns, play)
            wait_for("one run finished", lambda: finished(api, ns) == 1, 60, 0.2)
            kubelet.stop()
            status = api.call("GET", cluster.loadtests(ns, "first"))["status"]

        def finished_test(i):
            api.call("POST", cluster.loadtests(ns), loadtest(f"t-{i}"))
            api.call("PATCH", cluster.loadtests(ns, f"t-{i}") + "/status", {"status": status}, "application/merge-patch+json")
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            for _ in pool.map(finished_test, range(tests)):
                pass
        begun = time.perf_counter()
        with Director(ns) as director:
            yield "kubernetes_10000_tests_synced_s", time.perf_counter() - begun, "s"
            time.sleep(5)  # the first pass over all of them
            yield "kubernetes_10000_tests_rss_mib", rss_mib(director.process.pid), "MiB"


def kubernetes():
    os.environ.update(cluster.lab_environment())
    api = cluster.Api(os.environ["KUBECONFIG"])
    api.crd()
    parts = os.environ.get("ATQ_BENCH_PARTS", "physical_limit,reaction,burst,footprint").split(",")
    for part in parts:
        yield from globals()[part](api)
