"""image.py OUT.tar NAME:TAG [--layer FOLDER|LAYER.tar]… [--entry WORD]… [--user UID] [--env K=V]… [--workdir DIR] [HOST_PATH:IMAGE_PATH]…

Writes a docker-archive that `ctr images import` and `docker load` take: the layers in their order, and one of the
files given. Layers that several images share are stored once. No daemon and no registry are needed."""
import argparse
import hashlib
import io
import json
import os
import platform
import shutil
import tarfile

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
PATH = "PATH=/:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def sha256_of(path):
    hasher = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            hasher.update(block)
    return hasher.hexdigest()


def add_parents(tar, path, seen):
    parts = path.strip("/").split("/")[:-1]
    for i in range(1, len(parts) + 1):
        name = "/".join(parts[:i])
        if name not in seen:
            seen.add(name)
            info = tarfile.TarInfo(name)
            info.type, info.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(info)


def anonymous(info):
    """Root's, readable by all. The time stays, in whole seconds: Python's compiled files name their source's."""
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    info.mtime = int(info.mtime)
    info.mode |= 0o755 if info.isdir() or info.mode & 0o100 else 0o644
    return info


def pack_folder(folder, out):
    with tarfile.open(out, "w") as tar:
        for name in sorted(os.listdir(folder)):
            tar.add(os.path.join(folder, name), name, filter=anonymous)


def pack_files(pairs, out):
    seen = set()
    with tarfile.open(out, "w") as tar:
        for pair in pairs:
            source, target = pair.rsplit(":", 1)
            add_parents(tar, target, seen)
            tar.add(source, target.strip("/"), filter=anonymous)


def collect_layers(args, work):
    layers = []
    for layer in args.layer:
        if os.path.isdir(layer):
            layers.append(os.path.join(work, f"{len(layers)}.tar"))
            pack_folder(layer, layers[-1])
        else:
            layers.append(layer)
    if args.files:
        layers.append(os.path.join(work, "files.tar"))
        pack_files(args.files, layers[-1])
    return layers


def write_archive(args, layers):
    sums = [sha256_of(layer) for layer in layers]
    config = json.dumps({"architecture": ARCHITECTURES.get(platform.machine(), platform.machine()), "os": "linux",
                         "created": "2026-01-01T00:00:00Z",
                         "config": {"Env": [PATH, *args.env], "Entrypoint": args.entry or None, "User": args.user,
                                    "WorkingDir": args.workdir},
                         "rootfs": {"type": "layers", "diff_ids": ["sha256:" + s for s in sums]}}).encode()
    config_name = hashlib.sha256(config).hexdigest() + ".json"
    manifest = json.dumps([{"Config": config_name, "RepoTags": [args.name], "Layers": [s + "/layer.tar" for s in sums]}]).encode()
    with tarfile.open(args.out, "w") as out:
        for name, data in ((config_name, config), ("manifest.json", manifest)):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            out.addfile(info, io.BytesIO(data))
        for layer, digest in zip(layers, sums):
            out.add(layer, digest + "/layer.tar")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("name")
    parser.add_argument("--layer", action="append", default=[])
    parser.add_argument("--entry", action="append", default=[])
    parser.add_argument("--user", default="")
    parser.add_argument("--env", action="append", default=[])
    parser.add_argument("--workdir", default="")
    parser.add_argument("files", nargs="*")
    args = parser.parse_intermixed_args()
    work = args.out + ".work"
    os.makedirs(work, exist_ok=True)
    try:
        write_archive(args, collect_layers(args, work))
    finally:
        shutil.rmtree(work)


main()
