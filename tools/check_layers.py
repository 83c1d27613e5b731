"""Holds the include rule of docs/architecture.md, names of files, one-machine paths, and clang-format's layout.

usage: check_layers.py ROOT.  Prints each breach as file:line and exits 1 when there is one.
"""
import pathlib
import re
import subprocess
import sys

root = pathlib.Path(sys.argv[1])
# layer -> layers it may include besides itself
SEES = {
    "base": [],
    "text": ["base"],
    "images": ["base"],
    "plan": ["base"],
    "functions": ["base", "plan"],
    "sql": ["base", "plan", "functions"],
    "lower": ["base", "plan", "functions"],
    "engine": ["base", "images", "plan", "functions", "sql", "lower"],
    "cluster": ["base"],
    "connect": ["base", "plan", "functions", "sql", "lower", "engine", "cluster"],
    "dataframe": ["base", "plan"],
    "tensor": ["base", "text", "images"],
    "nn": ["base", "tensor"],
    "train": ["base", "tensor", "nn"],
    "models": ["base", "tensor", "nn", "train", "text", "images"],
    "ml": ["base", "plan", "dataframe", "tensor", "nn", "train", "models", "text"],
    "cli": ["base", "plan", "functions", "sql", "lower", "engine", "dataframe", "connect"],
    "models_cli": ["base", "plan", "engine", "dataframe", "train", "ml", "models", "cluster", "cli"],
}
# what may be included where, beside the standard library
FOREIGN = {
    "torch/": {"tensor", "nn", "train", "models"},
    "duckdb": {"engine"},
    "spark/connect/": {"plan", "functions", "sql", "lower", "engine", "dataframe", "ml", "connect", "proto"},
    "jpeglib": {"images"},
    "png.h": {"images"},
    "webp/": {"images"},
    "grpcpp/": {"connect", "proto"},
}
BANNED_NAMES = re.compile(r"(^|[/_])(utils?|helpers?|common|misc)(\.|/|_|$)")
breaches = []


def breach(path, number, text):
    breaches.append(f"{path.relative_to(root)}:{number}: {text}")


for path in sorted((root / "src").rglob("*")):
    if path.suffix not in (".h", ".cpp"):
        continue
    layer = path.relative_to(root / "src").parts[0]
    if BANNED_NAMES.search(str(path.relative_to(root / "src"))):
        breach(path, 0, "a file is named for what it is about, not utils, helpers or common")
    lines = path.read_text().splitlines()
    if not lines or not lines[0].startswith("//"):
        breach(path, 1, "a file opens with what it does")
    if path.suffix == ".h" and "#pragma once" not in lines:
        breach(path, 1, "a header has #pragma once")
    seen_foreign = set()
    for number, line in enumerate(lines, 1):
        include = re.match(r'#include ["<]([^">]+)[">]', line)
        if include:
            name = include.group(1)
            first = name.split("/")[0]
            if line.startswith('#include "') and first in SEES and first != layer and first not in SEES[layer]:
                breach(path, number, f"{layer} may not include {first}")
            for prefix, layers in FOREIGN.items():
                if name.startswith(prefix):
                    seen_foreign.add(prefix)
                    if layer not in layers:
                        breach(path, number, f"{name} may be included in {', '.join(sorted(layers))} alone")
                    if path.suffix == ".h" and prefix in ("torch/", "duckdb", "grpcpp/") and layer in ("engine", "connect", "ml"):
                        breach(path, number, f"{name} stays out of headers")
        if re.search(r'(^|[^.\w])/(work|root|home|opt)/', line):
            breach(path, number, "a path of one machine")
        if len(line) > 200 and layer != "functions":  # a row of the function tables is one line
            breach(path, number, "a line of more than 200 characters")
    if {"torch/", "spark/connect/"} <= seen_foreign or {"torch/", "duckdb"} <= seen_foreign or {"duckdb", "spark/connect/"} <= seen_foreign:
        breach(path, 1, "torch, duckdb and the protocol are included in different files")
sources = [path for folder in ("src", "tests", "examples", "bench") for path in sorted((root / folder).rglob("*"))
           if path.suffix in (".h", ".cpp")]
formatted = subprocess.run(["clang-format", "--dry-run", "-Werror", *map(str, sources)], capture_output=True, text=True, cwd=root)
for place in re.findall(r"^(.*?):(\d+):\d+: error: code should be clang-formatted", formatted.stderr, re.MULTILINE):
    breach(pathlib.Path(place[0]), int(place[1]), "is not as `clang-format -i` leaves it")
if formatted.returncode != 0 and not breaches:
    breaches.append(formatted.stderr)
print("\n".join(breaches) if breaches else "layers, names, paths and formatting are in order")
sys.exit(bool(breaches))
