"""clang-tidy over every file of the compilation database that is ours. A file whose text, headers and settings
passed before is skipped: the cache holds a hash of them. The static analyzer leaves out files that include Asio: it
does not follow a coroutine past its first co_await, and takes 15 s of each in Boost's templates, where all other
checks take 8 s. Arguments: build folder, cache folder, jobs."""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

build, cache, jobs = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3])
cache.mkdir(parents=True, exist_ok=True)
root = pathlib.Path.cwd()
LONGEST = 900  # seconds for one file
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)
ASIO = re.compile(r"^\s*#\s*include\s+<boost/(asio|beast)", re.M)


def closure(path, seen):
    if path in seen or not path.is_file():
        return
    seen.add(path)
    for name in INCLUDE.findall(path.read_text(errors="replace")):
        closure(root / name, seen)


def digest(files):
    hasher = hashlib.sha256((root / ".clang-tidy").read_bytes() + pathlib.Path(__file__).read_bytes())
    for file in sorted(files):
        hasher.update(file.read_bytes())
    return hasher.hexdigest()


def check(path):
    read = set()
    closure(path, read)
    mark = cache / digest(read)
    if mark.exists():
        return path, 0, ""
    command = ["clang-tidy-19", "--quiet", "-p", build, path]
    if any(ASIO.search(file.read_text(errors="replace")) for file in read):
        command.append("--checks=-clang-analyzer-*")
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST)
    except subprocess.TimeoutExpired:
        return path, 1, f"clang-tidy has not ended after {LONGEST} s"
    if done.returncode == 0:
        mark.touch()
    return path, done.returncode, done.stdout + done.stderr


database = json.loads((build / "compile_commands.json").read_text())
files = sorted({pathlib.Path(entry["file"]) for entry in database})
files = [f for f in files if f.is_relative_to(root) and f.relative_to(root).parts[0] in ("src", "controller") and f.is_file()]
failed = 0
with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
    for path, code, output in pool.map(check, files):
        if code != 0:
            failed += 1
            print(f"{path.relative_to(root)}:\n{output}")
print(f"clang-tidy: {len(files)} files, {failed} with findings")
sys.exit(1 if failed else 0)
