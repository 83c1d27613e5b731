"""Networks for images against TorchVision's in Python, eager, both with channels last: a training step (forward, cross
entropy, backward, SGD with momentum) of 32 images of 128 x 128, inference on 1 and 32 images of 224 x 224. Rounds
alternate; the best median of each counts.

usage: compare.py [THREADS [NETWORK …]]      after a build and `tools/setup.sh models`; of 2 threads and resnet18
"""

import os
import pathlib
import subprocess
import sys
import time

import torch

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "src/cli"))
import export

BENCH = ROOT / "build/release/bin/vision_bench"
ROUNDS, SECONDS = 3, 6
CASES = [("train", 32, 128), ("forward", 1, 224), ("forward", 32, 224)]


def median_ms(run):
    started, times = time.perf_counter(), []
    run()
    while time.perf_counter() - started < SECONDS / 10:
        run()
    while time.perf_counter() - started < SECONDS or len(times) < 5:
        began = time.perf_counter()
        run()
        times.append((time.perf_counter() - began) * 1e3)
    return sorted(times)[len(times) // 2]


def python_ms(name, mode, batch, size):
    module = export.import_torchvision().models.get_model(name, weights=None).to(memory_format=torch.channels_last)
    images = torch.randn(batch, 3, size, size).contiguous(memory_format=torch.channels_last)
    if mode == "forward":
        module.eval()
        with torch.inference_mode():
            return median_ms(lambda: module(images))
    labels = torch.randint(1000, (batch,))
    optimizer = torch.optim.SGD(module.parameters(), lr=1e-3, momentum=0.9)

    def step():
        loss = torch.nn.functional.cross_entropy(module(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return median_ms(step)


def main():
    threads, names = (sys.argv[1:] or ["2"])[0], sys.argv[2:] or ["resnet18"]
    # libgomp reads these as it is loaded. Threads that spin while they wait slow down both sides on a busy machine.
    wanted = {"OMP_NUM_THREADS": threads, "GOMP_SPINCOUNT": "0"}
    if any(os.environ.get(name) != value for name, value in wanted.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **wanted})
    print(f"{threads} thread(s)\n\n| | batch | image | Firesteel ms | Python ms | ratio |\n|---|---|---|---|---|---|")
    for name in names:
        for mode, batch, size in CASES:
            ours, theirs = [], []
            for _ in range(ROUNDS):
                done = subprocess.run([BENCH, name, str(batch), str(size), mode, str(SECONDS)], capture_output=True, text=True, check=True)
                ours.append(float(done.stdout))
                theirs.append(python_ms(name, mode, batch, size))
            print(f"| {name}, {mode} | {batch} | {size} | {min(ours):.1f} | {min(theirs):.1f} | {min(theirs) / min(ours):.2f} |", flush=True)


if __name__ == "__main__":
    main()
