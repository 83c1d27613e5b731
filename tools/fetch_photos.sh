#!/usr/bin/env bash
# Fetches a few photographs that scikit-image and scikit-learn ship, and scikit-learn's handwritten digits (Alpaydin and Kaynak
# 1998), of 8 x 8 pixels, as photos/*.{png,jpg} and digits/<digit>/<number>.png.
# usage: fetch_photos.sh PYTHON FOLDER
set -euo pipefail
python=$1 folder=$2
part=$folder.part
rm -rf "$part" && mkdir -p "$part/wheels" "$part/photos"
"$python" -m pip download -q --no-deps --dest "$part/wheels" scikit-image==0.26.0 scikit-learn==1.9.1 2> >(grep -v '^WARNING' >&2)
for wheel in "$part"/wheels/*.whl; do "$python" -m zipfile -e "$wheel" "$part/wheels"; done
mv "$part"/wheels/skimage/data/{astronaut,chelsea,coffee,motorcycle_left,rocket}.* "$part"/wheels/sklearn/datasets/images/*.jpg "$part/photos"
"$python" - "$part/wheels/sklearn/datasets/data/digits.csv.gz" "$part/digits" << 'END'
import gzip, pathlib, struct, sys, zlib

def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

def png(pixels):  # 8 x 8, grey
    rows = b"".join(b"\0" + bytes(pixels[at:at + 8]) for at in range(0, 64, 8))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows))
            + chunk(b"IEND", b""))

for number, line in enumerate(gzip.open(sys.argv[1], "rt")):
    *pixels, digit = [int(float(value)) for value in line.split(",")]
    file = pathlib.Path(sys.argv[2], str(digit), f"{number}.png")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(png([min(255, value * 16) for value in pixels]))
END
rm -rf "$part/wheels"
rm -rf "$folder" && mv "$part" "$folder"
