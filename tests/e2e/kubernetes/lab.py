"""The lab's cluster for tests that need real pods: brought up by hack/lab where it is not, with the images of this build."""
import json
import os
import pathlib
import secrets
import shutil
import signal
import subprocess
import tempfile
import unittest

from tests.e2e.harness import BIN, ROOT, wait_for
from tests.e2e.kubernetes.apiserver import binary

HOST = "10.200.0.1"  # the node's address: what listens there is reached from pods


def hack_lab(*args, timeout, check=True):
    done = subprocess.run([ROOT / "hack/lab", "kubernetes", *args], capture_output=True, text=True, timeout=timeout)
    if check and done.returncode != 0:
        raise AssertionError(f"hack/lab kubernetes {' '.join(args)}: {done.stderr[-3000:]}")
    return done.stdout if done.returncode == 0 else None


def bring_up(*images):
    """The environment for kubectl. Skips where no lab can be."""
    if os.environ.get("ATQ_NO_LAB"):
        raise unittest.SkipTest(os.environ["ATQ_NO_LAB"])
    if os.geteuid() != 0:
        raise unittest.SkipTest("the lab makes bridges and namespaces: it needs root")
    for name in ("kubelet", "kube-apiserver", "etcd"):
        binary(name)
    if not hack_lab("status", timeout=20, check=False):
        hack_lab("up", "--audit", timeout=200)
    if images:
        hack_lab("images", *images, timeout=200)
    exports = hack_lab("env", timeout=20)
    found = subprocess.run(["bash", "-c", exports + "env -0"], capture_output=True, text=True, timeout=20, check=True).stdout
    return dict(pair.split("=", 1) for pair in found.split("\0") if pair)


class Namespace:
    """A namespace of a test's own that holds pods to the restricted standard; it and all in it are
    deleted at the end."""

    def __init__(self, *images):
        self.env = bring_up(*images)
        self.name = "e2e-" + secrets.token_hex(4)

    def __enter__(self):
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", ROOT / "crd")
        self.apply({"apiVersion": "v1", "kind": "Namespace",
                    "metadata": {"name": self.name, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}})
        # Pods are refused until their account is there.
        wait_for("the service account", lambda: self.kubectl("get", "serviceaccount", "default", check=False).returncode == 0, 20, 0.05)
        return self

    def __exit__(self, *_):
        self.kubectl("delete", "ltest", "--all", "--wait=false", check=False)
        self.kubectl("delete", "pods", "--all", "--grace-period=0", "--force", check=False)
        self.kubectl("delete", "namespace", self.name, "--wait=false", check=False)

    def kubectl(self, *args, check=True, timeout=60, **more):
        done = subprocess.run(["kubectl", "-n", self.name, *map(str, args)], capture_output=True, text=True, env=self.env, timeout=timeout,
                              **more)
        if check and done.returncode != 0:
            raise AssertionError(f"kubectl {' '.join(map(str, args))}: {done.stderr}")
        return done

    def apply(self, *objects):
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
        self.kubectl("apply", "--server-side", "-f", "-", input=text)

    def pod(self, name):
        return json.loads(self.kubectl("get", "pod", name, "-o", "json").stdout)

    def logs(self, name):
        return self.kubectl("logs", name, check=False).stdout

    def address(self, name):
        return wait_for(f"{name} has an address", lambda: self.pod(name)["status"].get("podIP"), 60, 0.05)

    def wait_ready(self, name, seconds=90):
        def ready():
            status = self.pod(name)["status"]
            if status["phase"] in ("Failed", "Succeeded"):
                raise AssertionError(f"{name} has ended: {self.logs(name)}")
            return any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions", []))
        wait_for(f"{name} is ready: {self.logs(name)[-500:]}", ready, seconds, 0.1)

    def wait_end(self, name, seconds=120):
        """How the main container ended: its exit code, and what the agent left of it."""
        wait_for(f"{name} ends", lambda: self.pod(name)["status"]["phase"] in ("Failed", "Succeeded"), seconds, 0.1)
        ended = self.pod(name)["status"]["containerStatuses"][0]["state"]["terminated"]
        return ended["exitCode"], json.loads(ended["message"])

    # LoadTests

    def load(self, name, spec):
        """Applies a LoadTest of that name."""
        self.apply({"apiVersion": "atq.dev/v1alpha1", "kind": "LoadTest", "metadata": {"name": name}, "spec": spec})

    def status(self, name):
        return json.loads(self.kubectl("get", "ltest", name, "-o", "json").stdout).get("status", {})

    def wait_phase(self, name, phase, seconds=90):
        return wait_for(f"{name} is in phase {phase} (now {self.status(name)})", lambda: (s := self.status(name)).get("phase") == phase and s,
                        seconds, 0.2)

    def wait_finished(self, *names, seconds=120):
        """Their statuses, when all have finished."""
        done = self.kubectl("wait", "--for=condition=Finished", *(f"ltest/{name}" for name in names), f"--timeout={seconds}s", check=False,
                            timeout=seconds * len(names) + 30)
        if done.returncode != 0:
            raise AssertionError(done.stderr + "\n".join(f"{name}: {json.dumps(self.status(name))}" for name in names))
        return [self.status(name) for name in names]

    def left(self, name=None):
        """What the director has made and is still there."""
        selector = "app.kubernetes.io/managed-by=atq-director" + (f",atq.dev/loadtest={name}" if name else "")
        return self.kubectl("get", "services,jobs,pods", "-l", selector, "-o", "name").stdout.split()

    def wait_nothing_left(self, name=None, seconds=40):
        try:
            wait_for("nothing is left", lambda: not self.left(name), seconds, 0.3)
        except AssertionError as late:
            raise AssertionError(f"{late}: {self.left(name)}") from None


class ClusterDirector:
    """An atq-director outside of the cluster, for these namespaces only."""

    def __init__(self, *namespaces, runs=20):
        self.namespaces, self.runs, self.process = namespaces, runs, None

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="atq-e2e-"))
        names = [each.name for each in self.namespaces]
        config = self.folder / "director.yaml"
        config.write_text(json.dumps({
            "store": "kubernetes", "listen": "127.0.0.1:0",
            "runtimes": [{"name": "kubernetes", "type": "kubernetes", "maxConcurrentRuns": self.runs}],
            "kubernetes": {"namespaces": names, "leaseNamespace": names[0], "agentImage": "atq.dev/atq-director:lab", "imagePullPolicy": "Never"}}))
        self.log = open(self.folder / "director.log", "w+")
        self.process = subprocess.Popen([BIN / "atq-director", "--config", config], env=self.namespaces[0].env, stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log)
        return self

    def said(self):
        return (self.folder / "director.log").read_text()

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(40)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)
