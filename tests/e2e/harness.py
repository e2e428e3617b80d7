"""What the end-to-end tests share: the built programs, the tools, a counting target, and a running director.
Everything runs on loopback, is bounded in time, and is gone when the test ends."""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
import unittest
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("ATQ_BIN", ROOT / "build/release/bin"))
PLANS = ROOT / "tests/e2e/plans"


def tools_path(*names):
    """Folders of the load tools, installed on first use."""
    out = subprocess.run([ROOT / "hack/tools", *names], capture_output=True, text=True, timeout=600)
    if out.returncode != 0:
        raise unittest.SkipTest(f"hack/tools {' '.join(names)}: {out.stderr.strip().splitlines()[-1:]}")
    return ":".join(out.stdout.split())


def environment(*tools):
    path = (tools_path(*tools) + ":" if tools else "") + str(BIN) + ":" + os.environ["PATH"]
    return {**os.environ, "PATH": path, "NO_COLOR": "1"}


def wait_for(what, condition, seconds=30.0, every=0.01):
    """Waits until condition() is true and returns its value."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(every)


class Target:
    """tests/e2e/target.py as a context manager; it ends by itself after `seconds`."""

    def __init__(self, host="127.0.0.1", seconds=600):
        self.listen, self.seconds = host, seconds

    def __enter__(self):
        self.process = subprocess.Popen([sys.executable, ROOT / "tests/e2e/target.py", "--host", self.listen,
                                         "--seconds", str(self.seconds)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        _, self.host, self.port = self.process.stdout.readline().split()
        self.url = f"http://{self.host}:{self.port}"
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()

    def counts(self):
        with urllib.request.urlopen(self.url + "/_counts", timeout=10) as answer:
            return json.load(answer)


class Folder:
    """A temporary folder of LoadTests and plans, with a data folder beside it."""

    def __enter__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="atq-e2e-"))
        self.tests = self.path / "tests"
        self.data = self.path / "data"
        self.tests.mkdir()
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)

    def write(self, name, text):
        """Writes a file of the folder at once, as an editor or Git would."""
        file = self.tests / name
        file.parent.mkdir(parents=True, exist_ok=True)
        new = file.with_name("." + file.name + ".new")
        new.write_text(textwrap.dedent(text))
        new.rename(file)
        return file

    def plan(self, name, to=None):
        shutil.copy(PLANS / name, self.tests / (to or name))

    def loadtest(self, name, spec, file=None):
        """A LoadTest of that name; `spec` is a value that JSON can hold, and JSON is YAML."""
        test = {"apiVersion": "atq.dev/v1alpha1", "kind": "LoadTest", "metadata": {"name": name}, "spec": spec}
        return self.write(file or f"{name}.yaml", json.dumps(test))


def run_atq(*args, env, timeout=120, **more):
    return subprocess.run([BIN / "atq", *map(str, args)], capture_output=True, text=True, env=env, timeout=timeout, **more)


def run_test(file, folder, env, *args, timeout=120):
    """`atq run FILE -o json`: the exit code, the finished object, and what was said on the way."""
    done = run_atq("run", file, "-o", "json", "--data", folder.data, *args, env=env, timeout=timeout)
    try:
        test = json.loads(done.stdout)
    except json.JSONDecodeError:
        test = None
    return done.returncode, test, done.stderr


class Director:
    """A real atq-director over a Folder; may be killed and started again."""

    def __init__(self, folder, env, *args):
        self.folder, self.env, self.args, self.process = folder, env, args, None

    def start(self):
        self.log = open(self.folder.path / "director.log", "ab")
        self.process = subprocess.Popen(
            [BIN / "atq-director", "--store", f"directory:{self.folder.tests}", "--runtime", "process", "--data",
             self.folder.data, *self.args], env=self.env, stderr=self.log, stdout=self.log, stdin=subprocess.DEVNULL)
        return self

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(40)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()
        kill_processes_below(self.folder.data)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.log.close()

    def get(self, name):
        """The object as `atq get -o json` has it; None while the director or the object is not there."""
        done = run_atq("get", name, "-o", "json", "--data", self.folder.data, env=self.env, timeout=20)
        with contextlib.suppress(json.JSONDecodeError):
            return json.loads(done.stdout) if done.returncode == 0 else None
        return None

    def status(self, name):
        return (self.get(name) or {}).get("status", {})

    def wait_phase(self, name, phase, seconds=60):
        return wait_for(f"{name} in phase {phase} (now {self.status(name)})",
                        lambda: (s := self.status(name)).get("phase") == phase and s, seconds, 0.02)

    def wait_finished(self, name, seconds=90, run=1):
        return wait_for(f"{name} finished", lambda: (s := self.status(name)).get("phase") == "Finished"
                        and s["run"]["number"] >= run and s, seconds, 0.05)


def processes_below(folder):
    """(pid, command line) of every process that names the folder in its command line, environment or working folder."""
    found, needle = [], str(folder).encode()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            command = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
            everything = command + pathlib.Path(f"/proc/{pid}/environ").read_bytes()
            if needle in everything or os.readlink(f"/proc/{pid}/cwd").encode().startswith(needle):
                if b"atq-director" not in command.split(b"\0")[0] and int(pid) != os.getpid():
                    found.append((int(pid), command.replace(b"\0", b" ").decode(errors="replace").strip()))
    return found


def kill_processes_below(folder):
    for pid, _ in processes_below(folder):
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)


class Case(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.folder = self.enterContext(Folder())
        self.addCleanup(kill_processes_below, self.folder.data)

    def assert_nothing_runs(self):
        """Every process of the runs is gone, soon."""
        wait_for(f"no process left: {processes_below(self.folder.data)}",
                 lambda: not processes_below(self.folder.data), 10)

    def assert_verdict(self, test, verdict, reason=None, says=()):
        status = test["status"]
        whole = f"{status.get('verdict')} {status.get('reason')}: {status.get('message')}"
        self.assertEqual(status["verdict"], verdict, whole)
        if reason:
            self.assertEqual(status["reason"], reason, whole)
        for text in says:
            self.assertIn(text, status["message"], whole)
