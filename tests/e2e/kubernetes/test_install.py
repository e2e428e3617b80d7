"""docs/kubernetes.md from its first line to its last: the shell blocks are one script, run in order in the lab. And an
upgrade of the chart in the middle of a run."""
import os
import re
import subprocess
import unittest

from tests.e2e.harness import ROOT, wait_for
from tests.e2e.kubernetes.apiserver import binary, need_director_for_clusters

DOCUMENT = ROOT / "docs/kubernetes.md"
LAB = ROOT / "hack/lab"


def blocks():
    return re.findall(r"^```sh\n(.*?)^```$", DOCUMENT.read_text(), re.M | re.S)


class Case(unittest.TestCase):
    maxDiff = None


class Document(Case):
    def test_the_script_is_one(self):
        script = "\n".join(blocks())
        self.assertGreaterEqual(len(blocks()), 8)
        checked = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, timeout=20)
        self.assertEqual(checked.stderr, "")
        for step in ("hack/lab kubernetes up", "hack/image", "helm install", "kubectl apply", "kubectl wait", "kubectl get", "kubectl logs",
                     "atq.dev/stop", "atq.dev/rerun", "kubectl delete"):
            self.assertIn(step, script)


class LabCase(Case):
    def setUp(self):
        for name in ("helm", "kubectl", "kubelet"):
            binary(name)  # skips where the lab was never built
        if os.geteuid() != 0:
            self.skipTest("the lab makes bridges and namespaces: it needs root")
        need_director_for_clusters()

    def bash(self, script, timeout=60):
        """The lab is no child of ours: it goes on, and must not hold our pipes."""
        return subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=timeout)

    def lab(self, script, timeout=60):
        done = self.bash(f'eval "$({LAB} kubernetes env)"\n{script}', timeout)
        self.assertEqual(done.returncode, 0, script + "\n" + done.stdout[-3000:] + done.stderr[-6000:])
        return done.stdout.strip()

    def tidy(self, release, namespaces):
        self.bash(f'eval "$({LAB} kubernetes env)"; helm uninstall atq-director -n {release} --ignore-not-found; '
                  f'kubectl delete namespace {namespaces} {release} --ignore-not-found --timeout=90s', 180)


class Install(LabCase):
    def test_from_the_lab_to_nothing_left(self):
        self.addCleanup(self.tidy, "atq-system", "load")
        marked = "".join(f"echo 'block {number}' >&2\n{block}\n" for number, block in enumerate(blocks(), 1))
        done = self.bash(f"set -x\n{marked}", 280)
        self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr[-6000:])
        self.assertEqual(self.lab("kubectl get job,service,pod -n load -o name -l app.kubernetes.io/managed-by=atq-director"), "")


class Upgrade(LabCase):
    """With a Lease and a namespace of its own, beside whatever else the lab runs."""

    RELEASE, LOAD = "atq-upgrade", "atq-upgrade-load"
    TEST = """
apiVersion: atq.dev/v1alpha1
kind: LoadTest
metadata: {name: during}
spec:
  worker: {replicas: 2, image: atq.dev/tools:lab, command: [sleep, "120"]}
  master: {image: atq.dev/tools:lab, command: [sh, -c, "echo begun; sleep 20; echo done"]}
  runPolicy: {cleanup: {policy: Never}}
"""

    def helm(self, verb, *values):
        self.lab(f"helm {verb} atq-director charts/atq-director -n {self.RELEASE} --create-namespace --wait --timeout 2m "
                 f"--set crd.install=false,rbac.aggregate=false,namespaces={{{self.LOAD}}}" + "".join(f",{value}" for value in values), 150)

    def status(self, path):
        return self.lab(f"kubectl get ltest during -n {self.LOAD} -o jsonpath='{{.status.{path}}}'")

    def test_an_upgrade_in_the_middle_of_a_run_disturbs_nothing(self):
        self.lab("hack/lab kubernetes up", 290)
        self.addCleanup(self.tidy, self.RELEASE, self.LOAD)
        self.lab('archive=$(hack/image --without-docker --tag atq.dev/atq-director:0.1.0); '
                 'ctr --address "$ATQ_LAB_CONTAINERD" --namespace k8s.io images import "$archive"; '
                 f'kubectl apply --server-side --force-conflicts -f crd/; kubectl create namespace {self.LOAD}', 200)
        self.helm("install")
        self.lab(f"kubectl apply -n {self.LOAD} -f - <<'END'{self.TEST}END")
        self.lab(f"kubectl wait -n {self.LOAD} --for=jsonpath='{{.status.phase}}'=Master ltest/during --timeout=90s", 100)
        before = self.lab(f"kubectl get pods -n {self.RELEASE} -o name -l app.kubernetes.io/name=atq-director").split()
        self.helm("upgrade", "log.level=debug", "podAnnotations.upgraded=yes")
        wait_for("the old directors are gone", lambda: not set(before) & set(
            self.lab(f"kubectl get pods -n {self.RELEASE} -o name -l app.kubernetes.io/name=atq-director").split()), 60, 0.5)
        self.assertEqual(self.status("phase"), "Master", "the run ended before the upgrade did: the test shows nothing")
        self.lab(f"kubectl wait -n {self.LOAD} --for=condition=Finished ltest/during --timeout=90s", 100)
        self.assertEqual([self.status("verdict"), self.status("run.number")], ["Passed", "1"], self.status("message"))
        pods = self.lab(f"kubectl get pods -n {self.LOAD} -o name -l atq.dev/role=master").split()
        self.assertEqual(len(pods), 1, "one master, whoever leads")
        self.assertEqual(self.lab(f"kubectl logs -n {self.LOAD} {pods[0]}").split(), ["begun", "done"])
