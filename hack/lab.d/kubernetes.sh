# The Kubernetes lab: etcd, apiserver, controller-manager, scheduler, containerd, kubelet, kube-proxy, CoreDNS.
# Sourced by hack/lab. Each odd flag was needed on a plain virtual machine: no IP_VS, no CAP_SYS_RESOURCE, no registry.

bridge=atqk8s node_ip=10.200.0.1 pod_cidr=10.244.0.0/16 service_cidr=10.96.0.0/16 dns_ip=10.96.0.10
lab_dir=$lab/kubernetes        # sockets, certificates, logs: gone with `down`
lab_data=$cache/lab/kubernetes # images and layers, on a real disk
pki=$lab_dir/pki
audit_log=$lab_dir/audit.log

# ---- certificates ----------------------------------------------------------------------------

certificate() { # NAME SUBJECT [SAN]
  local extension=$pki/$1.ext
  printf 'basicConstraints=CA:FALSE\nkeyUsage=digitalSignature,keyEncipherment\nextendedKeyUsage=clientAuth,serverAuth\n%s\n' \
    "${3:+subjectAltName=$3}" >"$extension"
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$pki/$1.key" -subj "$2" -out "$pki/$1.csr" 2>/dev/null
  openssl x509 -req -in "$pki/$1.csr" -CA "$pki/ca.crt" -CAkey "$pki/ca.key" -CAcreateserial -days 30 -extfile "$extension" \
    -out "$pki/$1.crt" 2>/dev/null
}

make_pki() {
  mkdir -p "$pki"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$pki/ca.key" -out "$pki/ca.crt" -days 30 -subj /CN=atq-lab \
    -addext keyUsage=critical,keyCertSign,cRLSign,digitalSignature 2>/dev/null
  certificate apiserver /CN=kube-apiserver "DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local,IP:10.96.0.1,IP:$node_ip,IP:127.0.0.1"
  certificate admin /O=system:masters/CN=admin
  certificate controller /CN=system:kube-controller-manager
  certificate scheduler /CN=system:kube-scheduler
  certificate proxy /CN=system:kube-proxy
  certificate kubelet "/O=system:nodes/CN=system:node:$(hostname)" "DNS:$(hostname),IP:$node_ip"
  openssl genrsa -out "$pki/sa.key" 2048 2>/dev/null
  openssl rsa -in "$pki/sa.key" -pubout -out "$pki/sa.pub" 2>/dev/null
  local name
  for name in admin controller scheduler proxy kubelet; do kubeconfig "$name"; done
}

kubeconfig() { # NAME: $lab_dir/NAME.kubeconfig
  cat >"$lab_dir/$1.kubeconfig" <<EOF
apiVersion: v1
kind: Config
clusters: [{name: lab, cluster: {server: "https://$node_ip:6443", certificate-authority-data: $(base64 -w0 "$pki/ca.crt")}}]
users: [{name: $1, user: {client-certificate-data: $(base64 -w0 "$pki/$1.crt"), client-key-data: $(base64 -w0 "$pki/$1.key")}}]
contexts: [{name: lab, context: {cluster: lab, user: $1}}]
current-context: lab
EOF
}

# ---- processes -------------------------------------------------------------------------------

start() { # NAME COMMAND…: in the background, own session, log and pid in the lab's folder
  local name=$1
  shift
  running "$name" && return
  setsid "$@" >"$lab_dir/$name.log" 2>&1 </dev/null 9>&- &
  echo $! >"$lab_dir/$name.pid"
}
running() { [ -e "$lab_dir/$1.pid" ] && kill -0 "$(cat "$lab_dir/$1.pid")" 2>/dev/null; }
end_process() {
  running "$1" || { rm -f "$lab_dir/$1.pid"; return 0; }
  local pid
  pid=$(cat "$lab_dir/$1.pid")
  kill "$pid" 2>/dev/null || true
  timeout 15 tail -s 0.1 --pid="$pid" -f /dev/null || kill -9 "$pid" 2>/dev/null || true
  rm -f "$lab_dir/$1.pid"
}

wait_until() { # SECONDS WHAT COMMAND…
  local end=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt "$end" ] || { tail -5 "$lab_dir"/*.log >&2; die "the lab's $what is not ready in time; logs in $lab_dir"; }
    read -rt 0.1 <> <(:) || true
  done
}

# ---- network and containerd ------------------------------------------------------------------

make_bridge() {
  ip link show "$bridge" >/dev/null 2>&1 || ip link add "$bridge" type bridge
  ip addr replace "$node_ip/24" dev "$bridge"
  ip link set "$bridge" up
  sysctl -qw net.ipv4.ip_forward=1
  local chain
  for chain in FORWARD; do
    iptables -C "$chain" -s "$pod_cidr" -j ACCEPT 2>/dev/null || iptables -I "$chain" -s "$pod_cidr" -j ACCEPT
    iptables -C "$chain" -d "$pod_cidr" -j ACCEPT 2>/dev/null || iptables -I "$chain" -d "$pod_cidr" -j ACCEPT
  done
  mkdir -p "$lab_dir/cni"
  cat >"$lab_dir/cni/10-atq.conflist" <<EOF
{"cniVersion": "1.0.0", "name": "atq", "plugins": [
  {"type": "bridge", "bridge": "atqpods", "isGateway": true, "ipMasq": true, "hairpinMode": true,
   "ipam": {"type": "host-local", "dataDir": "$lab_dir/ipam", "ranges": [[{"subnet": "$pod_cidr"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
EOF
}

start_containerd() {
  cat >"$lab_dir/containerd.toml" <<EOF
version = 2
root = "$lab_data/containerd"
state = "$lab_dir/containerd"
[grpc]
  address = "$lab_dir/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "atq.dev/pause:lab"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$lab_dir/cni"
EOF
  start containerd containerd --config "$lab_dir/containerd.toml"
  wait_until 20 containerd ctr -a "$lab_dir/containerd.sock" version
}

# ---- audit log -------------------------------------------------------------------------------

# Who wrote and read what, but for the cluster's own parts: one JSON line a request, for counting.
audit_flags() {
  [ -e "$lab_dir/audit.yaml" ] || return 0
  echo "--audit-policy-file=$lab_dir/audit.yaml --audit-log-path=$audit_log --audit-log-maxsize=200 --audit-log-maxbackup=1"
}

enable_audit() {
  [ ! -e "$lab_dir/audit.yaml" ] || return 0
  cat >"$lab_dir/audit.yaml" <<EOF
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: None, userGroups: ["system:nodes", "system:serviceaccounts:kube-system"]}
- {level: None, users: ["system:apiserver", "system:kube-controller-manager", "system:kube-scheduler", "system:kube-proxy"]}
- {level: None, nonResourceURLs: ["*"]}
- {level: Metadata}
EOF
  end_process apiserver
}

# ---- control plane and node ------------------------------------------------------------------

start_control_plane() {
  start etcd etcd --data-dir "$lab_dir/etcd" --unsafe-no-fsync --listen-client-urls http://127.0.0.1:23790 \
    --advertise-client-urls http://127.0.0.1:23790 --listen-peer-urls http://127.0.0.1:23800
  wait_until 20 etcd curl -fs http://127.0.0.1:23790/health
  start apiserver kube-apiserver --etcd-servers=http://127.0.0.1:23790 --bind-address="$node_ip" --advertise-address="$node_ip" \
    --secure-port=6443 --service-cluster-ip-range="$service_cidr" --authorization-mode=Node,RBAC --anonymous-auth=false --allow-privileged=true \
    --client-ca-file="$pki/ca.crt" --tls-cert-file="$pki/apiserver.crt" --tls-private-key-file="$pki/apiserver.key" \
    --kubelet-client-certificate="$pki/admin.crt" --kubelet-client-key="$pki/admin.key" --kubelet-preferred-address-types=InternalIP \
    --service-account-key-file="$pki/sa.pub" --service-account-signing-key-file="$pki/sa.key" \
    --service-account-issuer=https://kubernetes.default.svc.cluster.local $(audit_flags) ${ATQ_APISERVER_FLAGS:-}
  wait_until 60 apiserver kubectl --kubeconfig "$lab_dir/admin.kubeconfig" get --raw /readyz
  start controller-manager kube-controller-manager --kubeconfig="$lab_dir/controller.kubeconfig" --leader-elect=false \
    --root-ca-file="$pki/ca.crt" --service-account-private-key-file="$pki/sa.key" --use-service-account-credentials=true
  start scheduler kube-scheduler --kubeconfig="$lab_dir/scheduler.kubeconfig" --leader-elect=false
}

start_node() {
  cat >"$lab_dir/kubelet.yaml" <<EOF
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
failCgroupV1: false
cgroupDriver: cgroupfs
failSwapOn: false
evictionHard: {}
address: $node_ip
authentication: {anonymous: {enabled: false}, x509: {clientCAFile: $pki/ca.crt}}
authorization: {mode: Webhook}
clusterDNS: [$dns_ip]
clusterDomain: cluster.local
tlsCertFile: $pki/kubelet.crt
tlsPrivateKeyFile: $pki/kubelet.key
containerRuntimeEndpoint: unix://$lab_dir/containerd.sock
resolvConf: $lab_dir/resolv.conf
registerWithTaints: []
EOF
  : >"$lab_dir/resolv.conf"
  start kubelet kubelet --kubeconfig="$lab_dir/kubelet.kubeconfig" --config="$lab_dir/kubelet.yaml" --root-dir="$lab_data/kubelet" \
    --node-ip="$node_ip" --hostname-override="$(hostname)"
  start proxy kube-proxy --kubeconfig="$lab_dir/proxy.kubeconfig" --proxy-mode=iptables --conntrack-max-per-core=0 \
    --cluster-cidr="$pod_cidr" --hostname-override="$(hostname)"
}

# ---- verbs -----------------------------------------------------------------------------------

lab_up() {
  local audit='' fakes=0
  while [ $# -gt 0 ]; do
    case $1 in
      --audit) audit=1 ;;
      --kwok) [[ ${2:-} =~ ^[0-9]+$ ]] || die "--kwok needs a number of nodes"; fakes=$2; shift ;;
      *) usage ;;
    esac
    shift
  done
  [ "$(id -u)" = 0 ] || die "the lab makes bridges and namespaces: run it as root"
  need_packages containerd runc containernetworking-plugins iptables iproute2 openssl curl conntrack
  build_lab_binaries
  export PATH=$lab_bin:/usr/sbin:$PATH
  mkdir -p "$lab_dir" "$lab_data"
  [ -e "$lab_dir/admin.kubeconfig" ] || make_pki
  [ -z "$audit" ] || enable_audit
  make_bridge
  start_containerd
  start_control_plane
  import_images
  start_node
  wait_until 60 node sh -c "kubectl --kubeconfig '$lab_dir/admin.kubeconfig' get nodes | grep -q ' Ready'"
  kubectl --kubeconfig "$lab_dir/admin.kubeconfig" apply --server-side -f "$root/hack/lab.d/coredns.yaml" >/dev/null
  wait_until 60 CoreDNS kubectl --kubeconfig "$lab_dir/admin.kubeconfig" -n kube-system rollout status deployment/coredns --timeout=1s
  [ "$fakes" = 0 ] || start_kwok "$fakes"
  say "Kubernetes $kubernetes_version is up: eval \"\$(hack/lab kubernetes env)\""
}

lab_env() {
  printf 'export PATH=%q:$PATH\nexport KUBECONFIG=%q\nexport ATQ_LAB_CONTAINERD=%q\n' "$lab_bin" "$lab_dir/admin.kubeconfig" "$lab_dir/containerd.sock"
  [ ! -e "$lab_dir/audit.yaml" ] || printf 'export ATQ_LAB_AUDIT=%q\n' "$audit_log"
}

lab_status() {
  local name
  for name in etcd apiserver controller-manager scheduler containerd kubelet proxy kwok; do
    [ $name != kwok ] || running kwok || continue
    running "$name" && printf '%-20s running, pid %s\n' "$name" "$(cat "$lab_dir/$name.pid")" || printf '%-20s not running\n' "$name"
  done
  running apiserver || return 3
  "$lab_bin/kubectl" --kubeconfig "$lab_dir/admin.kubeconfig" get nodes
}

# Everything the cluster wrote into the kernel's tables: chains of kube-proxy, kubelet and the CNI plugins.
clean_iptables() {
  iptables-save 2>/dev/null | grep -vE "KUBE-|CNI-|$pod_cidr|$service_cidr" | iptables-restore 2>/dev/null || true
}

lab_down() {
  local name
  export PATH=$lab_bin:/usr/sbin:$PATH
  for name in kwok kubelet proxy scheduler controller-manager; do
    ! running "$name" || kill "$(cat "$lab_dir/$name.pid")"
  done
  for name in kwok kubelet proxy scheduler controller-manager; do end_process "$name"; done
  if running containerd; then
    ctr -a "$lab_dir/containerd.sock" -n k8s.io tasks ls -q 2>/dev/null |
      xargs -r -P 8 -n 1 ctr -a "$lab_dir/containerd.sock" -n k8s.io tasks kill -s KILL 2>/dev/null || true
  fi
  pkill -f "containerd-shim.*$lab_dir/containerd.sock" 2>/dev/null || true
  for name in containerd apiserver etcd; do end_process "$name"; done
  grep -oE " ($lab_dir|$lab_data)[^ ]*" /proc/mounts | sort -r | xargs -r -n 1 umount -l 2>/dev/null || true
  ip netns list 2>/dev/null | grep -o '^cni-[^ ]*' | xargs -r -n 1 ip netns del 2>/dev/null || true
  ip link del atqpods 2>/dev/null || true
  ip link del "$bridge" 2>/dev/null || true
  clean_iptables
  rm -rf "$lab_dir" "$lab_data/kubelet"
}
