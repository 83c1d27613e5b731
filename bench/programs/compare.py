"""Exported programs run by Firesteel against their modules in Python, eager, in the same run: forward passes and
training steps (SGD) of small and middle models, batches of 1 and 32; then the same models as packages of AOTInductor, called
from here and from there. Rounds alternate; the best median of each counts.

usage: compare.py [THREADS]        after a build and `tools/setup.sh models`; of one thread unless said otherwise
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import time

import torch
from torch import nn

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / path) for path in ("src/cli", "tests/reference")]
import export
import pt2_expected

BENCH = ROOT / "build/release/bin/program_bench"
ROUNDS, SECONDS = 3, 3


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(100, 8) for _ in range(4))
        self.layers = nn.Sequential(nn.Linear(48, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, x, ids):
        return self.layers(torch.cat([x, *(table(ids[:, i]) for i, table in enumerate(self.tables))], 1))


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.places = nn.Embedding(1000, 64), nn.Parameter(torch.zeros(16, 64))
        self.layers = nn.Sequential(*(nn.TransformerEncoderLayer(64, 4, 128, dropout=0.1, batch_first=True) for _ in range(2)))
        self.head = nn.Linear(64, 2)

    def forward(self, ids):
        return self.head(self.layers(self.words(ids) + self.places).mean(1))


def models():
    torchvision = export.import_torchvision()
    yield "MLP with embeddings", Mlp(), lambda rows: {"x": torch.randn(rows, 16), "ids": torch.randint(0, 100, (rows, 4))}
    yield "transformer, 2 layers of 64", Transformer(), lambda rows: {"ids": torch.randint(0, 1000, (rows, 16))}
    yield "ResNet-18, 64 x 64", torchvision.models.resnet18(), lambda rows: {"x": torch.randn(rows, 3, 64, 64)}


def median_us(run):
    started, times = time.perf_counter(), []
    while time.perf_counter() - started < SECONDS / 10:
        run()
    while time.perf_counter() - started < SECONDS or len(times) < 5:
        began = time.perf_counter()
        run()
        times.append((time.perf_counter() - began) * 1e6)
    return sorted(times)[len(times) // 2]


def python_us(module, inputs, trains):
    module.train(trains)
    if not trains:
        with torch.no_grad():
            return median_us(lambda: module(**inputs))
    optimizer = torch.optim.SGD(module.parameters(), lr=1e-4)

    def step():
        loss = module(**inputs).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return median_us(step)


def compare_package(name, module, inputs_of, folder):
    """The call of the same machine code, from C++ and from Python."""
    for rows in (1, 32):
        inputs = inputs_of(rows)
        program = torch.export.export(module.eval(), (), inputs)
        path = torch._inductor.aoti_compile_and_package(program, package_path=f"{folder}/package{rows}.pt2")
        package = torch._inductor.aoti_load_package(path)
        pt2_expected.write_safetensors(f"{folder}/inputs.safetensors", {f"input{i}": v for i, v in enumerate(inputs.values())}, {})
        ours, theirs = [], []
        with torch.no_grad():
            for _ in range(ROUNDS):
                done = subprocess.run([BENCH, path, f"{folder}/inputs.safetensors", "package", str(SECONDS)],
                                      capture_output=True, text=True, check=True)
                ours.append(float(done.stdout))
                theirs.append(median_us(lambda: package(**inputs)))
        print(f"| {name}, AOTInductor | {rows} | {min(ours):.0f} | {min(theirs):.0f} | {min(theirs) / min(ours):.2f} |", flush=True)


def main():
    threads = sys.argv[1] if len(sys.argv) > 1 else "1"
    # libgomp reads these as it is loaded. Threads that spin while they wait slow down both sides on a busy machine.
    wanted = {"OMP_NUM_THREADS": threads, "GOMP_SPINCOUNT": "0"}
    if any(os.environ.get(name) != value for name, value in wanted.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **wanted})
    print(f"{threads} thread(s)\n\n| | batch | Firesteel µs | Python µs | ratio |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name, module, inputs_of in models():
            export.export(module, inputs_of(4), f"{folder}/model.pt2")
            for mode in ("forward", "train"):
                for rows in (1, 32):
                    if mode == "train" and rows == 1:
                        rows = 2  # A batch norm cannot train on one row.
                    inputs = inputs_of(rows)
                    pt2_expected.write_safetensors(f"{folder}/inputs.safetensors", inputs, {})
                    ours, theirs = [], []
                    for _ in range(ROUNDS):
                        done = subprocess.run([BENCH, f"{folder}/model.pt2", f"{folder}/inputs.safetensors", mode, str(SECONDS)],
                                              capture_output=True, text=True, check=True)
                        ours.append(float(done.stdout))
                        theirs.append(python_us(module, inputs, mode == "train"))
                    print(f"| {name}, {mode} | {rows} | {min(ours):.0f} | {min(theirs):.0f} | {min(theirs) / min(ours):.2f} |", flush=True)
            compare_package(name, module, inputs_of, folder)


if __name__ == "__main__":
    main()
