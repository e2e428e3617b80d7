"""Two directors and one Lease, with real pods: whoever of them is killed, frozen, stopped or badly connected at whatever
moment, each role of a run starts once and the run passes."""
import base64
import json
import os
import pathlib
import random
import signal
import ssl
import tempfile
import threading
import time
import unittest
import urllib.parse

from tests.e2e.harness import ROOT, Target, wait_for
from tests.e2e.kubernetes.apiserver import need_director_for_clusters
from tests.e2e.kubernetes.directors import FAILOVER, LEASE, Audit, Directors, Pods, expected_marks, loadtest
from tests.e2e.kubernetes.lab import HOST, Namespace
from tests.e2e.kubernetes.proxy import Proxy

LONG = os.environ.get("ATQ_LONG") == "1"
FAILOVERS = int(os.environ.get("ATQ_FAILOVERS", "40" if LONG else "3"))
KINDS = ("plain", "checked", "together")


class Case(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        need_director_for_clusters()
        self.seed = int(os.environ.get("ATQ_SEED", random.randrange(1 << 31)))
        print(f"seed {self.seed}", flush=True)
        self.random = random.Random(self.seed)
        self.cluster = self.enterContext(Namespace("director", "tools"))
        self.cluster.kubectl("apply", "--server-side", "-f", ROOT / "crd/loadtests.atq.dev.yaml")
        self.target = self.enterContext(Target(HOST, 300 + 60 * FAILOVERS))
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="atq-ha-")))
        self.kubeconfig = self.cluster.env["KUBECONFIG"]
        self.pods = self.enterContext(Pods("kubectl", self.cluster.env, self.cluster.name))
        self.kinds, self.before = {}, {}

    def directors(self, kubeconfig=None):
        return self.enterContext(Directors(
            self.folder, self.cluster.env, kubeconfig or self.kubeconfig, self.cluster.name,
            lambda: json.loads(self.cluster.kubectl("get", "lease", LEASE, "-o", "json").stdout)))

    def apply(self, *names, kinds=KINDS, seconds=1.0):
        new = {name: kinds[i % len(kinds)] for i, name in enumerate(names)}
        self.kinds |= new
        self.cluster.apply(*(loadtest(name, kind, self.target, seconds) for name, kind in new.items()))

    def statuses(self):
        items = json.loads(self.cluster.kubectl("get", "loadtests", "-o", "json").stdout)["items"]
        return {each["metadata"]["name"]: each.get("status", {}) for each in items}

    def wait_passed(self, directors, seconds=100):
        """All finished; each passed in its first run, each role started once."""
        def finished():
            directors.replace_ended()
            found = self.statuses()
            return [found] if len(found) == len(self.kinds) and all(s.get("phase") == "Finished" for s in found.values()) else None
        try:
            [found] = wait_for("all runs finish", finished, seconds, 0.2)
        except AssertionError as error:
            raise AssertionError(f"seed {self.seed}: {error}: {json.dumps(self.statuses(), indent=1)[-6000:]}\n{directors.says()}") from None
        for name, status in found.items():
            with self.subTest(name, seed=self.seed):
                self.assertEqual((status["verdict"], status["run"]["number"]), ("Passed", 1), f"{status}\n{directors.says()}")
        self.assert_once()

    def assert_once(self):
        marks, expected = self.target.counts()["by_path"], dict(self.before)
        for name, kind in self.kinds.items():
            expected |= expected_marks(name, kind)
            # A run without a master has a starter in its place.
            self.assertEqual((self.pods.count(name, "worker"), self.pods.count(name, "master")), (2, 1), f"seed {self.seed}: pods of {name}")
        self.assertEqual(marks, expected, f"seed {self.seed}")


class Leadership(Case):
    def tidy(self, directors, failover):
        """Runs go on over several failovers, but a node has room for so many pods."""
        if failover % 3 == 2:
            self.wait_passed(directors)
            self.cluster.kubectl("delete", "loadtests", "--all")
            self.kinds, self.before = {}, self.target.counts()["by_path"]

    def test_a_standby_takes_over_what_a_killed_leader_leaves(self):
        directors, took = self.directors(), []
        for crash in range(FAILOVERS):
            leader, _ = directors.leader()
            self.apply(*(f"crash-{crash}-{i}" for i in range(3)))
            time.sleep(self.random.uniform(0, 7))
            leader.end()
            killed = time.monotonic()
            directors.leader(other_than=leader)
            took.append(round(time.monotonic() - killed, 1))
            self.assertLessEqual(took[-1], FAILOVER, f"seed {self.seed}")
            directors.replace_ended()
            self.tidy(directors, crash)
        self.wait_passed(directors)
        print(f"failover after a kill, seconds: {took}", flush=True)

    def test_a_frozen_leader_that_thaws_writes_nothing_and_ends(self):
        directors, audit, took, refused = self.directors(), Audit(self.cluster.env), [], []
        for freeze in range(FAILOVERS):
            leader, identity = directors.leader()
            for i in range(6):
                self.apply(f"freeze-{freeze}-{i}", kinds=KINDS[i % 3:], seconds=0.2)
                time.sleep(self.random.uniform(0, 1))
            time.sleep(self.random.uniform(0, 2))
            leader.signal(signal.SIGSTOP)
            frozen = time.monotonic()
            _, other = directors.leader(other_than=leader)
            took.append(round(time.monotonic() - frozen, 1))
            self.assertLessEqual(took[-1], FAILOVER, f"seed {self.seed}")
            time.sleep(self.random.uniform(0, 3))
            leader.signal(signal.SIGCONT)
            self.assertEqual(leader.process.wait(3), 1, f"seed {self.seed}: {leader.says()}")
            directors.replace_ended()
            self.tidy(directors, freeze)
            since = self.acquired(audit, other)
            late = [w for w in audit.writes(identity) if w[0] > since]
            self.assertEqual([w for w in late if w[4] < 300], [], f"seed {self.seed}: {identity} wrote after {since}")
            refused.append(len(late))
        self.wait_passed(directors)
        print(f"failover after a freeze, seconds: {took}; writes of the thawed leader, all refused: {refused}", flush=True)

    def acquired(self, audit, identity):
        return next(w[0] for w in audit.writes(identity) if w[2] == "leases" and w[4] < 300)

    def test_a_clean_stop_hands_over_within_five_seconds(self):
        directors = self.directors()
        leader, _ = directors.leader()
        self.apply(*(f"stop-{i}" for i in range(3)))
        time.sleep(self.random.uniform(0, 5))
        leader.signal(signal.SIGTERM)
        begun = time.monotonic()
        directors.leader(other_than=leader)
        took = time.monotonic() - begun
        self.assertLessEqual(took, 5, leader.says())
        self.assertEqual(leader.process.wait(30), 0, leader.says())
        print(f"hand-over after SIGTERM: {took:.1f} s", flush=True)
        self.wait_passed(directors)

    def test_a_release_under_way_when_its_leader_freezes_is_refused(self):
        """It has left the old leader and reaches the API server once another leads and has taken the master over."""
        held, go_on, user = threading.Event(), threading.Event(), {}

        def before(method, target, headers, body):
            if method == "PATCH" and b'"released"' in body and not held.is_set():
                user["agent"] = headers["user-agent"]
                held.set()
                go_on.wait(60)

        config = json.loads(self.cluster.kubectl("config", "view", "--raw", "-o", "json").stdout)
        server = urllib.parse.urlsplit(config["clusters"][0]["cluster"]["server"])
        proxy = self.enterContext(Proxy(server.hostname, server.port, self.client_context(config), before))
        through = self.folder / "through"
        through.write_text(self.kubeconfig_to(f"http://127.0.0.1:{proxy.port}", config))
        audit = Audit(self.cluster.env)
        directors = self.directors([through, self.kubeconfig])
        # The one behind the proxy leads first.
        leader, identity = directors.leader()
        if leader is not directors.all[0]:
            leader.signal(signal.SIGTERM)
            leader.process.wait(30)
            leader, identity = directors.leader(other_than=leader)
            next(directors.kubeconfigs)  # its successor is not to be behind the proxy either
            directors.replace_ended()
        self.apply("release", kinds=("plain",))
        self.assertTrue(held.wait(60), directors.says())
        leader.signal(signal.SIGSTOP)
        successor, other = directors.leader(other_than=leader)
        since = self.acquired(audit, other)
        wait_for("the successor is ready", lambda: "director is ready" in successor.log.read_text(), 20)
        go_on.set()
        late = wait_for("the release has come", lambda: [w for w in audit.writes(identity) if w[0] > since and w[2] == "jobs"], 20)
        self.assertGreaterEqual(late[0][4], 400, late)
        leader.signal(signal.SIGCONT)
        self.assertEqual(leader.process.wait(3), 1, leader.says())
        self.wait_passed(directors)

    def test_runs_pass_over_a_bad_network(self):
        config = json.loads(self.cluster.kubectl("config", "view", "--raw", "-o", "json").stdout)
        server = urllib.parse.urlsplit(config["clusters"][0]["cluster"]["server"])
        proxy = self.enterContext(Proxy(server.hostname, server.port, seed=self.random.random()))
        through = self.folder / "through"
        through.write_text(self.kubeconfig_to(f"https://127.0.0.1:{proxy.port}", config))
        directors = self.directors(through)
        directors.leader()
        proxy.faults = True
        for i in range(9 if LONG else 6):
            self.apply(f"network-{i}", kinds=KINDS[i % 3:])
            time.sleep(self.random.uniform(0, 2))
        # A watch of LoadTests that falls silent is found after 100 s; so may the next.
        self.wait_passed(directors, 500)
        print(f"network: {proxy.cut} connections cut in an answer or a request, {proxy.silenced} gone silent; "
              f"directors started again: {directors.restarts}", flush=True)
        self.assertGreater(proxy.cut, 0)

    def kubeconfig_to(self, server, config):
        copy = json.loads(json.dumps(config))
        copy["clusters"][0]["cluster"]["server"] = server
        return json.dumps(copy)

    def client_context(self, config):
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        context = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
        for name in ("client-certificate", "client-key"):
            (self.folder / name).write_bytes(base64.b64decode(user[name + "-data"]))
        context.load_cert_chain(self.folder / "client-certificate", self.folder / "client-key")
        return context


if __name__ == "__main__":
    unittest.main()
