"""The recipes of examples/gitops: Argo CD's health script over every status that the scenarios produce, and what a real
API server says of the objects and of the rights of their service accounts."""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from tests.e2e.harness import BIN, ROOT
from tests.e2e.kubernetes.apiserver import GROUP, ApiServer

EXAMPLES = ROOT / "examples/gitops"


def lua_literal(value):
    if isinstance(value, dict):
        return "{" + ",".join(f"[{lua_literal(key)}]={lua_literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "{" + ",".join(map(lua_literal, value)) + "}"
    if isinstance(value, str):
        return '"' + "".join(f"\\{byte:03d}" for byte in value.encode()) + '"'
    return {True: "true", False: "false", None: "nil"}.get(value) if isinstance(value, bool) or value is None else repr(value)


def health_of(objects):
    """What health.lua makes of each, in one go."""
    lua = next(filter(None, map(shutil.which, ("lua", "lua5.4", "lua5.3", "luajit"))), None)
    if not lua:
        raise unittest.SkipTest("no lua: apt-get install lua5.4")
    script = "local function health(obj)\n" + (EXAMPLES / "argocd/health.lua").read_text() + "end\n"
    script += "".join(f"do local h = health({lua_literal(o)}); print(h.status .. ' ' .. h.message:gsub('%s', ' ')) end\n" for o in objects)
    done = subprocess.run([lua, "-"], input=script, capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    return done.stdout.splitlines()


def expected_health(test):
    """By what a person would say of it."""
    status, conditions = test["status"], {c["type"]: c for c in test["status"]["conditions"]}
    if test["metadata"].get("deletionTimestamp"):
        return None  # Argo CD does not ask: what is being deleted is Progressing
    if conditions["Reconciling"]["status"] == "True":
        return "Progressing"
    if conditions["Accepted"]["status"] == "False":
        return "Degraded"
    if status["phase"] == "Finished":
        return "Healthy" if status["verdict"] == "Passed" else "Degraded"
    return status["phase"] if status["phase"] == "Suspended" else "Progressing"


class Case(unittest.TestCase):
    maxDiff = None


class ArgoCd(Case):
    def statuses(self):
        program = BIN / "scenario_test"
        if not program.exists():
            self.skipTest(f"{program} is not built")
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([program, "--gtest_brief=1"], env={**os.environ, "ATQ_STATUSES": folder}, capture_output=True, timeout=120)
            return [json.loads(file.read_text()) for file in sorted(pathlib.Path(folder).iterdir())]

    def test_health_of_every_status_of_the_scenarios(self):
        tests = [t for t in self.statuses() if expected_health(t)]
        found = health_of(tests)
        self.assertEqual(len(found), len(tests))
        seen = set()
        for test, health in zip(tests, found):
            with self.subTest(test["metadata"]["name"], phase=test["status"]["phase"]):
                self.assertEqual(health.split()[0], expected_health(test), health)
                seen.add(health.split()[0])
        self.assertEqual(seen, {"Progressing", "Healthy", "Degraded", "Suspended"})

    def test_health_before_the_director_has_looked(self):
        tests = [t for t in self.statuses() if t["status"]["phase"] == "Finished"][:1]
        new = {"metadata": {"generation": 1}, "spec": {}}
        edited = {**tests[0], "metadata": {**tests[0]["metadata"], "generation": 99}}
        self.assertEqual([h.split()[0] for h in health_of([new, edited])], ["Progressing", "Progressing"])

    def test_the_config_map_has_the_script(self):
        lines = (EXAMPLES / "argocd/argocd-cm.yaml").read_text().split("resource.customizations.health.atq.dev_LoadTest: |\n")[1].splitlines()
        script = (EXAMPLES / "argocd/health.lua").read_text().splitlines()
        self.assertEqual([line[4:] for line in lines[:len(script)]], script)


class ServerCase(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(ApiServer())
        assert cls.server.install_crd().ok
        cls.server.call("POST", "/api/v1/namespaces", {"metadata": {
            "name": "load", "labels": {"pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/warn": "restricted"}}})


class Objects(ServerCase):
    def can(self, user, verb, group, resource, name=""):
        answer = self.server.call("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", {
            "spec": {"user": f"system:serviceaccount:load:{user}",
                     "resourceAttributes": {"verb": verb, "group": group, "resource": resource, "namespace": "load", "name": name}}})
        return answer.json["status"]["allowed"]

    def test_all_are_taken_strictly_and_without_a_warning(self):
        for args in (["-k", EXAMPLES / "loadtests"], ["-f", EXAMPLES / "cronjob"]):
            done = self.server.kubectl("apply", "--server-side", "--validate=strict", *args)
            self.assertNotIn("Warning", done.stderr)
        done = self.server.kubectl("create", "--validate=strict", "-f", EXAMPLES / "argocd/post-sync.yaml", "-o", "name")
        self.assertIn("loadtests.atq.dev/smoke-", done.stdout.replace("loadtest.atq.dev", "loadtests.atq.dev"))
        self.assertNotIn("Warning", done.stderr)

    def test_a_second_apply_changes_nothing(self):
        path = f"{GROUP}/namespaces/load/loadtests/checkout"
        versions = []
        for _ in range(2):
            self.server.kubectl("apply", "--server-side", "-k", EXAMPLES / "loadtests")
            versions.append(self.server.call("GET", path).json["metadata"]["resourceVersion"])
        self.assertEqual(*versions)
        self.assertEqual(self.server.kubectl("diff", "--server-side", "-k", EXAMPLES / "loadtests", check=False).stdout, "")

    def test_the_service_accounts_may_only_start_runs(self):
        self.server.kubectl("apply", "--server-side", "-f", EXAMPLES / "cronjob")
        for user, verb, group, resource, name, allowed in [
                ("nightly", "patch", "atq.dev", "loadtests", "checkout", True), ("nightly", "patch", "atq.dev", "loadtests", "other", False),
                ("nightly", "create", "atq.dev", "loadtests", "", False), ("nightly", "delete", "atq.dev", "loadtests", "checkout", False),
                ("hourly", "create", "atq.dev", "loadtests", "", True), ("hourly", "patch", "atq.dev", "loadtests", "checkout", False),
                ("hourly", "create", "", "pods", "", False), ("hourly", "get", "", "secrets", "", False), ("nightly", "get", "", "secrets", "", False)]:
            with self.subTest(f"{user} {verb} {resource} {name}"):
                self.assertEqual(self.can(user, verb, group, resource, name), allowed)
