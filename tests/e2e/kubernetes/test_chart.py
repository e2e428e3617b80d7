"""The Helm chart: lint, golden renders (ATQ_UPDATE=1 writes them anew), what its schema refuses, that it installs what
the manifests install, and that a real API server and kubeconform find nothing wrong with any of it."""
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

try:
    import yaml
except ImportError:
    yaml = None

from tests.e2e.harness import BIN, ROOT
from tests.e2e.kubernetes.apiserver import ApiServer, binary, need_director_for_clusters
from tests.e2e.kubernetes.openapi import write_schemas

CHART = ROOT / "charts/atq-director"
GOLDEN = ROOT / "tests/data/helm"
CASES = sorted(file.name.removesuffix(".values.yaml") for file in GOLDEN.glob("*.values.yaml"))
NAMESPACE = "atq-system"


def helm(*args, check=True, **more):
    done = subprocess.run([binary("helm"), *map(str, args)], capture_output=True, text=True, timeout=120, **more)
    if check and done.returncode != 0:
        raise AssertionError(f"helm {' '.join(map(str, args))}: {done.stderr}")
    return done


def render(*args, check=True):
    return helm("template", "atq-director", CHART, "-n", NAMESPACE, "--kube-version", "1.36.3", *args, check=check)


def objects(text):
    if yaml is None:
        raise unittest.SkipTest("no PyYAML: apt-get install python3-yaml")
    return [each for each in yaml.safe_load_all(text) if each]


class Case(unittest.TestCase):
    maxDiff = None


class Renders(Case):
    def test_lint(self):
        for case in CASES:
            with self.subTest(case):
                said = helm("lint", CHART, "--strict", "-f", GOLDEN / f"{case}.values.yaml", "--kube-version", "1.36.3").stdout
                self.assertIn("1 chart(s) linted, 0 chart(s) failed", said)

    def test_golden(self):
        for case in CASES:
            with self.subTest(case):
                text = render("-f", GOLDEN / f"{case}.values.yaml").stdout
                # The CRD has a home of its own; 1,000 lines of it in each golden file would hide all else.
                text = "---".join(part for part in text.split("---") if "kind: CustomResourceDefinition" not in part)
                file = GOLDEN / f"{case}.yaml"
                if os.environ.get("ATQ_UPDATE"):
                    file.write_text(text)
                self.assertEqual(text, file.read_text())

    def test_the_crd_is_the_one_there_is(self):
        there = objects((ROOT / "crd/loadtests.atq.dev.yaml").read_text())[0]
        for keep in ("true", "false"):
            crds = [each for each in objects(render("--set", f"crd.keep={keep}").stdout) if each["kind"] == "CustomResourceDefinition"]
            self.assertEqual(len(crds), 1)
            self.assertEqual(crds[0]["spec"], there["spec"])
            self.assertEqual(crds[0]["metadata"]["annotations"], {"helm.sh/resource-policy": "keep"} if keep == "true" else {})

    def test_what_the_schema_refuses(self):
        for wrong in ("replicas=0", "replica=2", "image.tag=a:b", "image.digest=sha256:12", "image.pullPolicy=Sometimes", "namespaces={Shop}",
                      "terminationGracePeriodSeconds=30", "port=80", "log.level=loud", "maxConcurrentRuns=0", "networkPolicy.apiServerPorts={}",
                      "serviceMonitor.interval=often", "podDisruptionBudget.maxUnavailable=half"):
            with self.subTest(wrong):
                done = render("--set", wrong, check=False)
                self.assertNotEqual(done.returncode, 0, "it was taken")
                self.assertIn("don't meet the specifications of the schema", done.stderr)

    def test_it_installs_what_the_manifests_install(self):
        rendered = subprocess.run([binary("kubectl"), "kustomize", ROOT / "manifests/overlays/cluster"], capture_output=True, text=True,
                                  timeout=60, check=True).stdout
        chart, manifests = ({(each["kind"], each["metadata"]["name"].removeprefix(NAMESPACE + ":")): each for each in objects(text)}
                            for text in (render().stdout, rendered))
        pod = [every["Deployment", "atq-director"]["spec"]["template"]["spec"] for every in (chart, manifests)]
        for spec in pod:
            for field in ("volumes", "topologySpreadConstraints"):  # their names and selectors are each one's own
                spec.pop(field)
            spec["containers"][0].pop("imagePullPolicy", None)
        self.assertEqual(*pod)
        for kind, name in (("ClusterRole", "atq-director"), ("ClusterRole", "atq-director-view"), ("ClusterRole", "atq-director-edit"),
                           ("Role", "atq-director-leader")):
            self.assertEqual(chart[kind, name]["rules"], manifests[kind, name]["rules"])
        configs = [yaml.safe_load(every["data"]["director.yaml"]) for every in (
            chart["ConfigMap", "atq-director-config"], next(each for (kind, _), each in manifests.items() if kind == "ConfigMap"))]
        for config in configs:
            config["kubernetes"].pop("imagePullPolicy", None)
            config.pop("maxConcurrentReconciles", None)
        self.assertEqual(*configs)

    def test_the_director_takes_the_configuration(self):
        need_director_for_clusters()
        configs = [(ROOT / f"manifests/{folder}/director.yaml").read_text() for folder in ("base", "overlays/namespaced")]
        configs += [next(each for each in objects(render("-f", GOLDEN / f"{case}.values.yaml").stdout) if each["kind"] == "ConfigMap")
                    ["data"]["director.yaml"] for case in CASES]
        for text in configs:
            with tempfile.TemporaryDirectory() as folder:
                file = pathlib.Path(folder) / "director.yaml"
                file.write_text(re.sub(r"^listen:.*$", "", text, flags=re.M))
                done = subprocess.run([BIN / "atq-director", "--config", file], capture_output=True, text=True, timeout=60,
                                      env={**os.environ, "KUBECONFIG": f"{folder}/none", "HOME": folder})
                said = done.stdout + done.stderr
                # All of it was understood: what is missing is the cluster.
                self.assertIn(f"kubeconfig: {folder}/none", said)

    def test_one_version_everywhere(self):
        version = re.search(r"^project\(atq-director VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text(), re.M).group(1)
        found = {"Chart.yaml version": re.search(r"^version: (\S+)", (CHART / "Chart.yaml").read_text(), re.M).group(1),
                 "Chart.yaml appVersion": re.search(r"^appVersion: (\S+)", (CHART / "Chart.yaml").read_text(), re.M).group(1),
                 "manifests/base": re.search(r"newTag: (\S+)", (ROOT / "manifests/base/kustomization.yaml").read_text()).group(1)}
        for file in ("base", "overlays/namespaced"):
            text = (ROOT / f"manifests/{file}/director.yaml").read_text()
            found[f"{file}/director.yaml"] = re.search(r"agentImage: \S+:(\S+)", text).group(1)
        self.assertEqual(found, dict.fromkeys(found, version))

    def test_alerts_speak_of_metrics_that_exist(self):
        text = render("--set", "prometheusRule.enabled=true", "-s", "templates/prometheusrule.yaml").stdout
        asked = set(re.findall(r"\b([a-z_]+){ ?job=", text)) - {"up"}
        self.assertGreaterEqual(len(asked), 4)
        there = (ROOT / "controller/engine/metrics.cpp").read_text()
        for name in asked:
            self.assertIn(f'"{name}"', there)


class ServerCase(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(ApiServer())
        for namespace in (NAMESPACE, "shop", "load"):
            cls.server.call("POST", "/api/v1/namespaces", {"metadata": {"name": namespace, "labels": {
                "pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/warn": "restricted"}}})
            # Made by the controller manager, where there is one.
            cls.server.call("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": "default"}})


class Accepted(ServerCase):
    def without_monitoring(self, case):
        text = render("-f", GOLDEN / f"{case}.values.yaml").stdout
        return "---".join(part for part in text.split("---\n") if "monitoring.coreos.com" not in part).replace("---#", "---\n#")

    def test_by_a_real_server_strictly_and_without_a_warning(self):
        for case in CASES:
            with self.subTest(case):
                done = self.server.kubectl("apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-",
                                           input=self.without_monitoring(case))
                self.assertNotIn("Warning", done.stderr)

    def test_by_kubeconform(self):
        with tempfile.TemporaryDirectory() as folder:
            location = write_schemas(self.server, folder)
            command = [binary("kubeconform"), "-strict", "-summary", "-schema-location", location]
            for case in CASES:
                with self.subTest(case):
                    done = subprocess.run(command, input=self.without_monitoring(case), capture_output=True, text=True, timeout=60)
                    self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                    self.assertRegex(done.stdout, r"Valid: [1-9]\d*, Invalid: 0, Errors: 0, Skipped: 0")
            wrong = self.without_monitoring("default").replace("replicas: 2", "replica: 2")
            self.assertNotEqual(subprocess.run(command, input=wrong, capture_output=True, text=True, timeout=60).returncode, 0,
                                "a wrong field was taken: these schemas find nothing")

    def test_installs_upgrades_and_leaves_the_crd(self):
        kubeconfig = {**os.environ, "KUBECONFIG": str(self.server.kubeconfig)}
        crd = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/loadtests.atq.dev"
        common = ["atq-director", CHART, "-n", NAMESPACE]
        said = helm("install", *common, env=kubeconfig).stdout
        self.assertIn("helm test -n atq-system atq-director", said)
        self.assertTrue(self.server.call("GET", crd).ok)
        # An older schema in the cluster becomes that of the chart with the upgrade.
        self.server.call("PATCH", crd, {"spec": {"names": {"categories": []}}}, "application/merge-patch+json")
        helm("upgrade", *common, "--set", "replicas=3,namespaces={shop}", env=kubeconfig)
        self.assertEqual(self.server.call("GET", crd).json["spec"]["names"]["categories"], ["all"])
        deployment = self.server.call("GET", f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/atq-director").json
        self.assertEqual(deployment["spec"]["replicas"], 3)
        self.assertTrue(self.server.call("GET", "/apis/rbac.authorization.k8s.io/v1/namespaces/shop/roles/atq-director").ok)
        self.assertEqual(self.server.call("GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles/atq-system:atq-director").code, 404)
        helm("uninstall", "atq-director", "-n", NAMESPACE, env=kubeconfig)
        self.assertTrue(self.server.call("GET", crd).ok, "uninstall took the CRD, and every LoadTest with it")
        # What was kept belongs to the release of that name again.
        helm("install", *common, env=kubeconfig)
