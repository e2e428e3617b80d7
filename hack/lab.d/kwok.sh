# Simulated nodes beside the real one: sourced by hack/lab. kwok makes their pods Running, Succeeded and gone; the nodes are
# tainted (kwok.x-k8s.io/node=fake:NoSchedule), so that only pods that tolerate it land there.

kwok_version=0.8.0

kwok_stages() { # the five "fast" stages of its module, as one file
  local source stage
  source=$(cd "$(go_module kwok sigs.k8s.io/kwok "$kwok_version")" && go mod download -json "sigs.k8s.io/kwok@v$kwok_version" |
    sed -n 's/.*"Dir": "\(.*\)".*/\1/p')/kustomize/stage
  for stage in node/fast/node-initialize node/heartbeat-with-lease/node-heartbeat-with-lease pod/fast/pod-ready pod/fast/pod-complete pod/fast/pod-delete; do
    printf -- '---\n'
    cat "$source/$stage.yaml" || die "kwok $kwok_version has no stage $stage"
  done
}

fake_nodes() { # COUNT: their manifests
  local i
  for ((i = 0; i < $1; i++)); do
    printf -- '---\napiVersion: v1\nkind: Node\nmetadata:\n  name: fake-%d\n  annotations: {kwok.x-k8s.io/node: fake}\n' "$i"
    printf '  labels: {type: kwok, kubernetes.io/hostname: fake-%d, kubernetes.io/os: linux}\n' "$i"
    printf 'spec: {taints: [{key: kwok.x-k8s.io/node, value: fake, effect: NoSchedule}]}\n'
  done
}

start_kwok() { # COUNT: at least so many fake nodes; those of an earlier call stay
  go_install kwok "sigs.k8s.io/kwok/cmd/kwok@v$kwok_version"
  kwok_stages >"$lab_dir/kwok.yaml"
  start kwok kwok --kubeconfig="$lab_dir/admin.kubeconfig" --config="$lab_dir/kwok.yaml" --manage-all-nodes=false \
    --manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake --node-lease-duration-seconds=40
  fake_nodes "$1" | kubectl --kubeconfig "$lab_dir/admin.kubeconfig" apply --server-side -f - >/dev/null
  wait_until 120 "fake nodes" sh -c "test \$(kubectl --kubeconfig '$lab_dir/admin.kubeconfig' get nodes -l type=kwok --no-headers | grep -c ' Ready') -ge $1"
}
