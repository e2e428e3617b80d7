# Shared by the scripts of hack/; source it. Nothing here prints to stdout.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=${ATQ_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/atq}
jobs=${ATQ_JOBS:-$(nproc)}
mkdir -p "$cache"

say() { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null; then sudo "$@"; else
    die "not root and no sudo: run as root once: $*"; fi
}

# own_files: the tree's files, also where it is no Git checkout (an unpacked archive), a line each.
own_files() {
  if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    git ls-files -co --exclude-standard
  else
    find . \( -path ./build -o -path ./.cache -o -path ./.git -o -name __pycache__ \) -prune -o -type f ! -name '*.swp' -printf '%P\n'
  fi
}

# need_packages NAME…: installs what is missing of Debian's packages. One apt call, quiet unless it fails.
need_packages() {
  local missing=() name log
  for name in "$@"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || missing+=("$name")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null || die "these Debian packages are needed: ${missing[*]}"
  say "installing ${#missing[@]} packages: ${missing[*]}"
  log=$(mktemp)
  as_root apt-get update -qq >"$log" 2>&1 || { cat "$log" >&2; die "apt-get update failed"; }
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    "${missing[@]}" >"$log" 2>&1 || { cat "$log" >&2; die "apt-get install failed"; }
  rm -f "$log"
}

# What building the programs needs; what testing them needs beside it.
build_packages=(g++ cmake ninja-build ccache mold libboost1.74-dev libboost-system1.74-dev nlohmann-json3-dev
  libyaml-cpp-dev libvalijson-dev libre2-dev libc-ares-dev libspdlog-dev libfmt-dev prometheus-cpp-dev libcli11-dev
  zlib1g-dev libssl-dev)
test_packages=(lua5.4 openssl python3-yaml libgtest-dev libgmock-dev libbenchmark-dev python3 python3-venv iproute2 procps zsh fish)
lint_packages=(clang-format-19 clang-tidy-19 clang-19 libclang-rt-19-dev)
jmeter_packages=(maven openjdk-17-jre-headless unzip)

# build PRESET TARGET…: configures and builds, printing only ninja's progress line and, on failure, everything.
build() {
  local preset=$1
  shift
  (cd "$root" && cmake --preset "$preset" ${ATQ_CMAKE_ARGS:-} >"$cache/configure.$preset.log" 2>&1) ||
    { cat "$cache/configure.$preset.log" >&2; die "configuring $preset failed"; }
  ninja -C "$root/build/$preset" -j "$jobs" "$@" >&2
}
