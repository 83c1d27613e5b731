"""JPEG files to a classifier's input (shorter edge 256, middle 224, normalized), images per second: Firesteel beside Pillow
and torchvision in the same run, on one thread and on two; two are processes in Python, as a DataLoader's workers. Rounds
alternate, the best of each counts. Run: make bench-images"""
import io
import multiprocessing
import pathlib
import subprocess
import sys
import time

import numpy as np
import torch
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "src/cli"))
import export

export.import_torchvision()
from torchvision.transforms import _presets, v2

BENCH = ROOT / "build/release/bin/image_bench"
FOLDER = ROOT / "data/bench/images"
IMAGES, ROUNDS = 300, 4
MEAN, DEVIATION = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
preset = _presets.ImageClassification(crop_size=224)
bytes_first = v2.Compose([v2.Resize(256), v2.CenterCrop(224), v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, DEVIATION)])


def photograph(random):
    """640 x 480: noise of every size, the larger the stronger, as in photographs; some 75 kB as a file."""
    pixels = np.zeros((480, 640, 3))
    for size in (4, 8, 16, 32, 64, 128, 256, 640):
        noise = random.random((size * 3 // 4, size, 3)) - 0.5
        layer = [Image.fromarray(noise[..., c].astype(np.float32)).resize((640, 480), Image.BICUBIC) for c in range(3)]
        pixels += np.dstack(layer) * (300 / size ** 0.5)
    return Image.fromarray(np.clip(pixels + 128, 0, 255).astype(np.uint8))


def prepare():
    FOLDER.mkdir(parents=True)
    random = np.random.default_rng(0)
    for number in range(IMAGES):
        photograph(random).save(FOLDER / f"{number:04}.jpg", quality=85)


def decode(data):
    image = Image.open(io.BytesIO(data)).convert("RGB")
    image.load()
    return image


WAYS = {
    "decoding alone": decode,
    "v2's transforms": lambda data: bytes_first(v2.functional.pil_to_tensor(decode(data))),
    "the classifiers' preset, of tensors": lambda data: preset(v2.functional.pil_to_tensor(decode(data))),
    "the preset, of Pillow's images; ours in bytes": lambda data: preset(decode(data)),
}


def worked(way, files):
    torch.set_num_threads(1)
    for data in files:
        WAYS[way](data)


def python_rates(files, processes):
    rates = []
    for way in WAYS:
        start = time.perf_counter()
        if processes == 1:
            worked(way, files)
        else:
            pool.starmap(worked, [(way, files[i::processes]) for i in range(processes)], chunksize=1)
        rates.append(len(files) / (time.perf_counter() - start))
    return rates


if __name__ == "__main__":
    if not FOLDER.exists():
        prepare()
    files = [path.read_bytes() for path in sorted(FOLDER.iterdir())]
    print(f"{len(files)} images of {sum(map(len, files)) / len(files) / 1e3:.0f} kB\n\n| | threads | Firesteel images/s | Python images/s | ratio |\n|---|---|---|---|---|")
    with multiprocessing.Pool(2) as pool:
        for threads in (1, 2):
            ours, theirs = [0] * 4, [0] * 4
            for _ in range(ROUNDS):
                out = subprocess.run([BENCH, FOLDER, str(threads), "1"], capture_output=True, text=True, check=True).stdout
                rates = [float(rate) for rate in out.split()]
                ours = [max(pair) for pair in zip(ours, rates)]
                theirs = [max(pair) for pair in zip(theirs, python_rates(files, threads))]
            for way, mine, other in zip(WAYS, ours, theirs):
                print(f"| {way} | {threads} | {mine:.0f} | {other:.0f} | {mine / other:.2f} |", flush=True)
