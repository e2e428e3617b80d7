"""image.py OUT.tar NAME:TAG [--base ROOTFS.tar] [--entry WORD]… [--user UID] [--env K=V]… [HOST_PATH:IMAGE_PATH]…

Writes a docker-archive that `ctr images import` takes: the base's layer, if any, and one layer of the files given.
No daemon and no registry are needed."""
import argparse
import hashlib
import io
import json
import os
import shutil
import tarfile


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
    info.uid = info.gid = info.mtime = 0
    info.uname = info.gname = ""
    return info


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("name")
    parser.add_argument("--base")
    parser.add_argument("--entry", action="append", default=[])
    parser.add_argument("--user", default="")
    parser.add_argument("--env", action="append", default=["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"])
    parser.add_argument("files", nargs="*")
    args = parser.parse_intermixed_args()
    layers, work = [], args.out + ".work"
    os.makedirs(work, exist_ok=True)
    if args.base:
        layers.append(args.base)
    if args.files:
        layer, seen = os.path.join(work, "files.tar"), set()
        with tarfile.open(layer, "w") as tar:
            for pair in args.files:
                source, target = pair.rsplit(":", 1)
                add_parents(tar, target, seen)
                tar.add(source, target.strip("/"), filter=anonymous)
        layers.append(layer)
    sums = [sha256_of(layer) for layer in layers]
    config = json.dumps({"architecture": "amd64", "os": "linux", "created": "2026-01-01T00:00:00Z",
                         "config": {"Env": args.env, "Entrypoint": args.entry or None, "User": args.user},
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
    shutil.rmtree(work)


main()
