"""Real tools, one master and three workers each; the target counts what the plan says."""
import os
import unittest

from tests.e2e.harness import Case, Target, environment, run_test


def network_namespaces():
    try:
        return {name for name in os.listdir("/run/netns") if name.startswith("atq-")}
    except FileNotFoundError:
        return set()


class Locust(Case):
    def test_counts_what_the_plan_says(self):
        self.folder.plan("counted.py", "locustfile.py")
        with Target() as target:
            file = self.folder.loadtest("counted", {
                "tool": "locust", "files": [{"path": "./locustfile.py"}], "worker": {"replicas": 3},
                "parameters": {"host": target.url, "users": "6", "spawnRate": "6", "runTime": "5s",
                               "requests": "20", "path": "/ok"},
                "thresholds": ["count(requests) == 120", "ratio(failures) <= 0%"]})
            code, test, said = run_test(file, self.folder, environment("locust"))
            self.assertEqual(code, 0, said)
            self.assert_verdict(test, "Passed")
            self.assertEqual(target.counts()["total"], 6 * 20)
            self.assertEqual(test["status"]["summary"]["requests"], 6 * 20)
            self.assertEqual(test["status"]["workers"]["ready"], 3)
        self.assert_nothing_runs()

    def test_failing_requests_fail(self):
        self.folder.plan("counted.py", "locustfile.py")
        with Target() as target:
            file = self.folder.loadtest("failing", {
                "tool": "locust", "files": [{"path": "./locustfile.py"}], "worker": {"replicas": 3},
                "parameters": {"host": target.url, "users": "3", "spawnRate": "3", "runTime": "5s",
                               "requests": "10", "path": "/fail"}})
            code, test, said = run_test(file, self.folder, environment("locust"))
        self.assertEqual(code, 99, said)
        self.assert_verdict(test, "Failed", says=["30 of 30"])
        self.assert_nothing_runs()


class JMeter(Case):
    def run_plan(self, path, host="127.0.0.1", **more):
        self.folder.plan("plan.jmx")
        with Target(host) as target:
            file = self.folder.loadtest("counted", {
                "tool": "jmeter", "files": [{"path": "./plan.jmx"}], "worker": {"replicas": 3},
                "parameters": {"host": target.host, "port": target.port, "threads": "2", "loops": "20", "path": path}, **more})
            code, test, said = run_test(file, self.folder, environment("jmeter"))
            self.counts = target.counts()
            return code, test, said, self.counts["total"]

    def test_counts_what_the_plan_says(self):
        code, test, said, total = self.run_plan("/ok")
        self.assertEqual(code, 0, said)
        self.assert_verdict(test, "Passed")
        self.assertEqual(total, 3 * 2 * 20)
        self.assertEqual(test["status"]["summary"]["requests"], 3 * 2 * 20)
        self.assert_nothing_runs()

    def test_each_replica_in_a_network_namespace_of_its_own(self):
        if os.geteuid() != 0:
            self.skipTest("network namespaces need root")
        before = network_namespaces()
        # 127.0.0.1 is each replica itself; another loopback address is the machine's.
        code, test, said, total = self.run_plan("/ok", host="127.99.0.1", process={"networkNamespace": True})
        if "network namespace" in said and code == 97:
            self.skipTest(said.strip().splitlines()[-1])
        self.assertEqual(code, 0, said)
        self.assert_verdict(test, "Passed")
        self.assertEqual(total, 3 * 2 * 20)
        # All bound the port that the profile declares, and the target saw each by its own address.
        self.assertEqual(self.counts["by_source"], {address: 2 * 20 for address in test["status"]["workers"]["addresses"]})
        self.assert_nothing_runs()
        self.assertEqual(network_namespaces() - before, set())

    def test_failing_requests_fail_although_jmeter_exits_0(self):
        code, test, said, total = self.run_plan("/flaky")
        self.assertEqual(code, 99, said)
        self.assert_verdict(test, "Failed", says=["24 of 120"])
        self.assertEqual(total, 120)
        self.assert_nothing_runs()


if __name__ == "__main__":
    unittest.main()
