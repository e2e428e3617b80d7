"""A real director over a folder: worker loss in each phase, deletion, stop, re-run, restart and kill -9."""
import os
import pathlib
import random
import signal
import time
import unittest

from tests.e2e.harness import (Case, Director, environment, processes_below, run_atq, wait_for)

CRASHES = int(os.environ.get("ATQ_CRASHES", "6"))


def shell(script, **more):
    return {"command": ["sh", "-c", script], **more}


def replica_processes(folder, role):
    """Pids of the tools (not the agents) of a role, by the environment that the runtime gives them."""
    wanted = f"ATQ_ROLE={role}".encode()
    return [pid for pid, command in processes_below(folder.data)
            if "atq-agent" not in command and wanted in environment_of(pid)]


def environment_of(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


class WorkerLoss(Case):
    def lose(self, phase, spec):
        self.folder.loadtest("loss", {"runPolicy": {"stopGraceSeconds": 2, "startupDeadlineSeconds": 60}, **spec})
        with Director(self.folder, environment()) as director:
            director.wait_phase("loss", phase)
            victims = wait_for("the workers' tools", lambda: (p := replica_processes(self.folder, "worker"))
                               and len(p) >= 2 and p)
            os.kill(victims[0], signal.SIGKILL)
            died = time.time()
            status = director.wait_finished("loss")
            self.assertEqual(status["verdict"], "Error", status)
            self.assertRegex(status["message"], r"worker [01]", status)
            self.assertRegex(status["message"], r"signal 9|killed|137", status)
            latched = status["run"]["collectingAt"]
            self.assertLess(_epoch(latched) - died, 1.0, "latched within a second of the death")
            return status
        self.assert_nothing_runs()

    def test_in_workers(self):
        self.lose("Workers", {"worker": shell("sleep 60", replicas=2, readiness={"tcpPort": 18098}),
                              "master": shell("true")})

    def test_in_health_check(self):
        self.lose("HealthCheck", {"worker": shell("sleep 60", replicas=2), "master": shell("true"),
                                  "healthCheck": {"checks": [{"name": "never", "tcp": {"port": 1}}]}})

    def test_in_master(self):
        status = self.lose("Master", {"worker": shell("sleep 60", replicas=2), "master": shell("sleep 60")})
        self.assertEqual(status["reason"], "WorkerLost")


def _epoch(text):
    from datetime import datetime
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class Controls(Case):
    SPEC = {"worker": shell("exec sleep 60", replicas=2), "master": shell("exec sleep 60"),
            "runPolicy": {"stopGraceSeconds": 2}}

    def test_stop_is_aborted_and_rerun_starts_one_more(self):
        self.folder.loadtest("controls", self.SPEC)
        env = environment()
        with Director(self.folder, env) as director:
            director.wait_phase("controls", "Master")
            done = run_atq("stop", "controls", "--data", self.folder.data, env=env)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(director.wait_finished("controls")["verdict"], "Aborted")
            self.assert_nothing_runs()
            done = run_atq("rerun", "controls", "--data", self.folder.data, env=env)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(director.wait_phase("controls", "Master")["run"]["number"], 2)
            done = run_atq("stop", "controls", "--now", "--data", self.folder.data, env=env)
            self.assertEqual(done.returncode, 0, done.stderr)
            status = director.wait_finished("controls", run=2)
            self.assertEqual(status["history"][0]["number"], 2)
        self.assert_nothing_runs()

    def test_deleting_the_file_leaves_nothing(self):
        file = self.folder.loadtest("deleted", self.SPEC)
        with Director(self.folder, environment()) as director:
            director.wait_phase("deleted", "Master")
            file.unlink()
            wait_for("the object is gone", lambda: director.get("deleted") is None)
            self.assert_nothing_runs()
            wait_for("its runs are gone", lambda: not [p for p in (self.folder.data / "runs").glob("*/*")])

    def test_a_new_nonce_gives_one_new_run_and_an_edit_none(self):
        spec = {"worker": shell("exec sleep 60"), "master": shell("true"), "runNonce": "1"}
        self.folder.loadtest("nonce", spec)
        with Director(self.folder, environment()) as director:
            director.wait_finished("nonce")
            self.folder.loadtest("nonce", {**spec, "parameters": {"edited": "yes"}})
            wait_for("the edit is seen", lambda: [c for c in director.status("nonce").get("conditions", [])
                                                  if c["type"] == "UpToDate" and c["status"] == "False"])
            self.assertEqual(director.status("nonce")["run"]["number"], 1)
            self.folder.loadtest("nonce", {**spec, "runNonce": "2"})
            self.assertEqual(director.wait_finished("nonce", run=2)["run"]["number"], 2)

    def test_a_half_written_file_disturbs_nobody(self):
        self.folder.loadtest("good", {"worker": shell("true")})
        self.folder.write("half.yaml", "apiVersion: atq.dev/v1alpha1\nkind: LoadTest\nmetadata: {name: ha")
        env = environment()
        with Director(self.folder, env) as director:
            self.assertEqual(director.wait_finished("good")["verdict"], "Passed")
            done = run_atq("get", "--data", self.folder.data, env=env)
            self.assertIn("half.yaml", done.stdout + done.stderr)


class Crash(Case):
    def test_kill_9_at_random_moments_loses_and_doubles_nothing(self):
        seed = int(os.environ.get("ATQ_SEED", random.randrange(1 << 31)))
        print(f"seed {seed}")
        rng = random.Random(seed)
        marks = self.folder.path / "marks"
        marks.mkdir()
        env = environment()
        # Each role leaves a mark of its own start; a second start would leave a second line.
        script = f'echo start >>"{marks}/$ATQ_LOADTEST.$ATQ_ROLE.${{ATQ_WORKER_INDEX:-x}}.$ATQ_RUN"; '
        for crash in range(CRASHES):
            name = f"crash-{crash}"
            self.folder.loadtest(name, {
                "worker": shell(script + "exec sleep 60", replicas=3), "master": shell(script + "sleep 0.3; echo done"),
                "healthCheck": {"delaySeconds": 0, "checks": [{"name": "up", "exec": {"command": ["true"]}}]},
                "runPolicy": {"stopGraceSeconds": 2}})
            director = Director(self.folder, env).start()
            time.sleep(rng.uniform(0.0, 0.6))
            director.kill()
            with Director(self.folder, env) as director:
                status = director.wait_finished(name)
                self.assertEqual(status["verdict"], "Passed", f"seed {seed}, crash {crash}: {status}")
                self.assertEqual(status["run"]["number"], 1)
            self.assert_nothing_runs()
            for role, count in (("worker", 3), ("master", 1)):
                files = list(marks.glob(f"{name}.{role}.*"))
                self.assertEqual(len(files), count, f"seed {seed}, crash {crash}: {files}")
                for file in files:
                    self.assertEqual(file.read_text(), "start\n", f"seed {seed}, crash {crash}: {file.name}")


if __name__ == "__main__":
    unittest.main()
