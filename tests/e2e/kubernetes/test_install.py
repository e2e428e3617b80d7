"""docs/kubernetes.md from its first line to its last: the shell blocks are one script, run in order in the lab."""
import os
import re
import subprocess
import unittest

from tests.e2e.harness import ROOT
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


class Install(Case):
    def setUp(self):
        for name in ("helm", "kubectl", "kubelet"):
            binary(name)  # skips where the lab was never built
        if os.geteuid() != 0:
            self.skipTest("the lab makes bridges and namespaces: it needs root")
        need_director_for_clusters()

    def bash(self, script, timeout):
        """The lab is no child of ours: it goes on, and must not hold our pipes."""
        return subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=timeout)

    def tidy(self):
        self.bash(f'eval "$({LAB} kubernetes env)"; kubectl delete namespace load atq-system --ignore-not-found --timeout=60s; '
                  'helm uninstall atq-director -n atq-system --ignore-not-found; '
                  'kubectl delete clusterrole,clusterrolebinding -l app.kubernetes.io/instance=atq-director', 180)

    def test_from_the_lab_to_nothing_left(self):
        self.addCleanup(self.tidy)
        marked = "".join(f"echo 'block {number}' >&2\n{block}\n" for number, block in enumerate(blocks(), 1))
        done = self.bash(f"set -x\n{marked}", 280)
        self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr[-6000:])
        left = self.bash(f'eval "$({LAB} kubernetes env)"; kubectl get job,service,pod -A -o name -l app.kubernetes.io/managed-by=atq-director', 60)
        self.assertEqual(left.stdout.strip(), "")
