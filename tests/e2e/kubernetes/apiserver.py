"""A real API server of a test's own: etcd and kube-apiserver on loopback, nothing else. It stores, validates, defaults
and authorises as any; no controller runs, so nothing comes of what is stored."""
import contextlib
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import unittest
import urllib.parse

from tests.e2e.harness import BIN, ROOT, wait_for

CRD = ROOT / "crd/loadtests.atq.dev.yaml"
GROUP = "/apis/atq.dev/v1alpha1"


def cached_bin():
    """The folder of the binaries that hack/lab builds once; None before that."""
    cache = os.environ.get("ATQ_CACHE") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "atq")
    version = next(line.split("=")[1].strip() for line in (ROOT / "hack/lab.d/binaries.sh").read_text().splitlines()
                   if line.startswith("kubernetes_version="))
    folder = pathlib.Path(cache) / f"kubernetes-{version}/bin"
    return folder if folder.is_dir() else None


def binary(name):
    folder = cached_bin()
    path = folder / name if folder else None
    if not path or not os.access(path, os.X_OK):
        raise unittest.SkipTest(f"{name} is not built: run hack/lab kubernetes up once")
    return str(path)


def need_director_for_clusters():
    """Skips where atq-director is not built, or without the runtime of clusters."""
    if not (BIN / "atq-director").exists():
        raise unittest.SkipTest(f"{BIN}/atq-director is not built")
    with tempfile.TemporaryDirectory() as folder:
        refused = subprocess.run([BIN / "atq-director", "--store", "kubernetes", "--runtime", "kubernetes", "--data", folder,
                                  "--agent-image", "none"],
                                 env={**os.environ, "KUBECONFIG": f"{folder}/none", "HOME": folder}, capture_output=True, text=True, timeout=60)
    if 'found runtime "kubernetes", expected one of' in (refused.stderr + refused.stdout).replace('\\"', '"'):
        raise unittest.SkipTest("this director has no runtime in a cluster")


def free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


class Answer:
    def __init__(self, code, text, warnings):
        self.code, self.text, self.warnings = code, text, warnings

    @property
    def ok(self):
        return 200 <= self.code < 300

    @property
    def json(self):
        return json.loads(self.text)

    def __str__(self):
        with contextlib.suppress(ValueError, KeyError, TypeError):
            return f"{self.code}: {self.json['message']}"
        return f"{self.code}: {self.text[:2000]}"


class ApiServer:
    """Context manager. `call` is one request as cluster admin; `kubectl` runs the real one."""

    TOKEN = "admin-of-a-test"

    def __enter__(self):
        self.commands, self.processes = {}, {}
        with contextlib.ExitStack() as stack:
            self.path = pathlib.Path(tempfile.mkdtemp(prefix="atq-apiserver-"))
            stack.callback(shutil.rmtree, self.path, ignore_errors=True)
            self.start(stack)
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self.connection.close()
        self.stack.close()

    def start(self, stack):
        etcd, apiserver = binary("etcd"), binary("kube-apiserver")
        client, peer, self.port = free_ports(3)
        key = self.path / "sa.key"
        subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True, timeout=60)
        (self.path / "tokens.csv").write_text(f"{self.TOKEN},admin,admin,system:masters\n")
        self.spawn(stack, etcd, "--data-dir", self.path / "etcd", "--unsafe-no-fsync",
                   "--listen-client-urls", f"http://127.0.0.1:{client}", "--advertise-client-urls", f"http://127.0.0.1:{client}",
                   "--listen-peer-urls", f"http://127.0.0.1:{peer}", "--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}",
                   "--initial-cluster", f"default=http://127.0.0.1:{peer}")
        self.spawn(stack, apiserver, f"--etcd-servers=http://127.0.0.1:{client}", "--bind-address=127.0.0.1",
                   f"--secure-port={self.port}", f"--cert-dir={self.path}/certs", "--authorization-mode=RBAC",
                   f"--token-auth-file={self.path}/tokens.csv", "--service-account-issuer=https://atq.test",
                   f"--service-account-key-file={key}", f"--service-account-signing-key-file={key}",
                   "--service-cluster-ip-range=10.96.0.0/16", "--endpoint-reconciler-type=none",
                   "--enable-admission-plugins=OwnerReferencesPermissionEnforcement")
        self.connection = self.connect()
        self.kubeconfig = self.path / "kubeconfig"
        self.kubeconfig.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": f"https://127.0.0.1:{self.port}", "insecure-skip-tls-verify": True}}],
            "users": [{"name": "admin", "user": {"token": self.TOKEN}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}]}))
        wait_for("the API server is ready", self.is_ready, 90, 0.1)

    def connect(self):
        """A connection of one's own for call(); another thread needs one."""
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=30, context=ssl._create_unverified_context())

    def spawn(self, stack, program, *args):
        """Ends with the stack; `processes` has it by its name."""
        name = pathlib.Path(program).name
        self.commands[name] = [program, *map(str, args)]
        self.launch(name)
        stack.callback(self.end, name)

    def launch(self, name):
        with open(self.path / f"{name}.log", "ab") as log:
            self.processes[name] = subprocess.Popen(self.commands[name], stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def end(self, name):
        self.processes[name].send_signal(signal.SIGKILL)
        self.processes[name].wait()

    def restart(self, name):
        """Killed and started again; the caller waits until it is_ready()."""
        self.end(name)
        self.launch(name)

    def is_ready(self):
        try:
            # The namespace is made by the server itself, a moment after it says that it is ready.
            return self.call("GET", "/readyz").ok and self.call("GET", "/api/v1/namespaces/default").ok
        except (OSError, http.client.HTTPException):
            self.connection.close()
            return False

    def call(self, method, path, body=None, content="application/json", user=None, over=None, **query):
        """`user`: impersonated; `over`: a connection from connect()."""
        connection = over or self.connection
        if query:
            path += "?" + urllib.parse.urlencode(query)
        if body is not None and not isinstance(body, (str, bytes)):
            body = json.dumps(body)
        if isinstance(body, str):
            body = body.encode()
        headers = {"Authorization": f"Bearer {self.TOKEN}", "Content-Type": content, "Accept": "application/json",
                   **({"Impersonate-User": user} if user else {})}
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        return Answer(answer.status, text, answer.headers.get_all("Warning") or [])

    def kubectl(self, *args, check=True, **more):
        done = subprocess.run([binary("kubectl"), "--kubeconfig", self.kubeconfig, *map(str, args)], capture_output=True,
                              text=True, timeout=120, **more)
        if check and done.returncode != 0:
            raise AssertionError(f"kubectl {' '.join(map(str, args))}: {done.stderr}{done.stdout}")
        return done

    def install_crd(self):
        """The answer to its creation; returns when objects can be made."""
        answer = self.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", CRD.read_bytes(),
                           "application/yaml", fieldValidation="Strict")
        if answer.ok:
            wait_for("LoadTests are served", lambda: self.call("GET", f"{GROUP}/namespaces/default/loadtests").ok, 30, 0.05)
        return answer
