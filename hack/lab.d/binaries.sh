# Builds what the labs run from Go modules, once, into the cache: sourced by hack/lab after hack/lib/common.sh.

kubernetes_version=1.36.3
etcd_version=3.6.5
coredns_version=1.14.0
helm_version=3.22.0
kubeconform_version=0.8.0

lab_bin=$cache/kubernetes-$kubernetes_version/bin

# go_module NAME MODULE VERSION: an empty module in the cache that requires MODULE; prints its folder.
go_module() {
  local dir=$cache/go/$1
  mkdir -p "$dir"
  printf 'module atq.dev/lab/%s\n\ngo 1.26\n\nrequire %s v%s\n' "$1" "$2" "$3" >"$dir/go.mod"
  echo "$dir"
}

go_quiet() { (cd "$1" && shift && "$@") >"$cache/go.log" 2>&1 || { tail -40 "$cache/go.log" >&2; die "building the lab failed: ${*:2}"; }; }

# kubernetes refuses `go install module@version` for its replace lines: a module of ours repeats them, pointing at the
# published staging modules.
build_kubernetes() {
  local dir minor=${kubernetes_version#1.} source component cgo
  dir=$(go_module kubernetes k8s.io/kubernetes "$kubernetes_version")
  go_quiet "$dir" go mod download "k8s.io/kubernetes@v$kubernetes_version"
  source=$(cd "$dir" && go mod download -json "k8s.io/kubernetes@v$kubernetes_version" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
  sed -n 's|^\tk8s.io/\([a-z-]*\) => ./staging.*|replace k8s.io/\1 => k8s.io/\1 v0.'"$minor"'|p; s|^replace k8s.io/\([a-z-]*\) => ./staging.*|replace k8s.io/\1 => k8s.io/\1 v0.'"$minor"'|p' \
    "$source/go.mod" >>"$dir/go.mod"
  { printf '//go:build tools\n\npackage lab\n\nimport (\n'
    for component in kube-apiserver kube-controller-manager kube-scheduler kubectl kubelet kube-proxy; do
      printf '\t_ "k8s.io/kubernetes/cmd/%s"\n' "$component"
    done
    printf ')\n'; } >"$dir/tools.go"
  go_quiet "$dir" go mod tidy -e
  for component in kubectl kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet; do
    [ -x "$lab_bin/$component" ] && continue
    say "building $component $kubernetes_version"
    cgo=0
    [ "$component" = kubelet ] && cgo=1
    go_quiet "$dir" env CGO_ENABLED=$cgo go build -trimpath -p "$jobs" \
      -ldflags "-s -w -X k8s.io/component-base/version.gitVersion=v$kubernetes_version" \
      -o "$lab_bin/" "k8s.io/kubernetes/cmd/$component"
  done
}

build_etcd() {
  [ -x "$lab_bin/etcd" ] && return
  say "building etcd $etcd_version"
  local dir
  dir=$(go_module etcd go.etcd.io/etcd/server/v3 "$etcd_version")
  printf '//go:build tools\n\npackage lab\n\nimport _ "go.etcd.io/etcd/server/v3"\n' >"$dir/tools.go"
  go_quiet "$dir" go mod tidy -e
  go_quiet "$dir" env CGO_ENABLED=0 go build -trimpath -p "$jobs" -ldflags "-s -w" -o "$lab_bin/etcd" go.etcd.io/etcd/server/v3
}

go_install() { # NAME PACKAGE@VERSION
  [ -x "$lab_bin/$1" ] && return
  say "building $1"
  go_quiet "$cache" env CGO_ENABLED=0 GOBIN="$lab_bin" GOFLAGS=-trimpath go install -ldflags "-s -w" "$2"
}

build_lab_binaries() {
  command -v go >/dev/null || need_packages golang-go
  mkdir -p "$lab_bin"
  local wanted="kubectl kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet" component
  for component in $wanted; do [ -x "$lab_bin/$component" ] || { build_kubernetes; break; }; done
  build_etcd
  go_install coredns "github.com/coredns/coredns@v$coredns_version"
  go_install helm "helm.sh/helm/v3/cmd/helm@v$helm_version"
  go_install kubeconform "github.com/yannh/kubeconform/cmd/kubeconform@v$kubeconform_version"
}
