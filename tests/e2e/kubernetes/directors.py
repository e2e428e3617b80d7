"""Directors outside of a cluster that share a Lease, killed, frozen and started again by a test; and what is counted of the
runs meanwhile: pods ever created, and marks that the roles themselves leave."""
import collections
import contextlib
import itertools
import json
import pathlib
import secrets
import signal
import subprocess
import threading
import time

from tests.e2e.harness import BIN, wait_for

LEASE = "directors"
FAILOVER = 25.0  # seconds; docs/configuration.md
WRITES = ("create", "update", "patch", "delete", "deletecollection")


class Process:
    """One atq-director."""

    def __init__(self, name, folder, env, kubeconfig, namespace):
        self.name, self.log = name, folder / f"{name}.log"
        config = folder / f"{name}.yaml"
        config.write_text(json.dumps({
            "store": "kubernetes", "runtimes": [{"type": "kubernetes"}],
            "kubernetes": {"kubeconfig": str(kubeconfig), "namespaces": [namespace], "leaseNamespace": namespace, "leaseName": LEASE,
                           "agentImage": "atq.dev/atq-director:lab", "imagePullPolicy": "Never"}}))
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([BIN / "atq-director", "--config", config], env={**env, "POD_NAME": name}, stdout=log,
                                            stderr=log, stdin=subprocess.DEVNULL)

    def runs(self):
        return self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def end(self):
        with contextlib.suppress(OSError):
            self.signal(signal.SIGKILL)
        self.process.wait()

    def says(self):
        return f"{self.name}: " + self.log.read_text(errors="replace")[-3000:]


class Directors:
    """`size` of them, always: replace() is what a Deployment does. Context manager."""

    def __init__(self, folder, env, kubeconfig, namespace, get_lease, size=2):
        self.folder, self.env, self.namespace, self.size = pathlib.Path(folder), env, namespace, size
        self.kubeconfigs = itertools.cycle(kubeconfig if isinstance(kubeconfig, list) else [kubeconfig])
        self.get_lease, self.token, self.all = get_lease, secrets.token_hex(3), []
        self.restarts = 0

    def __enter__(self):
        for _ in range(self.size):
            self.add()
        return self

    def __exit__(self, *_):
        for each in self.all:
            each.end()

    def add(self):
        name = f"ha-{self.token}-{len(self.all)}"
        self.all.append(Process(name, self.folder, self.env, next(self.kubeconfigs), self.namespace))
        return self.all[-1]

    def replace_ended(self):
        for _ in range(self.size - sum(each.runs() for each in self.all)):
            self.restarts += 1
            self.add()

    def holder(self):
        """The identity in the Lease; "" where nobody leads."""
        with contextlib.suppress(OSError, ValueError, KeyError, AssertionError):
            return self.get_lease()["spec"].get("holderIdentity") or ""
        return ""

    def leader(self, seconds=FAILOVER, other_than=None):
        """(process, identity) of who leads and runs, once one does."""
        def found():
            holder = self.holder()
            for each in self.all:
                if each is not other_than and each.runs() and holder.startswith(each.name + "_"):
                    return each, holder
            return None
        return wait_for(f"a director leads; {self.holder()!r} holds the Lease\n{self.says()}", found, seconds, 0.05)

    def says(self):
        return "\n".join(each.says() for each in self.all[-4:])


class Pods:
    """Counts the pods of runs that were ever there: {loadtest: {role: [uid…]}}. A watch of kubectl's, begun again when it
    ends. Context manager."""

    FORM = r'{.metadata.uid} {.metadata.labels.atq\.dev/loadtest} {.metadata.labels.atq\.dev/role}{"\n"}'

    def __init__(self, kubectl, env, namespace):
        self.command = [kubectl, "-n", namespace, "get", "pods", "-l", "app.kubernetes.io/managed-by=atq-director", "--watch", "-o",
                        "jsonpath=" + self.FORM]
        self.env, self.seen, self.ended = env, collections.defaultdict(lambda: collections.defaultdict(set)), False

    def __enter__(self):
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        return self

    def run(self):
        while not self.ended:
            with subprocess.Popen(self.command, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as self.process:
                for line in self.process.stdout:
                    if len(words := line.split()) == 3:
                        self.seen[words[1]][words[2]].add(words[0])
            time.sleep(0.1)

    def __exit__(self, *_):
        self.ended = True
        with contextlib.suppress(AttributeError, OSError):
            self.process.kill()
        self.thread.join(10)

    def count(self, test, role):
        return len(self.seen[test][role])


class Audit:
    """What the lab's audit log has from now on."""

    def __init__(self, env):
        self.path = pathlib.Path(env["ATQ_LAB_AUDIT"])
        self.start = self.path.stat().st_size

    def entries(self):
        if self.path.stat().st_size < self.start:
            self.start = 0  # rotated
        with open(self.path, "rb") as log:
            log.seek(self.start)
            lines = log.read().split(b"\n")
        found = []
        for line in lines:
            with contextlib.suppress(ValueError):
                found.append(json.loads(line))
        return found

    def writes(self, identity):
        """(time, verb, resource, name, code) of that director's, by time."""
        return sorted((e["requestReceivedTimestamp"], e["verb"], e["objectRef"].get("resource"), e["objectRef"].get("name", ""),
                       e.get("responseStatus", {}).get("code", 0))
                      for e in self.entries() if f"({identity})" in e.get("userAgent", "") and e["verb"] in WRITES and "objectRef" in e)


def mark(target):
    """Shell that tells the target once that this replica has been started."""
    ask = f"import urllib.request as u; u.urlopen('{target.url}/'+'/'.join(__import__('sys').argv[1:]), timeout=20).read()"
    return f'python3 -c "{ask}" "$ATQ_LOADTEST" "$ATQ_ROLE" "${{ATQ_WORKER_INDEX:-0}}" "$ATQ_RUN"; '


def role(script, **more):
    return {"image": "atq.dev/tools:lab", "command": ["sh", "-c", script], **more}


def loadtest(name, kind, target, seconds=1.0):
    """kind: plain (a master), checked (and a health check by a prober), together (no master: workers released at once)."""
    workers = {"plain": "exec sleep 600", "checked": "exec sleep 600", "together": f"sleep {seconds}"}[kind]
    spec = {"worker": role(mark(target) + workers, replicas=2), "runPolicy": {"stopGraceSeconds": 1}}
    if kind != "together":
        spec["master"] = role(mark(target) + f"sleep {seconds}")
    if kind == "checked":
        spec["healthCheck"] = {"delaySeconds": 0, "checks": [{"name": "up", "exec": {"image": "atq.dev/tools:lab", "command": ["true"]}}]}
    return {"apiVersion": "atq.dev/v1alpha1", "kind": "LoadTest", "metadata": {"name": name}, "spec": spec}


def expected_marks(name, kind):
    return {f"/{name}/{who}/{index}/1": 1 for who, count in (("worker", 2), ("master", kind != "together")) for index in range(count)}
