"""What a running director serves, and how it stops."""
import pathlib
import signal
import socket
import subprocess
import time
import unittest
import urllib.error
import urllib.request

from tests.e2e.harness import BIN, Case, Director, environment, run_atq, wait_for


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Served(Case):
    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return answer.read().decode()

    def test_metrics_and_probes(self):
        self.port = free_port()
        self.folder.loadtest("one", {"worker": {"command": ["true"]}})
        with Director(self.folder, environment(), "--listen", f"127.0.0.1:{self.port}", "--log-format", "json") as director:
            director.wait_finished("one")
            self.assertEqual(self.get("/healthz").strip(), "ok")
            self.assertEqual(self.get("/readyz").strip(), "ok")
            metrics = self.get("/metrics")
            for name in ("controller_runtime_reconcile_total", "workqueue_depth", "process_resident_memory_bytes",
                         "leader_election_master_status"):
                self.assertIn(name, metrics)
            with self.assertRaises(urllib.error.HTTPError) as refused:
                self.get("/v1/loadtests")
            self.assertEqual(refused.exception.code, 404, "the local API is not on TCP")
        import json
        for line in (self.folder.path / "director.log").read_text().splitlines():
            json.loads(line)

    def test_a_slow_or_endless_client_is_cut_off(self):
        self.port = free_port()
        with Director(self.folder, environment(), "--listen", f"127.0.0.1:{self.port}") as director:
            wait_for("listening", lambda: self.try_get("/healthz"))
            with socket.create_connection(("127.0.0.1", self.port)) as client:
                client.sendall(b"GET /metrics HTTP/1.1\r\n")
                sent = 0
                try:
                    while sent < 64 << 20:
                        client.sendall(b"X-Padding: " + b"x" * 1000 + b"\r\n")
                        sent += 1013
                except OSError:
                    pass
                self.assertLess(sent, 64 << 20, "an endless header must be refused")
            self.assertEqual(self.get("/healthz").strip(), "ok")
            status = pathlib.Path(f"/proc/{director.process.pid}/status").read_text()
            self.assertLess(int(status.split("VmRSS:")[1].split()[0]), 64 * 1024)

    def try_get(self, path):
        try:
            return self.get(path)
        except OSError:
            return None


class Stopping(Case):
    def test_runs_outlive_a_director_that_is_asked_to_stop(self):
        self.folder.loadtest("long", {"worker": {"command": ["sleep", "60"]}, "master": {"command": ["sleep", "2"]}})
        env = environment()
        first = Director(self.folder, env).start()
        first.wait_phase("long", "Master")
        first.process.send_signal(signal.SIGTERM)
        self.assertEqual(first.process.wait(20), 0)
        first.log.close()
        with Director(self.folder, env) as second:
            status = second.wait_finished("long")
            self.assertEqual((status["verdict"], status["run"]["number"]), ("Passed", 1), status)
        self.assert_nothing_runs()

    def test_a_second_director_waits_for_the_first(self):
        env = environment()
        with Director(self.folder, env) as first:
            wait_for("the first leads", lambda: run_atq("get", "--data", self.folder.data, env=env).returncode == 0)
            second = subprocess.run([BIN / "atq-director", "--store", f"directory:{self.folder.tests}", "--runtime", "process",
                                     "--data", self.folder.data], env=env, capture_output=True, text=True, timeout=30)
            self.assertNotEqual(second.returncode, 0, "the local socket is taken")
            self.assertIn("atq.sock", second.stderr)
            self.assertIsNone(first.process.poll())

    def test_atq_says_what_to_do_where_no_director_runs(self):
        done = run_atq("get", "--data", self.folder.data, env=environment())
        self.assertEqual(done.returncode, 1, done)
        self.assertIn("atq-director", done.stderr)


if __name__ == "__main__":
    unittest.main()
