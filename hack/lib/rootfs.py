"""rootfs.py DIR [--exclude PATTERN]… [--without OTHER_DIR] [--link TARGET:PATH]… [SOURCE:PATH]…

Makes DIR a root file system for an image out of files of this machine: each SOURCE (a file or a folder) at its PATH,
and every shared library that their programs need, where the loader looks for it. Links that lead out of a SOURCE
become what they lead to. Libraries that OTHER_DIR has already, as the layer below, are left out. Standard library only."""
import argparse
import fnmatch
import os
import re
import shutil
import subprocess


def copy_file(source, target):
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if not os.path.lexists(target):
        shutil.copy2(source, target)


def copy_tree(source, target, excluded):
    top = os.path.realpath(source)
    for folder, folders, files in os.walk(source):
        relative = os.path.relpath(folder, source)
        folders[:] = [name for name in folders if not excluded(os.path.normpath(os.path.join(relative, name)))]
        os.makedirs(os.path.join(target, relative), exist_ok=True)
        for name in files + [name for name in folders if os.path.islink(os.path.join(folder, name))]:
            path, place = os.path.join(folder, name), os.path.normpath(os.path.join(target, relative, name))
            if excluded(os.path.normpath(os.path.join(relative, name))) or not os.path.exists(path):
                continue
            if os.path.islink(path) and os.path.realpath(path).startswith(top + "/") and not os.path.isabs(os.readlink(path)):
                os.symlink(os.readlink(path), place)
            elif os.path.isfile(path):
                copy_file(path, place)


def is_elf(path):
    with open(path, "rb") as file:
        return file.read(4) == b"\x7fELF"


def libraries_of(path):
    """What the loader would load; a static program has none, and a library nobody has is not ours to miss."""
    said = subprocess.run(["ldd", path], capture_output=True, text=True)
    return re.findall(r"(?:=> |^\s+)(/\S+) \(0x", said.stdout, re.M)


def add_libraries(root, sources, below):
    wanted = set()
    for source in sources:
        wanted.update(libraries_of(source))
    copied = [os.path.realpath(source) for source in sources]
    for library in sorted(wanted):
        present = any(os.path.lexists(place + library) for place in (root, below) if place)
        # One that came along within a tree finds its place by $ORIGIN.
        if not present and os.path.realpath(library) not in copied:
            copy_file(os.path.realpath(library), root + library)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("root")
    parser.add_argument("--exclude", action="append", default=[])
    parser.add_argument("--without", default="")
    parser.add_argument("--link", action="append", default=[])
    parser.add_argument("files", nargs="*")
    args = parser.parse_intermixed_args()

    def excluded(path):
        return any(fnmatch.fnmatch(path, pattern) or fnmatch.fnmatch(os.path.basename(path), pattern) for pattern in args.exclude)

    programs = []
    for pair in args.files:
        source, path = pair.rsplit(":", 1)
        target = args.root + path
        if os.path.isdir(source):
            copy_tree(source, target, excluded)
            for folder, _, files in os.walk(source):
                relative = os.path.relpath(folder, source)
                programs += [os.path.join(folder, name) for name in files
                             if os.path.isfile(os.path.normpath(os.path.join(target, relative, name)))
                             and is_elf(os.path.join(folder, name))]
        else:
            copy_file(os.path.realpath(source), target)
            if is_elf(source):
                programs.append(source)
    add_libraries(args.root, programs, args.without)
    for pair in args.link:
        target, path = pair.rsplit(":", 1)
        os.makedirs(os.path.dirname(args.root + path), exist_ok=True)
        os.symlink(target, args.root + path)


main()
