"""Makes small images of every kind in tests/data/images, and records what Pillow decodes them to (expected.ppm, one P6
image after the other with its file's name as comment) and what torchvision's v2 transforms give (transforms.safetensors).

usage: PYTHON tests/reference/record_images.py     (PYTHON has torch, torchvision and Pillow: packages/requirements-models.txt)
"""
import io
import pathlib
import struct
import sys
import zlib

import numpy as np
from PIL import Image, ImageOps

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "tests" / "data" / "images"


def scene(width, height, seed=0):
    """Like a photograph: smooth colours, an edge and some noise, [height, width, 3] uint8."""
    y, x = np.mgrid[0:height, 0:width] / max(width, height)
    waves = np.stack([np.sin(7 * x + 3 * y + seed), np.cos(5 * x - 6 * y), np.sin(9 * x * y + 1)], -1) * 90 + 128
    waves[(x - 0.4) ** 2 + (y - 0.3) ** 2 < 0.04] += (60, -80, 30)
    return np.clip(waves + np.random.default_rng(seed).normal(0, 6, waves.shape), 0, 255).astype(np.uint8)


def png(width, height, depth, colour, rows, chunks=()):
    """A PNG that Pillow does not write: any depth, chunks of our own."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
            + b"".join(chunk(*each) for each in chunks) + chunk(b"IDAT", data) + chunk(b"IEND", b""))


def saved(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def exif(orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


def jpegs():
    photo = Image.fromarray(scene(61, 43))
    yield "baseline_420.jpg", saved(photo, "JPEG", quality=80, subsampling="4:2:0")
    yield "baseline_422.jpg", saved(photo, "JPEG", quality=80, subsampling="4:2:2")
    yield "baseline_444.jpg", saved(photo, "JPEG", quality=95, subsampling="4:4:4")
    yield "progressive.jpg", saved(photo, "JPEG", quality=70, progressive=True)
    yield "restarts.jpg", saved(photo, "JPEG", quality=60, restart_marker_blocks=2)
    yield "rgb.jpg", saved(photo, "JPEG", keep_rgb=True)
    yield "grey.jpg", saved(photo.convert("L"), "JPEG")
    cmyk = Image.fromarray(np.dstack([scene(32, 20), scene(32, 20, 1)[..., 0]]), "CMYK")
    yield "cmyk.jpg", saved(cmyk, "JPEG", quality=90)
    # The same components said to be YCCK by Adobe's marker.
    yield "ycck.jpg", saved(cmyk, "JPEG", quality=90).replace(b"Adobe\0d\0\0\0\0\0", b"Adobe\0d\0\0\0\0\2")
    for width, height in ((1, 1), (2, 3), (7, 1), (8, 8), (17, 16), (33, 31)):
        yield f"odd_{width}x{height}.jpg", saved(Image.fromarray(scene(width, height)), "JPEG")
    for orientation in range(1, 9):
        yield f"exif_{orientation}.jpg", saved(Image.fromarray(scene(20, 13)), "JPEG", exif=exif(orientation))


def pngs():
    pixels = scene(31, 23)
    photo = Image.fromarray(pixels)
    yield "rgb.png", saved(photo, "PNG")
    yield "grey.png", saved(photo.convert("L"), "PNG")
    yield "bits_1.png", saved(photo.convert("1"), "PNG")
    yield "palette.png", saved(photo.quantize(40), "PNG")
    yield "palette_4.png", saved(photo.quantize(13), "PNG", bits=4)
    yield "palette_transparent.png", saved(photo.quantize(16), "PNG", transparency=3)
    yield "rgb_transparent.png", saved(photo, "PNG", transparency=tuple(int(v) for v in pixels[0, 0]))
    alpha = Image.fromarray(scene(31, 23, 2)[..., 0])
    photo.putalpha(alpha)
    yield "rgba.png", saved(photo, "PNG")
    yield "grey_alpha.png", saved(photo.convert("LA"), "PNG")
    yield "exif_6.png", saved(Image.fromarray(scene(20, 13)), "PNG", exif=exif(6))
    wide = np.random.default_rng(5).integers(0, 65536, (9, 11, 4)).astype(">u2")
    for colour, channels, name in ((0, 1, "grey"), (2, 3, "rgb"), (4, 2, "grey_alpha"), (6, 4, "rgba")):
        yield f"{name}_16.png", png(11, 9, 16, colour, [wide[y, :, :channels].tobytes() for y in range(9)])
    small = (wide[..., :1] // 200).astype(">u2")
    yield "grey_16_dark.png", png(11, 9, 16, 0, [small[y].tobytes() for y in range(9)])
    for depth in (2, 4):
        yield f"grey_{depth}.png", png(12, 9, depth, 0, [wide[y].tobytes()[:12 * depth // 8] for y in range(9)])
    yield "interlaced.png", interlaced(scene(31, 23, 6))


def webps():
    photo = Image.fromarray(scene(45, 38, 3))
    yield "lossy.webp", saved(photo, "WEBP", quality=70)
    yield "lossless.webp", saved(photo, "WEBP", lossless=True)
    yield "exif_8.webp", saved(photo.crop((0, 0, 20, 13)), "WEBP", exif=exif(8))
    rgba = photo.copy()
    rgba.putalpha(Image.fromarray(scene(45, 38, 4)[..., 1]))
    yield "alpha_lossy.webp", saved(rgba, "WEBP", quality=60)
    yield "alpha_lossless.webp", saved(rgba, "WEBP", lossless=True, exact=True)
    yield "animated.webp", saved(photo, "WEBP", save_all=True, append_images=[photo.rotate(90)], duration=100)


def interlaced(pixels):
    """Adam7: seven images of ever more of the pixels."""
    height, width = pixels.shape[:2]
    rows = []
    for x, y, dx, dy in ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)):
        part = pixels[y::dy, x::dx]
        rows += [row.tobytes() for row in part if part.size]
    plain = png(width, height, 8, 2, rows)
    header = plain[12:28] + b"\1"
    return plain[:12] + header + struct.pack(">I", zlib.crc32(header)) + plain[33:]


def record_files():
    with open(FOLDER / "expected.ppm", "wb") as expected:
        for name, data in [*jpegs(), *pngs(), *webps()]:
            (FOLDER / name).write_bytes(data)
            pixels = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))
            expected.write(f"P6\n# {name}\n{pixels.shape[1]} {pixels.shape[0]}\n255\n".encode() + pixels.tobytes())


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    record_files()
