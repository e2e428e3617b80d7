"""A small client of an API server for the benchmarks and tests: one kept connection a thread, watches in threads, and a
stand-in for the kubelet that says of pods what the caller decides. Standard library only."""
import base64
import contextlib
import http.client
import json
import os
import pathlib
import ssl
import subprocess
import tempfile
import threading
import time
import urllib.parse

from tests.e2e.harness import wait_for

ROOT = pathlib.Path(__file__).resolve().parents[2]
MANAGED = "app.kubernetes.io/managed-by=atq-director"


def lab_environment():
    """The environment of `hack/lab kubernetes env`; brings the lab up where it is not."""
    up = subprocess.run([ROOT / "hack/lab", "kubernetes", "up"], capture_output=True, text=True, timeout=1800)
    if up.returncode != 0:
        raise RuntimeError("hack/lab kubernetes up: " + up.stderr.strip()[-300:])
    out = subprocess.run(["bash", "-c", f'eval "$({ROOT}/hack/lab kubernetes env)" && env -0'], capture_output=True,
                         check=True, timeout=60).stdout.decode()
    return dict(pair.split("=", 1) for pair in out.split("\0") if "=" in pair)


class Api:
    def __init__(self, kubeconfig):
        # The lab's kubeconfig is one cluster and one user; kubectl gives it as JSON.
        config = json.loads(subprocess.run(["kubectl", "--kubeconfig", kubeconfig, "config", "view", "--raw", "-o", "json"],
                                           capture_output=True, check=True).stdout)
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        url = urllib.parse.urlsplit(cluster["server"])
        self.host, self.port = url.hostname, url.port
        self.context = ssl.create_default_context(
            cadata=base64.b64decode(cluster["certificate-authority-data"]).decode()
            if "certificate-authority-data" in cluster else open(cluster["certificate-authority"]).read())
        with tempfile.TemporaryDirectory() as folder:
            paths = []
            for name in ("client-certificate", "client-key"):
                if name + "-data" in user:
                    path = os.path.join(folder, name)
                    pathlib.Path(path).write_bytes(base64.b64decode(user[name + "-data"]))
                else:
                    path = user[name]
                paths.append(path)
            self.context.load_cert_chain(*paths)
        self.local = threading.local()

    def connection(self):
        return http.client.HTTPSConnection(self.host, self.port, context=self.context, timeout=60)

    def call(self, method, path, body=None, content_type="application/json"):
        # The server closes what has been idle for long.
        if time.monotonic() - getattr(self.local, "used", 0) > 30:
            self.local.connection = self.connection()
        self.local.used = time.monotonic()
        headers = {"Content-Type": content_type, "User-Agent": "bench"}
        self.local.connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = self.local.connection.getresponse()
        data = answer.read()
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status} {data[:300]!r}")
        return json.loads(data) if data else None

    def watch(self, path, handler):
        """Calls handler(type, object) from a thread of its own until the returned function is called; begins with what
        there is."""
        stopped = threading.Event()
        opened = threading.Event()

        def run():
            while not stopped.is_set():
                connection = self.connection()
                with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
                    mark = "&" if "?" in path else "?"
                    connection.request("GET", f"{path}{mark}watch=true&timeoutSeconds=3000", headers={"User-Agent": "bench"})
                    answer = connection.getresponse()
                    opened.set()
                    for line in answer:
                        if stopped.is_set():
                            break
                        event = json.loads(line)
                        handler(event["type"], event["object"])
                connection.close()

        threading.Thread(target=run, daemon=True).start()
        opened.wait(10)
        return stopped.set

    @contextlib.contextmanager
    def namespace(self, name):
        """A new one, even where a call before has not quite deleted its own; pods can be made when it is given."""
        name = f"{name}-{os.getpid()}"
        self.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        try:
            wait_for("the service account", lambda: any(
                item["metadata"]["name"] == "default"
                for item in self.call("GET", f"/api/v1/namespaces/{name}/serviceaccounts")["items"]))
            yield name
        finally:
            self.call("DELETE", f"/api/v1/namespaces/{name}")

    def crd(self):
        subprocess.run(["kubectl", "--kubeconfig", os.environ["KUBECONFIG"], "apply", "--server-side", "-f",
                        ROOT / "crd/loadtests.atq.dev.yaml"], check=True, capture_output=True)
        subprocess.run(["kubectl", "--kubeconfig", os.environ["KUBECONFIG"], "wait", "--for=condition=Established",
                        "crd/loadtests.atq.dev", "--timeout=30s"], check=True, capture_output=True)


def loadtests(ns, name=""):
    return f"/apis/atq.dev/v1alpha1/namespaces/{ns}/loadtests" + (f"/{name}" if name else "")


class Kubelet:
    """Pods that no scheduler takes (schedulerName: nobody) become what `decide(pod)` says: None leaves them."""

    def __init__(self, api, ns, decide, threads=4):
        self.api, self.ns, self.decide = api, ns, decide
        self.addresses, self.lock = iter(range(1, 1 << 16)), threading.Lock()
        self.queue, self.wake, self.ended = [], threading.Condition(), False
        self.stop_watch = api.watch(f"/api/v1/namespaces/{ns}/pods", self.see)
        for _ in range(threads):
            threading.Thread(target=self.work, daemon=True).start()

    def see(self, kind, pod):
        if kind in ("ADDED", "MODIFIED"):
            with self.wake:
                self.queue.append(pod)
                self.wake.notify()

    def work(self):
        while True:
            with self.wake:
                while not self.queue and not self.ended:
                    self.wake.wait(1)
                if self.ended:
                    return
                pod = self.queue.pop(0)
            if pod["metadata"].get("deletionTimestamp"):
                with contextlib.suppress(RuntimeError):
                    self.api.call("DELETE", f"/api/v1/namespaces/{self.ns}/pods/{pod['metadata']['name']}", {"gracePeriodSeconds": 0})
                continue
            state = self.decide(pod)
            if state:
                self.become(pod, state)

    def become(self, pod, state):
        """state: Running | Ready | Succeeded | Failed"""
        old = pod.get("status", {}).get("phase"), pod.get("status", {}).get("podIP")
        with self.lock:
            address = old[1] or "10.9.%d.%d" % divmod(next(self.addresses), 250)
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        container = pod["spec"]["containers"][0]["name"]
        done = state in ("Succeeded", "Failed")
        running = {"running": {"startedAt": now}}
        ended = {"terminated": {"exitCode": 0 if state == "Succeeded" else 1, "startedAt": now, "finishedAt": now}}
        status = {"phase": "Running" if state in ("Running", "Ready") else state, "podIP": address, "podIPs": [{"ip": address}],
                  "hostIP": "10.200.0.1", "startTime": now,
                  "conditions": [{"type": "Ready", "status": "True" if state == "Ready" else "False", "lastTransitionTime": now}],
                  "containerStatuses": [{"name": container, "image": "none", "imageID": "none", "ready": state == "Ready",
                                         "restartCount": 0, "started": not done, "state": ended if done else running}]}
        with contextlib.suppress(RuntimeError):
            self.api.call("PATCH", f"/api/v1/namespaces/{self.ns}/pods/{pod['metadata']['name']}/status", {"status": status},
                          "application/merge-patch+json")

    def stop(self):
        self.stop_watch()
        with self.wake:
            self.ended = True
            self.wake.notify_all()
