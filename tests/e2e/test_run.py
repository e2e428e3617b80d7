"""`atq run` as a person uses it: interrupts, a killed terminal, a terminal; and JMeter's and Locust's own traps."""
import json
import os
import pty
import re
import select
import signal
import subprocess
import time
import unittest

from tests.e2e.harness import (BIN, ROOT, Case, Target, environment, processes_below, run_atq, run_test, wait_for)


def shell(script, **more):
    return {"command": ["sh", "-c", script], **more}


class Interrupts(Case):
    SPEC = {"worker": shell("trap '' TERM; while :; do sleep 0.1; done"), "master": shell("trap '' TERM; while :; do sleep 0.1; done"),
            "runPolicy": {"stopGraceSeconds": 3}}

    def start(self, spec):
        file = self.folder.loadtest("interrupted", spec)
        process = subprocess.Popen([BIN / "atq", "run", file, "-o", "json", "--data", self.folder.data],
                                   env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.kill)
        wait_for("the master's tool", lambda: [c for _, c in processes_below(self.folder.data / "runs")
                                               if "atq-agent" not in c and "master" in c] or
                 list(self.folder.data.glob("runs/*/1/master/started")))
        return process

    def test_ctrl_c_once_is_graceful(self):
        process = self.start({**self.SPEC, "master": shell("trap 'echo bye; exit 0' TERM; while :; do sleep 0.05; done"),
                              "worker": shell("exec sleep 60")})
        process.send_signal(signal.SIGINT)
        out, said = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 105, said)
        self.assertEqual(json.loads(out)["status"]["verdict"], "Aborted")
        self.assert_nothing_runs()

    def test_ctrl_c_twice_is_now(self):
        process = self.start({**self.SPEC, "runPolicy": {"stopGraceSeconds": 60}})
        begin = time.monotonic()
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)  # two signals of one kind that come together are one to the kernel
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 105, said)
        self.assertLess(time.monotonic() - begin, 15)
        self.assert_nothing_runs()

    def test_killed_atq_leaves_no_process(self):
        process = self.start({**self.SPEC, "runPolicy": {"stopGraceSeconds": 1}})
        process.kill()
        process.communicate()
        self.assert_nothing_runs()


class Terminal(Case):
    def test_shows_the_phases_and_the_verdict(self):
        file = self.folder.loadtest("shown", {"worker": shell("exec sleep 60", replicas=2), "master": shell("sleep 0.4")})
        pid, screen = pty.fork()
        if pid == 0:
            os.execve(BIN / "atq", ["atq", "run", str(file), "--data", str(self.folder.data)],
                      {**environment(), "TERM": "xterm"})
        out = b""
        while True:
            ready, _, _ = select.select([screen], [], [], 30)
            try:
                piece = os.read(screen, 65536) if ready else b""
            except OSError:
                piece = b""
            if not piece:
                break
            out += piece
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0, out)
        text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", out.decode())
        for word in ("Workers", "Master", "Passed"):
            self.assertIn(word, text)


class Examples(Case):
    def test_all_are_valid_and_the_custom_one_passes(self):
        # Objects with generateName have no name before an API server gives them one: tests.e2e.kubernetes has those.
        files = [f for f in sorted((ROOT / "examples").rglob("*.yaml"))
                 if "\nkind: LoadTest\n" in (text := f.read_text()) and "generateName" not in text]
        self.assertGreaterEqual(len(files), 4)
        done = run_atq("validate", *files, env=environment())
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        code, test, said = run_test(ROOT / "examples/custom/loadtest.yaml", self.folder, environment())
        self.assertEqual(code, 0, said)
        self.assert_verdict(test, "Passed")


class ToolTraps(Case):
    def lose_worker(self, file, tool, loaded):
        """Kills the tool of one worker as soon as the target is loaded; gives exit code and object."""
        process = subprocess.Popen([BIN / "atq", "run", file, "-o", "json", "--data", self.folder.data],
                                   env=environment(tool), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.kill)
        wait_for("load at the target", loaded, 60)
        victim = next(pid for pid, command in processes_below(self.folder.data / "runs")
                      if "atq-agent" not in command and "worker-1" in os.readlink(f"/proc/{pid}/cwd"))
        os.kill(victim, signal.SIGKILL)
        begin = time.monotonic()
        out, said = process.communicate(timeout=90)
        self.assertEqual(process.returncode, 97, said)
        self.assert_verdict(json.loads(out), "Error", "WorkerLost", says=["worker 1"])
        self.assertLess(time.monotonic() - begin, 60, "the master must not hang")
        self.assert_nothing_runs()

    def test_a_dead_jmeter_server_does_not_hang_the_master(self):
        self.folder.plan("plan.jmx")
        with Target() as target:
            file = self.folder.loadtest("loss", {
                "tool": "jmeter", "files": [{"path": "./plan.jmx"}], "worker": {"replicas": 2}, "runPolicy": {"stopGraceSeconds": 8},
                "parameters": {"host": target.host, "port": target.port, "loops": "600", "path": "/slow?ms=100"}})
            self.lose_worker(file, "jmeter", lambda: target.counts()["total"] > 4)

    def test_a_dead_locust_worker_is_noticed(self):
        self.folder.plan("counted.py", "locustfile.py")
        with Target() as target:
            file = self.folder.loadtest("loss", {
                "tool": "locust", "files": [{"path": "./locustfile.py"}], "worker": {"replicas": 2}, "runPolicy": {"stopGraceSeconds": 5},
                "parameters": {"host": target.url, "users": "4", "spawnRate": "4", "runTime": "60s", "requests": "100000"}})
            self.lose_worker(file, "locust", lambda: target.counts()["total"] > 4)


if __name__ == "__main__":
    unittest.main()
