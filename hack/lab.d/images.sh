# The lab's images, made of files of this machine without a registry, once per content: sourced by hack/lab.
#   atq.dev/tools:lab         sh, coreutils, python3: targets and custom tests
#   atq.dev/locust:lab        the same and Locust
#   atq.dev/jmeter:lab        the same and JMeter with a Java 17
#   atq.dev/atq-director:lab  the director, from build/release/bin or $ATQ_BIN

image_dir=$cache/lab/images
imported_dir=$lab_data/imported

short_hash() { sha256sum | cut -c1-16; }

# image_archive KEY NAME ARGUMENTS…: builds the archive once a KEY (what it is made of), prints its path.
image_archive() {
  local out=$image_dir/$1.tar name=$2
  shift 2
  mkdir -p "$image_dir"
  [ -e "$out" ] || { python3 -B "$root/hack/lab.d/image.py" "$out.new" "$name" "$@" && mv "$out.new" "$out"; }
  echo "$out"
}

# layer KEY ARGUMENTS-OF-ROOTFS…: a layer of files and their libraries, once a KEY; prints the tar's path.
layer() {
  local out=$image_dir/layer-$1.tar dir=$image_dir/layer-$1.root
  shift
  if [ ! -e "$out" ]; then
    rm -rf "$dir"
    mkdir -p "$dir"
    python3 -B "$root/hack/lib/rootfs.py" "$dir" "$@"
    tar --owner=0 --group=0 --mode=a+rX,u+w --sort=name -C "$dir" -cf "$out.new" .
    mv "$out.new" "$out"
    rm -rf "$dir"
  fi
  echo "$out"
}

# Python as this machine has it, with its library, moved to /usr/local: it finds itself by where it lies.
python_facts() { python3 -c 'import os, sys; v = "python%d.%d" % sys.version_info[:2]; print(os.path.realpath(sys.executable), f"{sys.base_prefix}/lib/{v}", v)'; }

tools_key() { { cat "$root/hack/lab.d/images.sh" "$root/hack/lib/rootfs.py" "$root/hack/lab.d/image.py"; python_facts; uname -m; } | short_hash; }

tools_layer() {
  local facts word files=() key dir
  read -ra facts < <(python_facts)
  key=tools-$(tools_key)
  for word in cat ls sleep env seq head tail mkdir rm cp mv touch date id test true false printf tr wc sort cut stat hostname grep sed timeout; do
    files+=("$(type -P "$word"):/usr/bin/$word")
  done
  dir=$(mktemp -d)
  mkdir -p "$dir/etc" "$dir/tmp"
  chmod 1777 "$dir/tmp"
  printf 'root:x:0:0:root:/:/bin/sh\nuser:x:65532:65532:user:/tmp:/bin/sh\n' >"$dir/etc/passwd"
  echo 'hosts: files dns' >"$dir/etc/nsswitch.conf"
  # The libraries of Python's modules that a test target does not need stay away: Tk, test suites, the IDE.
  layer "$key" "$dir/etc/passwd:/etc/passwd" "$dir/etc/nsswitch.conf:/etc/nsswitch.conf" "$(type -P dash):/bin/sh" "${files[@]}" \
    "${facts[0]}:/usr/local/bin/${facts[2]}" "${facts[1]}:/usr/local/lib/${facts[2]}" --link "${facts[2]}:/usr/local/bin/python3" \
    --exclude test --exclude tests --exclude idlelib --exclude tkinter --exclude '_tkinter*' --exclude site-packages --exclude dist-packages \
    --exclude ensurepip --exclude 'config-*' --exclude lib2to3 --exclude pydoc_data --exclude turtledemo
  rm -rf "$dir"
}

user_image=(--user 65532:65532 --workdir /tmp --env HOME=/tmp)

tools_image() { image_archive "tools-image-$(tools_key)" atq.dev/tools:lab --layer "$(tools_layer)" "${user_image[@]}"; }

locust_image() {
  local venv site launcher key
  venv=$(dirname "$("$root/hack/tools" locust)")
  key=locust-$(basename "$venv")-$(tools_key)
  if [ ! -e "$image_dir/$key.tar" ]; then
    site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    launcher=$(mktemp)
    printf '#!/usr/local/bin/python3\nimport sys\nfrom locust.main import main\nsys.exit(main())\n' >"$launcher"
    chmod 755 "$launcher"
    layer "$key" --exclude 'pip*' --exclude 'setuptools*' --exclude tests "$site:/opt/locust" "$launcher:/usr/local/bin/locust" >/dev/null
    rm -f "$launcher"
  fi
  image_archive "$key" atq.dev/locust:lab --layer "$(tools_layer)" --layer "$image_dir/layer-$key.tar" "${user_image[@]}" --env PYTHONPATH=/opt/locust
}

java_17() {
  local home
  for home in /usr/lib/jvm/java-17-openjdk-*; do [ ! -x "$home/bin/java" ] || { echo "$home"; return; }; done
  need_packages openjdk-17-jre-headless
  for home in /usr/lib/jvm/java-17-openjdk-*; do echo "$home"; return; done
}

jmeter_image() {
  local home java key
  home=$(dirname "$("$root/hack/tools" jmeter)")
  java=$(java_17)
  key=jmeter-$(basename "$home")-$({ cat "$java/release" "$root/hack/jmeter/jmeter"; tools_key; } | short_hash)
  image_archive "$key" atq.dev/jmeter:lab --layer "$(tools_layer)" --layer "$(layer "$key" "$java:/opt/java" "$home:/opt/jmeter" \
    "$(type -P dirname):/usr/bin/dirname" "$(type -P readlink):/usr/bin/readlink" \
    --link /opt/java/bin/java:/usr/local/bin/java --link /opt/jmeter/bin/jmeter:/usr/local/bin/jmeter \
    --exclude jmods --exclude man --exclude include --exclude docs --exclude legal --exclude ct.sym --exclude src.zip)" "${user_image[@]}"
}

director_image() { "$root/hack/image" --bin "${ATQ_BIN:-$root/build/release/bin}" --tag atq.dev/atq-director:lab; }
pause_image() {
  local key
  key=pause-$(short_hash <"$root/hack/lab.d/pause.c")
  [ -e "$cache/lab/$key" ] || { mkdir -p "$cache/lab"; gcc -static -Os -o "$cache/lab/$key" "$root/hack/lab.d/pause.c"; }
  image_archive "$key" atq.dev/pause:lab --entry /pause "$cache/lab/$key:/pause"
}
coredns_image() { image_archive "coredns-$coredns_version" atq.dev/coredns:lab --entry /coredns "$lab_bin/coredns:/coredns"; }

# import_image NAME: makes it and puts it into the cluster unless this very archive is there.
import_image() {
  local archive mark=$imported_dir/$1 begin=${EPOCHREALTIME/./}
  mkdir -p "$imported_dir"
  archive=$("$1_image")
  if [ "$(cat "$mark" 2>/dev/null)" != "$archive" ] || ! ctr -a "$lab_dir/containerd.sock" -n k8s.io images ls -q | grep -q "^atq.dev/\(atq-\)\?$1:lab$"; then
    ctr -a "$lab_dir/containerd.sock" -n k8s.io images import --digests=false "$archive" >/dev/null
    echo "$archive" >"$mark"
    say "image $1: $(($(stat -c %s "$archive") >> 20)) MiB, ready in $(((${EPOCHREALTIME/./} - begin) / 1000)) ms"
  fi
}

# Those that need no download; Locust and JMeter once hack/tools has them, the director once it is built.
import_images() {
  local name
  for name in pause coredns tools; do import_image "$name"; done
  compgen -G "$cache/locust-*/bin/locust" >/dev/null && import_image locust
  compgen -G "$cache/jmeter-*/bin/jmeter" >/dev/null && import_image jmeter
  [ ! -x "${ATQ_BIN:-$root/build/release/bin}/atq-director" ] || import_image director
}

# hack/lab kubernetes images [director|locust|jmeter|tools]…: makes and imports them, fetching what is missing.
lab_images() {
  local name
  running containerd || die "the lab is not up: hack/lab kubernetes up"
  [ $# -gt 0 ] || set -- director tools locust jmeter
  for name in "$@"; do
    case $name in
      director | tools | locust | jmeter) import_image "$name" ;;
      *) die "the lab has the images director, tools, locust and jmeter, not '$name'" ;;
    esac
  done
}
