"""What goes wrong: each the right verdict, reason and a message that a newcomer understands."""
import unittest

from tests.e2e.harness import Case, Target, environment, run_atq, run_test

QUICK = {"startupDeadlineSeconds": 20, "activeDeadlineSeconds": 30, "stopGraceSeconds": 2}


class Locust(Case):
    def run_locust(self, source, policy=QUICK, **parameters):
        self.folder.write("locustfile.py", source)
        with Target() as target:
            file = self.folder.loadtest("broken", {
                "tool": "locust", "files": [{"path": "./locustfile.py"}], "worker": {"replicas": 3}, "runPolicy": policy,
                "parameters": {"host": target.url, "users": "3", "spawnRate": "3", "runTime": "3s", **parameters}})
            return run_test(file, self.folder, environment("locust"))

    def test_broken_plan_names_the_mistake(self):
        code, test, said = self.run_locust("import no_such_module\n")
        self.assertEqual(code, 97, said)
        self.assert_verdict(test, "Error", says=["worker", "no_such_module"])
        self.assert_nothing_runs()

    def test_no_request_is_no_data(self):
        code, test, said = self.run_locust("""
            from locust import User, task, constant
            class Idle(User):
                wait_time = constant(1)
                @task
                def nothing(self):
                    pass
            """)
        self.assertEqual(code, 98, said)
        self.assert_verdict(test, "NoData")
        self.assert_nothing_runs()

    def test_master_that_never_ends(self):
        code, test, said = self.run_locust("""
            from locust import HttpUser, task, constant
            class Endless(HttpUser):
                wait_time = constant(0.2)
                @task
                def get(self):
                    self.client.get("/ok")
            """, {**QUICK, "activeDeadlineSeconds": 4}, runTime="10m")
        self.assertEqual(code, 97, said)
        self.assert_verdict(test, "Error", "ActiveDeadlineExceeded")
        self.assert_nothing_runs()


class JMeter(Case):
    def test_broken_plan_names_the_mistake(self):
        self.folder.write("plan.jmx", "<jmeterTestPlan version='1.2'><hashTree>")
        file = self.folder.loadtest("broken", {"tool": "jmeter", "files": [{"path": "./plan.jmx"}],
                                               "worker": {"replicas": 2}, "runPolicy": QUICK})
        code, test, said = run_test(file, self.folder, environment("jmeter"))
        self.assertEqual(code, 97, said)
        self.assert_verdict(test, "Error", "MasterFailed", says=["master"])
        self.assert_nothing_runs()


class Custom(Case):
    def run_custom(self, spec, **more):
        file = self.folder.loadtest("custom", {"runPolicy": QUICK, **spec, **more})
        return run_test(file, self.folder, environment())

    @staticmethod
    def shell(script, **more):
        return {"command": ["sh", "-c", script], **more}

    def test_missing_file_is_refused_before_anything_starts(self):
        code, _, said = self.run_custom({"worker": self.shell("true"), "files": [{"path": "./absent.txt"}]})
        self.assertEqual(code, 2, said)
        self.assertIn("absent.txt", said)
        self.assert_nothing_runs()

    def test_missing_tool_names_what_was_sought_and_where(self):
        code, test, said = self.run_custom({"worker": {"command": ["no-such-tool"]}, "master": self.shell("true")})
        self.assertEqual(code, 97, said)
        self.assert_verdict(test, "Error", says=["worker 0", "no-such-tool", "PATH"])
        self.assert_nothing_runs()

    def test_worker_that_exits_early_is_named_with_its_last_words(self):
        code, test, said = self.run_custom({
            "worker": self.shell('[ "$ATQ_WORKER_INDEX" != 1 ] || { echo "licence expired" >&2; exit 3; }; exec sleep 60', replicas=3),
            "healthCheck": {"checks": [{"name": "never", "tcp": {"port": 1}, "timeoutSeconds": 1}]},
            "master": self.shell("true")})
        self.assertEqual(code, 97, said)
        self.assert_verdict(test, "Error", says=["worker 1", "exited 3", "licence expired"])
        self.assert_nothing_runs()

    def test_worker_that_never_listens_is_named_by_the_health_gate(self):
        code, test, said = self.run_custom(
            {"worker": self.shell("exec sleep 60", replicas=2, ports=[{"name": "web", "containerPort": 18099}]),
             "healthCheck": {"checks": [{"name": "web", "tcp": {"port": 18099}, "timeoutSeconds": 1}]},
             "master": self.shell("true"), "runPolicy": {**QUICK, "startupDeadlineSeconds": 3}})
        self.assertEqual(code, 97, said)
        self.assert_verdict(test, "Error", says=["worker 0", "18099", "refused"])
        self.assert_nothing_runs()

    def test_image_is_ignored_by_this_runtime(self):
        code, test, said = self.run_custom({"worker": self.shell("exec sleep 60", image="no.such/registry/image:1"),
                                            "master": self.shell("echo fine", image="???".replace("?", "x"))})
        self.assertEqual(code, 0, said)
        self.assert_verdict(test, "Passed")
        self.assert_nothing_runs()

    def test_workers_that_never_exit_end_with_the_master(self):
        code, test, said = self.run_custom({"worker": self.shell("trap '' TERM; while :; do sleep 1; done", replicas=2),
                                            "master": self.shell("exit 0")})
        self.assertEqual(code, 0, said)
        self.assert_nothing_runs()

    def test_master_exit_code_is_the_word_of_a_custom_tool(self):
        code, test, said = self.run_custom({"worker": self.shell("exec sleep 60"), "master": self.shell("echo target too slow; exit 4")})
        self.assertEqual(code, 99, said)
        self.assert_verdict(test, "Failed", says=["4", "target too slow"])

    def test_masterless_workers_are_released_together(self):
        code, test, said = self.run_custom({"worker": self.shell("true", replicas=5)})
        self.assertEqual(code, 0, said)
        self.assertLess(test["status"]["start"]["skewMicroseconds"], 500_000)

    def test_invalid_document_lists_every_problem(self):
        file = self.folder.write("bad.yaml", """
            apiVersion: atq.dev/v1alpha1
            kind: LoadTest
            metadata: {name: bad}
            spec:
              worker: {replicas: three, comand: [x]}
            """)
        done = run_atq("validate", file, env=environment())
        self.assertEqual(done.returncode, 2, done.stderr)
        for text in ("spec.worker.replicas", "three", "comand", "command"):
            self.assertIn(text, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
