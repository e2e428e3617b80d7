"""Reads every #include of the tree and fails on an arrow that the design does not have, on a folder's
header that the folder's CMake target does not depend on, on a file that is too long, and on a name that is no
snake_case. Standard library only."""
import os
import re
import statistics
import sys

# Folder -> folders it may include from (itself always). docs/architecture.md draws the same.
ALLOWED = {
    "src/base": [],
    "src/results": ["src/base"],
    "controller/api": ["src/base", "src/results"],
    "controller/core": ["src/base", "src/results", "controller/api"],
    "controller/ports": ["src/base", "src/results", "controller/api", "controller/core"],
    "controller/engine": ["src/base", "src/results", "controller/api", "controller/core", "controller/ports"],
    "src/net": ["src/base", "controller/ports"],
    "src/proc": ["src/base"],
    "src/agent": ["src/base", "src/results"],
    "src/stores/directory": ["src/base", "controller/api", "controller/core", "controller/ports", "src/proc"],
    "src/locks/file": ["src/base", "controller/ports", "src/proc"],
    "src/runtimes/process": ["src/base", "controller/api", "controller/core", "controller/ports", "src/proc", "src/agent"],
    "src/kube": ["src/base", "src/net"],
    "src/stores/kube_crd": ["src/base", "controller/api", "controller/core", "controller/ports", "src/net", "src/kube"],
    "src/locks/kube_lease": ["src/base", "controller/ports", "src/net", "src/kube"],
    "src/runtimes/kubernetes": ["src/base", "controller/api", "controller/core", "controller/ports", "src/net", "src/kube", "src/agent"],
    "src/server": ["src/base", "src/results", "controller/api", "controller/core", "controller/ports", "controller/engine", "src/net"],
    "controller/app": ["*"],
    "src/cli": ["src/base", "src/results", "controller/api", "controller/core", "controller/ports", "src/net", "src/kube", "controller/app"],
}
# Layers that are pure: no event loop, log, thread, clock, random number or file.
PURE = ["src/base", "src/results", "controller/api", "controller/core"]
IMPURE = re.compile(r"<(boost/asio|boost/beast|spdlog|thread|mutex|random|fstream|filesystem|future|atomic|unistd\.h|sys/)")
HEAVY_IN_HEADERS = re.compile(r"<(boost/beast|nlohmann/json\.hpp|yaml-cpp/yaml\.h|spdlog/spdlog\.h|CLI/)")
FORBIDDEN_WORDS = re.compile(r"/work/|\bshared/(?:design|reference|fixtures)")
MAX_LINES, MEDIAN_LINES = 600, 150


def folder_of(path):
    best = ""
    for folder in ALLOWED:
        if path.startswith(folder + "/") and len(folder) > len(best):
            best = folder
    return best


def check_includes(path, lines, problems):
    folder = folder_of(path)
    if not folder:
        return
    for number, line in enumerate(lines, 1):
        match = re.match(r'\s*#\s*include\s+([<"])([^>"]+)[>"]', line)
        if not match:
            continue
        quote, name = match.groups()
        where = f"{path}:{number}"
        if quote == "<":
            if folder in PURE and IMPURE.match(f"<{name}"):
                problems.append(f"{where}: {folder} is pure and may not include <{name}>")
            if path.endswith(".hpp") and HEAVY_IN_HEADERS.match(f"<{name}"):
                problems.append(f"{where}: <{name}> is slow to compile: keep it out of headers")
            continue
        target = folder_of(name)
        if "/" not in name:
            problems.append(f"{where}: include \"{name}\" by its path from the root of the tree")
        elif target and target != folder and ALLOWED[folder] != ["*"] and target not in ALLOWED[folder]:
            problems.append(f"{where}: {folder} may not depend on {target} (hack/lib/layers.py)")


def main():
    problems, sizes = [], []
    for path in sorted(sys.stdin.read().split("\n")):
        if not os.path.isfile(path):
            continue
        if path.startswith("tests/data/") or path.startswith("tests/fuzz/corpus/"):
            continue
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
        if path != "hack/lib/layers.py" and FORBIDDEN_WORDS.search(text):
            problems.append(f"{path}: names a place outside of the project: {FORBIDDEN_WORDS.search(text).group()}")
        if not path.endswith((".cpp", ".hpp", ".py", ".cmake")) and not path.startswith("hack/"):
            continue
        lines = text.split("\n")
        if len(lines) > MAX_LINES:
            problems.append(f"{path}: {len(lines)} lines, at most {MAX_LINES}: split it by what it does")
        if path.endswith((".cpp", ".hpp")):
            sizes.append(len(lines))
            if not re.fullmatch(r"[a-z0-9_]+\.(cpp|hpp)", os.path.basename(path)):
                problems.append(f"{path}: file names are snake_case")
            if path.endswith(".hpp") and "#pragma once" not in text:
                problems.append(f"{path}: no #pragma once")
            check_includes(path, lines, problems)
    if sizes and statistics.median(sizes) >= MEDIAN_LINES:
        problems.append(f"median of {len(sizes)} files is {statistics.median(sizes)} lines, below {MEDIAN_LINES} is asked")
    for problem in problems:
        print(problem)
    if not problems:
        print(f"layers: {len(sizes)} C++ files, median {statistics.median(sizes):.0f} lines, longest {max(sizes)}")
    return 1 if problems else 0


sys.exit(main())
