"""The agent and the tools' images in real pods, without a director: what its runtime builds on. Commands are those of the
profiles, as `atq render` says them."""
import json
import unittest

from tests.e2e.harness import PLANS, Folder, Target, environment, run_atq
from tests.e2e.kubernetes.lab import HOST, Namespace

PORT = 7070
RESTRICTED = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "runAsNonRoot": True,
              "seccompProfile": {"type": "RuntimeDefault"}}


def mounts(*names):
    return [{"name": name, "mountPath": f"/atq/{name}"} for name in names]


def agent_pod(name, image, command, flags=(), env=(), plan=None):
    """A pod whose first process is the agent that an init container has put there."""
    variables = [{"name": "ATQ_ADDRESS", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}, {"name": "ATQ_OUT", "value": "/atq/out"},
                 *({"name": key, "value": str(value)} for key, value in env)]
    volumes = [{"name": "bin", "emptyDir": {}}, {"name": "out", "emptyDir": {}}]
    if plan:
        volumes.append({"name": "data", "configMap": {"name": plan}})
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}},
            "spec": {"restartPolicy": "Never", "enableServiceLinks": False, "automountServiceAccountToken": False,
                     "terminationGracePeriodSeconds": 10, "volumes": volumes,
                     "initContainers": [{"name": "agent", "image": "atq.dev/atq-director:lab", "imagePullPolicy": "Never",
                                         "command": ["/atq-agent", "install", "/atq/bin"], "volumeMounts": mounts("bin"),
                                         "securityContext": {**RESTRICTED, "readOnlyRootFilesystem": True}}],
                     "containers": [{"name": "tool", "image": f"atq.dev/{image}:lab", "imagePullPolicy": "Never", "env": variables,
                                     "command": ["/atq/bin/atq-agent", "pod", "--termination-log", "/dev/termination-log", "--address",
                                                 "$(ATQ_ADDRESS)", "--listen", str(PORT), *flags, "--", *command],
                                     "readinessProbe": {"httpGet": {"path": "/ready", "port": PORT}, "periodSeconds": 1, "failureThreshold": 90},
                                     "volumeMounts": mounts("bin", "out", *(["data"] if plan else [])), "securityContext": RESTRICTED}]}}


def config_map(name, *files):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {file: (PLANS / file).read_text() for file in files}}


def rendered(spec, plan):
    """The command and environment of both roles, as a director would run them."""
    with Folder() as folder:
        folder.plan(plan)
        done = run_atq("render", folder.loadtest("rendered", {**spec, "files": [{"path": f"./{plan}"}]}), "-o", "json", env=environment())
    whole = json.loads(done.stdout)["spec"]
    return {role: ([*whole[role]["command"], *whole[role]["args"]],
                   [("ATQ_PLAN", f"/atq/data/{plan}"), *((each["name"], each["value"]) for each in whole[role].get("env", []))])
            for role in ("worker", "master")}


class Case(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.cluster = self.enterContext(Namespace("director", self.image))
        self.target = self.enterContext(Target(HOST))


class Agent(Case):
    image = "tools"

    def test_the_workers_of_a_masterless_run_start_together(self):
        script = "import os, urllib.request\nfor _ in range(20): urllib.request.urlopen(os.environ['URL'] + '/ok').read()"
        self.cluster.apply(*(agent_pod(f"worker-{i}", "tools", ["python3", "-c", script], ["--wait-for-start", "run 1"],
                                       [("URL", self.target.url)]) for i in range(3)))
        for i in range(3):
            self.cluster.wait_ready(f"worker-{i}")
        self.assertEqual(self.target.counts()["total"], 0, "a worker did not wait")
        targets = ",".join(f"{self.cluster.address(f'worker-{i}')}:{PORT}" for i in range(3))
        starter = agent_pod("starter", "tools", ["/atq/bin/atq-agent", "start", "--token", "run 1", "--targets", targets])
        self.cluster.apply(starter)
        code, record = self.cluster.wait_end("starter")
        self.assertEqual(code, 0, record)
        report = json.loads(self.cluster.logs("starter"))
        self.assertEqual((report["started"], report["errors"]), (3, []))
        self.assertLess(report["skewUs"], 1_000_000)
        for i in range(3):
            self.assertEqual(self.cluster.wait_end(f"worker-{i}")[0], 0, self.cluster.logs(f"worker-{i}"))
        self.assertEqual(self.target.counts()["total"], 3 * 20)

    def test_ends_are_told_in_the_termination_message(self):
        self.cluster.apply(agent_pod("missing", "tools", ["no-such-tool"]),
                           agent_pod("failing", "tools", ["sh", "-c", "seq 300; echo 'what went wrong' >&2; exit 9"]))
        code, record = self.cluster.wait_end("missing")
        self.assertEqual(code, 121)
        self.assertIn("no-such-tool: not found in PATH", record["error"])
        code, record = self.cluster.wait_end("failing")
        self.assertEqual((code, record["code"]), (9, 9))
        self.assertEqual(record["lastLines"][-1], "what went wrong")
        self.assertEqual(sorted(self.cluster.logs("failing").split("\n")), sorted(["", "what went wrong", *map(str, range(1, 301))]))

    def test_deletion_of_the_pod_stops_the_tool_gracefully(self):
        script = f"trap 'python3 -c \"import urllib.request as u; u.urlopen(\\\"{self.target.url}/bye\\\")\"; exit 0' TERM; while :; do sleep 0.1; done"
        self.cluster.apply(agent_pod("worker", "tools", ["sh", "-c", script]))
        self.cluster.wait_ready("worker")
        self.cluster.kubectl("delete", "pod", "worker", "--timeout=30s")
        self.assertEqual(self.target.counts()["by_path"], {"/bye": 1})


class Locust(Case):
    image = "locust"

    def test_one_master_and_three_workers(self):
        roles = rendered({"tool": "locust", "worker": {"replicas": 3}, "parameters": {
            "host": self.target.url, "users": "6", "spawnRate": "6", "runTime": "5s", "requests": "20", "path": "/ok"}}, "counted.py")
        service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "master"},
                   "spec": {"clusterIP": "None", "publishNotReadyAddresses": True, "selector": {"app": "master"}}}
        command, env = roles["master"]
        self.cluster.apply(config_map("plan", "counted.py"), service, agent_pod("master", "locust", command, env=[
            *env, ("ATQ_PORT_MASTER", 5557), ("ATQ_WORKER_COUNT", 3)], plan="plan"))
        command, env = roles["worker"]
        env += [("ATQ_MASTER_HOST", f"master.{self.cluster.name}.svc"), ("ATQ_MASTER_PORT_MASTER", 5557)]
        self.cluster.apply(*(agent_pod(f"worker-{i}", "locust", command, ["--ready-log", r"locust\.main: Starting Locust"], env, "plan")
                             for i in range(3)))
        code, _ = self.cluster.wait_end("master")
        self.assertEqual(code, 0, self.cluster.logs("master"))
        self.assertEqual(self.target.counts()["total"], 6 * 20)
        for i in range(3):
            self.assertEqual(self.cluster.wait_end(f"worker-{i}")[0], 0, self.cluster.logs(f"worker-{i}"))


class JMeter(Case):
    image = "jmeter"

    def test_one_master_and_three_servers_over_rmi(self):
        roles = rendered({"tool": "jmeter", "worker": {"replicas": 3}, "parameters": {
            "host": self.target.host, "port": str(self.target.port), "threads": "2", "loops": "20", "path": "/ok"}}, "plan.jmx")
        command, env = roles["worker"]
        env += [("ATQ_PORT_RMI", 1099), ("ATQ_PORT_RMI_LOCAL", 50000)]
        self.cluster.apply(config_map("plan", "plan.jmx"),
                           *(agent_pod(f"worker-{i}", "jmeter", command, ["--ready-tcp", "1099"], env, "plan") for i in range(3)))
        for i in range(3):
            self.cluster.wait_ready(f"worker-{i}")
        endpoints = ",".join(f"{self.cluster.address(f'worker-{i}')}:1099" for i in range(3))
        command, env = roles["master"]
        self.cluster.apply(agent_pod("master", "jmeter", command, env=[*env, ("ATQ_WORKER_ENDPOINTS", endpoints), ("ATQ_PORT_UDP", 4445)],
                                     plan="plan"))
        code, _ = self.cluster.wait_end("master")
        self.assertEqual(code, 0, self.cluster.logs("master"))
        self.assertEqual(self.target.counts()["total"], 3 * 2 * 20, self.cluster.logs("master"))


if __name__ == "__main__":
    unittest.main()
