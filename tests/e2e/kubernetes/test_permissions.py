"""What a real API server lets the director do: exactly the table in manifests/permissions.txt, whichever way the
director was installed; and what it lets people do who have the cluster's own roles."""
import itertools
import json
import os
import subprocess
import unittest

from tests.e2e.harness import ROOT, wait_for
from tests.e2e.kubernetes.apiserver import ApiServer, binary

VERBS = ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "bind", "escalate", "impersonate"]
SYSTEM, OTHER = "atq-system", "shop"
LEASE = "atq-director"
DIRECTOR = f"system:serviceaccount:{SYSTEM}:atq-director"


def table(role):
    """(verb, group, resource, name) of the rows of that role; name is "" where the row says nothing of it."""
    allowed = set()
    for line in (ROOT / "manifests/permissions.txt").read_text().splitlines():
        if line.startswith(role + " "):
            _, group, resource, verbs, _ = line.split(None, 4)
            resource, name = (resource.removesuffix("/LEASE"), LEASE) if resource.endswith("/LEASE") else (resource, "")
            allowed |= {(verb, "" if group == "core" else group, resource, name) for verb in verbs.split(",")}
    return allowed


class ServerCase(unittest.TestCase):
    maxDiff = None
    overlay = "cluster"

    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(ApiServer())
        assert cls.server.install_crd().ok
        cls.server.call("POST", "/api/v1/namespaces", {"metadata": {"name": OTHER}})
        cls.server.kubectl("apply", "--server-side", "-k", ROOT / "manifests/overlays" / cls.overlay)

    def setUp(self):
        wait_for("the rights are known", lambda: self.can(DIRECTOR, "create", "coordination.k8s.io", "leases", SYSTEM)
                 and self.can(DIRECTOR, "get", "", "pods/log", SYSTEM), 10)

    def can(self, user, verb, group, resource, namespace, name=""):
        resource, _, subresource = resource.partition("/")
        answer = self.server.call("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", {
            "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
            "spec": {"user": user,
                     "resourceAttributes": {"verb": verb, "group": group, "resource": resource, "subresource": subresource,
                                            "namespace": namespace, "name": name}}})
        self.assertEqual(answer.code, 201, str(answer))
        return answer.json["status"]["allowed"]

    def everything(self):
        """(group, resource or resource/subresource, namespaced) of all that the server has; finalizers are a right alone."""
        found = [("atq.dev", "loadtests/finalizers", True), ("", "services/finalizers", True), ("batch", "jobs/finalizers", True),
                 ("", "pods/finalizers", True)]
        lists = [("", "/api/v1")]
        for group in self.server.call("GET", "/apis").json["groups"]:
            lists.append((group["name"], f"/apis/{group['preferredVersion']['groupVersion']}"))
        for group, path in lists:
            for resource in self.server.call("GET", path).json["resources"]:
                found.append((group, resource["name"], resource["namespaced"]))
        return found

    def granted(self, namespace, name=""):
        return {(verb, group, resource) for (group, resource, namespaced), verb in itertools.product(self.everything(), VERBS)
                if self.can(DIRECTOR, verb, group, resource, namespace if namespaced else "", name)}

    def assert_exactly(self, granted, rows):
        self.assertEqual(sorted(granted), sorted(rows))


class Cluster(ServerCase):
    def test_the_director_may_do_what_the_table_says_and_nothing_else(self):
        director, leader = ({row[:3] for row in table(role) if not row[3]} for role in ("director", "leader"))
        named = {row[:3] for row in table("leader") if row[3]}
        self.assert_exactly(self.granted(OTHER), director)
        self.assert_exactly(self.granted(OTHER, LEASE), director)
        self.assert_exactly(self.granted(SYSTEM), director | leader)
        self.assert_exactly(self.granted(SYSTEM, LEASE), director | leader | named)

    def test_the_rights_are_enough_for_the_objects_of_a_run(self):
        """With the admission plugin on that looks at who may own what."""
        def owned(kind, version, name, uid, **more):
            return {"metadata": {"name": "run", "ownerReferences": [{"apiVersion": version, "kind": kind, "name": name, "uid": uid,
                                                                     "controller": True, "blockOwnerDeletion": True}]}, **more}

        def as_director(*args, **more):
            return self.server.kubectl(f"--as={DIRECTOR}", "-n", OTHER, *args, **more)

        def create(document):
            return json.loads(as_director("create", "-f", "-", "-o", "json", "--validate=false", input=json.dumps(document)).stdout)

        test = self.server.call("POST", f"/apis/atq.dev/v1alpha1/namespaces/{OTHER}/loadtests", {
            "apiVersion": "atq.dev/v1alpha1", "kind": "LoadTest", "metadata": {"name": "first"}, "spec": {}}).json
        service = create({"apiVersion": "v1", "kind": "Service", **owned("LoadTest", "atq.dev/v1alpha1", "first", test["metadata"]["uid"]),
                          "spec": {"clusterIP": "None", "selector": {"a": "b"}}})
        create({"apiVersion": "batch/v1", "kind": "Job", **owned("Service", "v1", "run", service["metadata"]["uid"]),
                "spec": {"suspend": True, "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": "a"}]}}}})
        as_director("patch", "job", "run", "--type=merge", "-p", '{"spec":{"suspend":false}}')
        as_director("patch", "service", "run", "--type=merge", "-p", '{"metadata":{"annotations":{"a":"b"}}}')
        path, merge = f"/apis/atq.dev/v1alpha1/namespaces/{OTHER}/loadtests/first", "application/merge-patch+json"
        self.assertEqual(self.server.call("PATCH", path + "/status", {"status": {"phase": "Pending"}}, merge, DIRECTOR).code, 200)
        self.assertEqual(self.server.call("PATCH", path, {"spec": {"runNonce": "2"}}, merge, DIRECTOR).code, 403)
        as_director("delete", "service", "run", "--wait=false")

    def test_what_it_may_never(self):
        for verb, group, resource in [
                ("get", "", "secrets"), ("list", "", "secrets"), ("watch", "", "secrets"), ("create", "", "secrets"),
                ("get", "", "configmaps"), ("create", "", "pods"), ("create", "", "pods/exec"), ("patch", "", "pods"),
                ("create", "", "serviceaccounts/token"), ("update", "atq.dev", "loadtests"), ("patch", "atq.dev", "loadtests"),
                ("delete", "atq.dev", "loadtests"), ("delete", "coordination.k8s.io", "leases"),
                ("list", "coordination.k8s.io", "leases"), ("create", "rbac.authorization.k8s.io", "roles"),
                ("bind", "rbac.authorization.k8s.io", "clusterroles"), ("*", "*", "*"), ("delete", "", "namespaces"),
                ("get", "", "nodes"), ("patch", "apiextensions.k8s.io", "customresourcedefinitions")]:
            with self.subTest(f"{verb} {resource}"):
                self.assertFalse(self.can(DIRECTOR, verb, group, resource, SYSTEM))

    def test_view_and_edit_know_loadtests(self):
        # Aggregation is the work of the controller manager, which is not here: what it would select is looked at instead.
        roles = self.server.kubectl("get", "clusterrole", "-o", "name", "-l",
                                    "rbac.authorization.k8s.io/aggregate-to-view=true").stdout
        self.assertIn("atq-director-view", roles)
        self.assertNotIn("atq-director-edit", roles)
        roles = self.server.kubectl("get", "clusterrole", "-o", "name", "-l",
                                    "rbac.authorization.k8s.io/aggregate-to-edit=true").stdout
        self.assertIn("atq-director-view", roles)
        self.assertIn("atq-director-edit", roles)


class Namespaced(ServerCase):
    overlay = "namespaced"

    def test_the_director_has_no_right_outside_of_its_namespace(self):
        director, leader = ({row[:3] for row in table(role) if not row[3]} for role in ("director", "leader"))
        self.assert_exactly(self.granted(OTHER), [])
        self.assert_exactly(self.granted(SYSTEM), director | leader)

    def test_the_pod_of_the_director_is_one_for_a_restricted_namespace(self):
        deployment = self.server.call("GET", f"/apis/apps/v1/namespaces/{SYSTEM}/deployments/atq-director").json
        template = deployment["spec"]["template"]
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "labels": template["metadata"]["labels"]},
               "spec": template["spec"]}
        answer = self.server.call("POST", f"/api/v1/namespaces/{SYSTEM}/pods", pod, dryRun="All", fieldValidation="Strict")
        self.assertEqual(answer.code, 201, str(answer))
        self.assertEqual(answer.warnings, [])
        pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
        self.assertEqual(self.server.call("POST", f"/api/v1/namespaces/{SYSTEM}/pods", pod, dryRun="All").code, 403,
                         "the namespace does not enforce what this test is about")


class Case(unittest.TestCase):
    maxDiff = None


class Lab(Case):
    """Where a controller manager fills the cluster's own roles."""

    NAMESPACE = "atq-permissions"

    def kubectl(self, *args):
        return subprocess.run([binary("kubectl"), *map(str, args)], env=self.env, capture_output=True, text=True, timeout=60)

    def can(self, user, *what):
        return self.kubectl("auth", "can-i", *what, "-n", self.NAMESPACE, f"--as={user}").stdout.strip() == "yes"

    def setUp(self):
        if subprocess.run([ROOT / "hack/lab", "kubernetes", "status"], capture_output=True, timeout=60).returncode != 0:
            self.skipTest("no lab is up: hack/lab kubernetes up")
        exports = subprocess.run(["bash", "-c", f'eval "$({ROOT}/hack/lab kubernetes env)"; printf %s "$KUBECONFIG"'], capture_output=True,
                                 text=True, timeout=60, check=True).stdout
        self.env = {**os.environ, "KUBECONFIG": exports}

    def test_view_and_edit_and_admin(self):
        roles = ROOT / "manifests/overlays/cluster/roles-of-users.yaml"
        for args in (["apply", "--server-side", "-f", roles], ["create", "namespace", self.NAMESPACE]):
            self.assertEqual((done := self.kubectl(*args)).returncode, 0, done.stderr)
            self.addCleanup(self.kubectl, "delete", "--wait=false", *(["-f", roles] if "-f" in args else args[1:]))
        if self.kubectl("get", "crd", "loadtests.atq.dev").returncode != 0:
            # can-i looks the short name up; the CRD of another test may be there already and is left alone.
            self.kubectl("apply", "--server-side", "-f", ROOT / "crd")
        for role in ("view", "edit", "admin"):
            self.kubectl("create", "rolebinding", role, f"--clusterrole={role}", f"--user={role}", "-n", self.NAMESPACE)
        wait_for("the roles are filled", lambda: self.can("view", "list", "loadtests.atq.dev") and self.can("edit", "create", "loadtests.atq.dev"), 30, 0.3)
        for user, verb, allowed in [("view", "get", True), ("view", "create", False), ("view", "delete", False), ("edit", "get", True),
                                    ("edit", "patch", True), ("edit", "delete", True), ("admin", "create", True), ("nobody", "get", False)]:
            with self.subTest(f"{user} {verb}"):
                self.assertEqual(self.can(user, verb, "loadtests.atq.dev"), allowed)
        for user in ("view", "edit", "admin"):
            self.assertFalse(self.can(user, "patch", "loadtests.atq.dev", "--subresource=status"), "a verdict is the director's to give")
