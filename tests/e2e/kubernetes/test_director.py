"""A director outside of the cluster, LoadTests by kubectl, real pods and real tools. The LoadTests of a class run side by
side, in a namespace of its own that holds pods to the restricted standard."""
import collections
import json
import pathlib
import sys
import unittest

from tests.e2e.harness import PLANS, Target, wait_for
from tests.e2e.kubernetes.lab import HOST, ClusterDirector, Namespace

REQUESTS = ("import os, urllib.request\n"
            "for _ in range(20): urllib.request.urlopen(os.environ['url'] + '/ok').read()")
# A master of three lines: every worker must be reached at the address that it is given.
ASK_WORKERS = "for vip in os.environ['WORKER_CSV_VIPS'].split(','): urllib.request.urlopen(f'http://{vip}:8080/').read()"
KEEP = {"cleanup": {"policy": "Never"}}
QUICK = {"startupDeadlineSeconds": 25, "activeDeadlineSeconds": 60, "stopGraceSeconds": 2, **KEEP}


def inline(name):
    return [{"inline": {name: (PLANS / name).read_text()}}]


def python(script, **more):
    return {"image": "atq.dev/tools:lab", "command": ["python3", "-c", script], **more}


def shell(script, **more):
    return {"image": "atq.dev/tools:lab", "command": ["sh", "-c", script], **more}


def idle(**more):
    return shell("exec sleep 300", **more)


def tool(image, **more):
    return {"worker": {"image": f"atq.dev/{image}:lab", **more}, "master": {"image": f"atq.dev/{image}:lab"}}


def locust(url, files=None, policy=KEEP, **parameters):
    return {"tool": "locust", "files": files or inline("counted.py"), "runPolicy": policy, **tool("locust", replicas=3),
            "parameters": {"host": url, "users": "6", "spawnRate": "6", "runTime": "5s", "requests": "20", "path": "/ok", **parameters}}


def jmeter(target, files=None, policy=KEEP, **parameters):
    return {"tool": "jmeter", "files": files or inline("plan.jmx"), "runPolicy": policy, **tool("jmeter", replicas=3),
            "parameters": {"host": target.host, "port": str(target.port), "threads": "2", "loops": "20", "path": "/ok", **parameters}}


class ServerCase(unittest.TestCase):
    maxDiff = None
    images = ()
    namespaces = 1
    runs = 20

    @classmethod
    def setUpClass(cls):
        cls.all = [cls.enterClassContext(Namespace("director", "tools", *cls.images)) for _ in range(cls.namespaces)]
        cls.cluster = cls.all[0]
        cls.director = cls.enterClassContext(ClusterDirector(*cls.all, runs=cls.runs))

    def tearDown(self):
        if self._outcome and not self._outcome.success:
            print(self.director.said()[-6000:], file=sys.stderr)

    def target(self):
        return self.enterContext(Target(HOST))

    def assert_verdict(self, status, verdict, reason=None, says=()):
        whole = f"{status.get('verdict')} {status.get('reason')}: {status.get('message')}"
        self.assertEqual(status.get("verdict"), verdict, whole)
        if reason:
            self.assertEqual(status["reason"], reason, whole)
        for text in says:
            self.assertIn(text, status["message"], whole)


class Tools(ServerCase):
    images = ("locust", "jmeter")

    def test_each_tool_does_what_its_plan_says(self):
        targets = {name: self.target() for name in ("locust", "jmeter", "custom", "together")}
        self.cluster.load("together", {"worker": python(REQUESTS, replicas=3), "parameters": {"url": targets["together"].url}})
        self.cluster.load("custom", {
            "worker": shell("exec python3 -m http.server --directory /atq/out 8080", replicas=2),
            "healthCheck": {"checks": [{"name": "web", "http": {"port": 8080}}]}, "runPolicy": KEEP,
            "master": python(REQUESTS + "\n" + ASK_WORKERS), "parameters": {"url": targets["custom"].url}})
        self.cluster.load("locust", {**locust(targets["locust"].url), "thresholds": ["count(requests) == 120", "ratio(failures) <= 0%"]})
        self.cluster.load("jmeter", jmeter(targets["jmeter"]))
        found = dict(zip(targets, self.cluster.wait_finished(*targets, seconds=200)))
        counted = {"locust": 6 * 20, "jmeter": 3 * 2 * 20, "custom": 20, "together": 3 * 20}
        for name, status in found.items():
            with self.subTest(name):
                self.assert_verdict(status, "Passed")
                self.assertEqual(targets[name].counts()["total"], counted[name])
        for name in ("locust", "jmeter"):
            self.assertEqual(found[name]["summary"]["requests"], counted[name])
            self.assertEqual(found[name]["workers"]["ready"], 3)
        self.assertLess(found["together"]["start"]["skewMicroseconds"], 1_000_000)
        print("skew of 3 workers:", found["together"]["start"]["skewMicroseconds"], "us")
        self.cluster.wait_nothing_left("together")  # cleanup is OnSuccess, unless asked for otherwise
        self.assertGreaterEqual(len(self.cluster.left("locust")), 3 + 4)
        self.cluster.kubectl("delete", "ltest", "--all")
        self.cluster.wait_nothing_left()


class ToolFailures(ServerCase):
    images = ("locust", "jmeter")

    def test_each_names_the_mistake(self):
        target = self.target()
        policy = {**QUICK, "startupDeadlineSeconds": 120}
        tests = {
            "syntax": locust(target.url, [{"inline": {"locustfile.py": "class Shopper(HttpUser:\n"}}], policy),
            "broken-plan": jmeter(target, [{"inline": {"plan.jmx": "<jmeterTestPlan version='1.2'><hashTree>"}}], policy),
            "failing": locust(target.url, policy=policy, path="/fail"),
            "flaky": jmeter(target, policy=policy, path="/flaky")}
        for name, spec in tests.items():
            self.cluster.load(name, spec)
        found = dict(zip(tests, self.cluster.wait_finished(*tests, seconds=200)))
        for name, verdict, reason, says in [
                ("syntax", "Error", "WorkerExited", ["worker", "not valid Python", "SyntaxError"]),
                ("broken-plan", "Error", "MasterFailed", ["master", "plan.jmx is not valid XML"]),
                ("failing", "Failed", "ToolFailed", ["120 of 120", "500"]),
                ("flaky", "Failed", "RequestsFailed", ["24 of 120"])]:
            with self.subTest(name):
                self.assert_verdict(found[name], verdict, reason, says)
                print(f"{name}: {found[name]['reason']}: {found[name]['message']}")


class PlatformFailures(ServerCase):
    namespaces = 2

    def test_each_ends_in_its_deadline_with_the_reason(self):
        quota = self.all[1]
        quota.apply({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "small"}, "spec": {"hard": {"pods": "1"}}})
        oom = python("x = bytearray(200 << 20); print(len(x))", resources={"requests": {"memory": "32Mi"}, "limits": {"memory": "32Mi"}})
        fails = shell('[ "$ATQ_WORKER_INDEX" != 1 ] || { echo "licence expired" >&2; exit 3; }; exec sleep 300', replicas=3)
        never = {"checks": [{"name": "web", "tcp": {"port": 18099}, "timeoutSeconds": 1}]}
        expected = {
            "image": ({"worker": idle(image="registry.invalid/no-such:1")},
                      "WorkersNotReady", ["worker 0", "ErrImagePull|ImagePullBackOff", "registry.invalid/no-such:1"]),
            "resources": ({"worker": idle(resources={"requests": {"cpu": "1000"}})},
                          "DiscoveryDeadlineExceeded", ["worker 0", "nschedulable", "Insufficient cpu"]),
            "config-map": ({"worker": idle(), "files": [{"configMap": {"name": "no-such-plans"}}]},
                           "DiscoveryDeadlineExceeded", ["worker 0", "no-such-plans", "not found"]),
            "oom": ({"worker": oom}, "WorkerLost", ["worker 0", "out of memory", "32Mi"]),
            "early": ({"worker": fails, "healthCheck": never, "master": shell("true")},
                      "WorkerExited", ["worker 1", "exited 3", "licence expired"]),
            "deaf": ({"worker": idle(replicas=2), "healthCheck": never, "master": shell("true")},
                     "HealthCheckFailed", ["worker 0", "18099"]),
            "endless": ({"worker": idle(), "master": idle(), "runPolicy": {**QUICK, "activeDeadlineSeconds": 8}},
                        "ActiveDeadlineExceeded", ["activeDeadlineSeconds", "8s"]),
            "quota": ({"worker": idle(replicas=2)}, "DiscoveryDeadlineExceeded", ["quota", "small", "pods=1"])}
        for name, (spec, _, _) in expected.items():
            spec["worker"].setdefault("replicas", 1)
            (quota if name == "quota" else self.cluster).load(name, {"runPolicy": QUICK, **spec})
        for name, (_, reason, says) in expected.items():
            with self.subTest(name):
                [status] = (quota if name == "quota" else self.cluster).wait_finished(name, seconds=60)
                print(f"{name}: {status['reason']}: {status['message']}")
                self.assert_verdict(status, "Error", reason, [text for text in says if "|" not in text])
                for choice in (text for text in says if "|" in text):
                    self.assertRegex(status["message"], choice)


class Deletion(ServerCase):
    runs = 6

    def test_in_each_phase_leaves_nothing(self):
        never = {"checks": [{"name": "web", "tcp": {"port": 18099}}]}
        deaf = idle(replicas=2)
        tests = {
            "Discovery": {"worker": idle(resources={"requests": {"cpu": "1000"}})},
            "Workers": {"worker": {**deaf, "readiness": {"tcpPort": 18099}}, "master": shell("true")},
            "HealthCheck": {"worker": deaf, "healthCheck": never, "master": shell("true")},
            "Master": {"worker": deaf, "master": idle()},
            "Collecting": {"worker": shell("trap '' TERM; while :; do sleep 0.2; done"), "runPolicy": {"stopGraceSeconds": 20}},
            "Finished": {"worker": shell("true"), "runPolicy": KEEP},
            "Suspended": {"worker": deaf, "runPolicy": {"suspend": True}}}
        for phase, spec in tests.items():
            self.cluster.load(phase.lower(), spec)
        self.cluster.wait_finished("finished")
        self.cluster.load("filler", {"worker": idle()})
        self.cluster.wait_phase("filler", "Master")
        self.cluster.load("queued", {"worker": deaf})
        self.cluster.wait_phase("collecting", "Master")
        self.cluster.kubectl("annotate", "ltest", "collecting", "atq.dev/stop=1/Graceful")
        for phase in [*tests, "Queued"]:
            self.cluster.wait_phase(phase.lower(), phase)
        self.assertGreater(len(self.cluster.left()), 15)
        self.cluster.kubectl("delete", "ltest", "--all")
        self.cluster.wait_nothing_left(seconds=60)  # a tool that ignores TERM has its grace


class Controls(ServerCase):
    def test_stop_rerun_suspend_and_edit(self):
        graceful, now = self.target(), self.target()
        bye = ("import os, signal, sys, time, urllib.request\n"
               "def stop(*_): urllib.request.urlopen(os.environ['url'] + '/bye').read(); sys.exit(0)\n"
               "signal.signal(signal.SIGTERM, stop)\nwhile True: time.sleep(0.1)")
        for name, target in (("graceful", graceful), ("now", now)):
            self.cluster.load(name, {"worker": python(bye, replicas=2), "parameters": {"url": target.url}, "runPolicy": KEEP})
        nonce = {"worker": shell("true"), "runNonce": "1", "runPolicy": KEEP}
        self.cluster.load("nonce", nonce)
        self.cluster.load("held", {"worker": shell("true"), "runPolicy": {"suspend": True}})
        self.cluster.wait_finished("nonce")
        self.cluster.load("nonce", {**nonce, "runNonce": "2"})

        self.cluster.wait_phase("now", "Master")
        self.cluster.kubectl("annotate", "ltest", "now", "atq.dev/stop=1/Now")
        self.cluster.wait_phase("graceful", "Master")
        # The load that runs goes on as it was begun, and the object says that it is not what is written.
        self.cluster.load("graceful", {"worker": python("pass", replicas=3), "runPolicy": KEEP})
        wait_for("UpToDate is False", lambda: self.condition("graceful", "UpToDate") == ("False", "SpecChanged"), 20, 0.2)
        self.assertEqual(self.cluster.status("graceful")["phase"], "Master")
        self.cluster.kubectl("annotate", "ltest", "graceful", "atq.dev/stop=1/Graceful")
        for name in ("now", "graceful"):
            [status] = self.cluster.wait_finished(name, seconds=60)
            self.assert_verdict(status, "Aborted", "StoppedByUser")
        self.assertEqual(graceful.counts()["by_path"], {"/bye": 2})

        self.assertEqual(self.cluster.status("held")["phase"], "Suspended")
        self.assertEqual(self.cluster.left("held"), [])
        self.cluster.load("held", {"worker": shell("true"), "runPolicy": {"suspend": False}})
        self.assert_verdict(self.cluster.wait_finished("held", seconds=60)[0], "Passed")
        status = wait_for("run 2 has finished", lambda: (s := self.cluster.status("nonce")).get("phase") == "Finished"
                          and s["run"]["number"] == 2 and s, 60, 0.2)
        self.assert_verdict(status, "Passed")
        self.assertEqual([(run["number"], run["verdict"]) for run in sorted(status["history"], key=lambda run: run["number"])],
                         [(1, "Passed"), (2, "Passed")])

    def condition(self, name, kind):
        return next(((c["status"], c["reason"]) for c in self.cluster.status(name).get("conditions", []) if c["type"] == kind), None)


class Cost(ServerCase):
    """What the API server is asked for by the director: the bars of a passing run of 4 workers and 30 s with one check."""
    SECONDS = 30

    def test_writes_of_a_passing_run(self):
        web = shell("exec python3 -m http.server --directory /atq/out 8080", replicas=4)
        self.cluster.load("cost", {"worker": web, "healthCheck": {"checks": [{"name": "web", "tcp": {"port": 8080}}]},
                                   "master": shell(f"sleep {self.SECONDS}")})
        [status] = self.cluster.wait_finished("cost")
        self.assert_verdict(status, "Passed")
        self.cluster.wait_nothing_left("cost")
        writes = self.writes()
        for what, count in sorted(writes.items()):
            print(*what, count)
        aside = {what: count for what, count in writes.items() if what[1] in ("events", "leases")}
        statuses = writes[("patch", "loadtests", "status")]
        creations = sum(count for what, count in writes.items() if what[0] == "create" and what not in aside)
        others = sum(count for what, count in writes.items() if what[0] != "create" and what not in aside) - statuses
        print(f"creations {creations}, other writes {others}, status patches {statuses}, events and leases {sum(aside.values())}")
        self.assertEqual(creations, 3)  # Service, workers, master
        self.assertLessEqual(others, 4)
        self.assertLessEqual(statuses, 8 + self.SECONDS // 10)

    def writes(self):
        found = collections.Counter()
        for line in pathlib.Path(self.cluster.env["ATQ_LAB_AUDIT"]).read_text().splitlines():
            entry = json.loads(line)
            about = entry.get("objectRef", {})
            ours = about.get("namespace") == self.cluster.name and entry.get("userAgent", "").startswith("atq-director")
            if ours and entry["verb"] in ("create", "update", "patch", "delete", "deletecollection"):
                found[entry["verb"], about["resource"], about.get("subresource", "")] += 1
        return found


if __name__ == "__main__":
    unittest.main()
