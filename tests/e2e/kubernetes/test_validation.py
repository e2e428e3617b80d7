"""Our validator and the API server's: the same verdict on every document of the corpora and on many that are made from
them, the same defaults, and a CRD that the server takes without a warning."""
import copy
import json
import os
import pathlib
import random
import subprocess
import unittest

from tests.e2e.harness import BIN, ROOT, wait_for
from tests.e2e.kubernetes.apiserver import GROUP, ApiServer

LOADTESTS = f"{GROUP}/namespaces/{{}}/loadtests"
STORED = {"valid": True, "semantic-invalid": True, "schema-invalid": False}


def corpus():
    """(corpus, name, text) of every document of tests/data."""
    for folder in STORED:
        for file in sorted((ROOT / "tests/data" / folder).glob("*.yaml")):
            yield folder, file.stem, file.read_text()


class Validator:
    """The schema_verdict program as a context manager; see schema_verdict.cpp."""

    def __enter__(self):
        program = BIN / "schema_verdict"
        if not program.exists():
            raise unittest.SkipTest(f"{program} is not built")
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()

    def judge(self, document):
        self.process.stdin.write(json.dumps(document) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


class ServerCase(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(ApiServer())
        cls.installed = cls.server.install_crd()
        for namespace in ("shop", "team-a", "load"):
            cls.server.call("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})

    def create(self, document, namespace="default", **query):
        content = "application/yaml" if isinstance(document, str) else "application/json"
        return self.server.call("POST", LOADTESTS.format(namespace), document, content, fieldValidation="Strict", **query)


def namespace_of(text):
    """Of the few documents that name one: the server asks for it in the path."""
    for line in text.splitlines():
        words = line.replace("{", " ").replace(",", " ").replace("}", " ").split()
        if "namespace:" in words and words.index("namespace:") + 1 < len(words):
            return words[words.index("namespace:") + 1].strip('"')
    return "default"


class Mutation:
    """Documents a few changes away from stored ones: at a random place another value, one more field, one less."""

    VALUES = [None, True, False, 0, 1, -1, 3, 3.0, 0.5, 65535, 65536, 1001, 2**31, 2**63, 10**30, "", " ", "a", "A", "-", "1", "true", "yes",
              "a.b", "/", "/x", "../x", "x" * 64, "x" * 254, "x" * 5000, "ä", "\n", "500m", "64Mi", "1e3", "10.0.0.0/24", "TCP", "Never", [],
              {}, [1], ["a"], [None], {"a": 1}, {"a": "b"}, {"a": None}, {"name": "a"}, [{"name": "a"}], [{"name": "a"}, {"name": "a"}]]
    KEYS = ["extra", "name", "port", "value", "tcp", "udp", "http", "exec", "running", "publishedPort", "ATQ_X", "inline", "path", "a b"]

    def __init__(self, seed, documents):
        self.random, self.documents = random.Random(seed), documents

    def places(self, value, found):
        for key in value if isinstance(value, dict) else range(len(value)):
            found.append((value, key))
            if isinstance(value[key], (dict, list)):
                self.places(value[key], found)
        return found

    def value(self):
        return copy.deepcopy(self.random.choice(self.VALUES))

    def next(self):
        document = copy.deepcopy(self.random.choice(self.documents))
        for _ in range(self.random.choice([1, 1, 1, 2])):
            holder, key = self.random.choice(self.places({"spec": document["spec"]}, []))
            if key == "spec":
                holder = document
            match self.random.randrange(6):
                case 0:
                    del holder[key]
                case 1 if isinstance(holder[key], dict):
                    holder[key][self.random.choice(self.KEYS)] = self.value()
                case 1 | 2 if isinstance(holder, list):
                    holder.append(copy.deepcopy(holder[key]))
                case _:
                    holder[key] = self.value()
            if "spec" not in document or not isinstance(document["spec"], (dict, list)):
                break
        return document


class Verdicts(ServerCase):
    @classmethod
    def setUpClass(cls):
        cls.validator = cls.enterClassContext(Validator())
        super().setUpClass()

    # The one difference there is: 3.0 is an integer for the API server as for us, but not where a CEL rule reads it. No
    # client that reads YAML or JSON into values sends it: kubectl writes 3.
    WHOLE_REAL = "expected int, got float64"

    def test_every_document_of_the_corpora(self):
        for folder, name, text in corpus():
            with self.subTest(f"{folder}/{name}"):
                server = self.create(text, namespace_of(text), dryRun="All")
                ours = self.validator.judge(text)
                self.assertEqual(server.ok, STORED[folder], f"the API server: {server}")
                self.assertEqual(ours["accepted"], STORED[folder], f"ours: {ours['problems']}")
                self.assertLess(server.code, 500, str(server))

    def test_documents_made_from_them(self):
        seed = int(os.environ.get("ATQ_SEED", random.randrange(2**32)))
        count = int(os.environ.get("ATQ_DOCUMENTS", 20_000 if os.environ.get("ATQ_LONG") else 1_500))
        stored = []
        for folder, name, text in corpus():
            if STORED[folder]:
                answer = self.create(text, namespace_of(text), dryRun="All")
                document = {"apiVersion": "atq.dev/v1alpha1", "kind": "LoadTest", "metadata": {"name": name}, "spec": answer.json["spec"]}
                stored.append(document)
        mutation, accepted, different = Mutation(seed, stored), 0, []
        for _ in range(count):
            document = mutation.next()
            server, ours = self.create(document, dryRun="All"), self.validator.judge(document)
            accepted += server.ok
            if server.ok != ours["accepted"] and self.WHOLE_REAL not in str(server):
                different.append(f"{json.dumps(document['spec'] if 'spec' in document else document)[:1500]}\n  server {server}\n"
                                 f"  ours {ours['problems'] or 'accepted'}")
        self.assertGreater(accepted, count // 20, "hardly any document was valid: the mutations are too wild")
        self.assertGreater(count - accepted, count // 20, "hardly any document was invalid: the mutations are too tame")
        self.assertFalse(different, f"ATQ_SEED={seed}: {len(different)} of {count} differ\n" + "\n".join(different[:8]))

    def test_defaults_are_the_same(self):
        for folder, name, text in corpus():
            if not STORED[folder]:
                continue
            with self.subTest(f"{folder}/{name}"):
                stored = self.create(text, namespace_of(text), dryRun="All").json
                ours = json.loads(self.validator.judge(text)["encoded"])
                read = self.validator.judge({**stored, "metadata": ours["metadata"]})
                self.assertEqual(read["problems"], [])
                self.assertEqual(json.loads(read["encoded"])["spec"], ours["spec"])


class Crd(ServerCase):
    def test_the_crd_is_taken_without_a_warning(self):
        self.assertTrue(self.installed.ok, str(self.installed))
        self.assertEqual(self.installed.warnings, [])
        crd = self.server.call("GET", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/loadtests.atq.dev").json
        conditions = {c["type"]: c["status"] for c in crd["status"]["conditions"]}
        self.assertEqual(conditions.get("Established"), "True", conditions)
        self.assertEqual(conditions.get("NamesAccepted"), "True", conditions)
        self.assertNotEqual(conditions.get("NonStructuralSchema"), "True", conditions)
        self.assertEqual(crd["status"]["storedVersions"], ["v1alpha1"])

    def test_a_name_of_253_characters(self):
        name = "a" * 253
        answer = self.create({"apiVersion": "atq.dev/v1alpha1", "kind": "LoadTest", "metadata": {"name": name}, "spec": {}})
        self.assertEqual(answer.code, 201, str(answer))
        self.assertEqual(self.create({"apiVersion": "atq.dev/v1alpha1", "kind": "LoadTest", "metadata": {"name": name + "a"},
                                      "spec": {}}).code, 422)

    def test_a_name_made_by_the_server(self):
        answer = self.create({"apiVersion": "atq.dev/v1alpha1", "kind": "LoadTest", "metadata": {"generateName": "nightly-"}, "spec": {}})
        self.assertEqual(answer.code, 201, str(answer))
        self.assertTrue(answer.json["metadata"]["name"].startswith("nightly-"))

    def test_the_columns(self):
        base = LOADTESTS.format("default")
        self.assertTrue(self.create({"apiVersion": "atq.dev/v1alpha1", "kind": "LoadTest", "metadata": {"name": "columns"}, "spec": {}}).ok)
        status = {"phase": "Finished", "verdict": "Passed", "columns": {"workers": "2/3", "p95": "181ms", "errors": "<0.1"},
                  "summary": {"requestsPerSecond": "400.0"}}
        patched = self.server.call("PATCH", f"{base}/columns/status", {"status": status}, "application/merge-patch+json",
                                   fieldValidation="Strict")
        self.assertTrue(patched.ok, str(patched))
        self.assertEqual(patched.json["metadata"]["generation"], 1, "a status is no new generation")
        rows = self.server.kubectl("get", "ltest", "columns").stdout.split("\n")
        self.assertEqual(rows[0].split(), ["NAME", "PHASE", "VERDICT", "WORKERS", "RPS", "P95", "ERR%", "AGE"])
        self.assertEqual(rows[1].split()[:7], ["columns", "Finished", "Passed", "2/3", "400.0", "181ms", "<0.1"])

    def test_status_and_spec_are_written_apart(self):
        base = LOADTESTS.format("default")
        document = {"apiVersion": "atq.dev/v1alpha1", "kind": "LoadTest", "metadata": {"name": "apart"}, "spec": {}, "status": {"verdict": "Passed"}}
        self.assertNotIn("status", self.create(document).json, "status comes from its subresource alone")
        patched = self.server.call("PATCH", f"{base}/apart/status", {"spec": {"worker": {"replicas": 9}}, "status": {"phase": "Queued"}},
                                   "application/merge-patch+json")
        self.assertEqual(patched.json["spec"]["worker"]["replicas"], 1)

    def test_what_kubectl_explain_says(self):
        wait_for("the OpenAPI of LoadTests", lambda: "loadtests" in self.server.call("GET", f"/openapi/v3{GROUP}").text, 30)
        said = self.server.kubectl("explain", "loadtest.spec.runPolicy").stdout
        for field in ("suspend", "startupDeadlineSeconds", "cleanup"):
            self.assertIn(field, said)
