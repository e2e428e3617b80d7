"""What a real API server lets the director do: exactly the table in manifests/permissions.txt, whichever way the
director was installed; and what it lets people do who have the cluster's own roles."""
import itertools
import json
import unittest

from tests.e2e.harness import ROOT, wait_for
from tests.e2e.kubernetes.apiserver import ApiServer

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
