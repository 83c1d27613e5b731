"""Makes small images of every kind in tests/data/images, and records what Pillow decodes them to (expected.ppm, one P6
image after the other with its file's name as comment) and what torchvision's v2 transforms give (transforms.safetensors).

usage: PYTHON tests/reference/record_images.py     (PYTHON has torch, torchvision and Pillow: packages/requirements-models.txt)
"""
import io
import json
import pathlib
import struct
import sys
import zlib

import numpy as np
import torch
from PIL import Image, ImageOps
from safetensors.torch import save_file

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "src" / "cli"))
import export

torchvision = export.import_torchvision()
from torchvision.transforms import _presets, v2
from torchvision.transforms.v2 import functional as F

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


# By the names that tests/unit/tensor/image_transforms_test.cpp has them.
FUNCTIONS = {
    "resize_shorter": lambda x: F.resize(x, [8]),
    "resize_larger": lambda x: F.resize(x, [19]),
    "resize_both": lambda x: F.resize(x, [9, 17]),
    "resize_max": lambda x: F.resize(x, [8], max_size=9),
    "resize_max_alone": lambda x: F.resize(x, None, max_size=9),
    "resize_bilinear_aliased": lambda x: F.resize(x, [7], antialias=False),
    "resize_bicubic": lambda x: F.resize(x, [8], v2.InterpolationMode.BICUBIC),
    "resize_bicubic_larger": lambda x: F.resize(x, [15], v2.InterpolationMode.BICUBIC, antialias=False),
    "resize_nearest": lambda x: F.resize(x, [7], v2.InterpolationMode.NEAREST),
    "resize_nearest_exact": lambda x: F.resize(x, [7], v2.InterpolationMode.NEAREST_EXACT),
    "center_crop": lambda x: F.center_crop(x, [7, 10]),
    "center_crop_larger": lambda x: F.center_crop(x, [9, 18]),
    "crop_outside": lambda x: F.crop(x, -2, 9, 8, 9),
    "crop_elsewhere": lambda x: F.crop(x, 20, -30, 4, 5),
    "pad": lambda x: F.pad(x, [1, 2, 3, 0], fill=0.25 if x.is_floating_point() else 40),
    "pad_colors": lambda x: F.pad(x, [2, 1], fill=[1, 0, 1]),
    "pad_reflect": lambda x: F.pad(x, [3, 2], padding_mode="reflect"),
    "pad_edge": lambda x: F.pad(x, 2, padding_mode="edge"),
    "pad_symmetric": lambda x: F.pad(x, [3, 1, 2, 4], padding_mode="symmetric"),
    "affine": lambda x: F.affine(x, 20, [2, -1], 1.2, [10, 5]),
    "affine_bilinear": lambda x: F.affine(x, -35, [0, 3], 0.8, [0, 15], interpolation=v2.InterpolationMode.BILINEAR, fill=[0.5], center=[2, 3]),
    "rotate": lambda x: F.rotate(x, 33),
    "rotate_filled": lambda x: F.rotate(x, -50, fill=[1, 0, 1]),
    "rotate_half": lambda x: F.rotate(x, 180),
    "rotate_quarter": lambda x: F.rotate(x, -90),
    "grayscale": lambda x: F.rgb_to_grayscale(x, 3),
    "brightness": lambda x: F.adjust_brightness(x, 1.4),
    "contrast": lambda x: F.adjust_contrast(x, 1.7),
    "saturation": lambda x: F.adjust_saturation(x, 0.3),
    "hue": lambda x: F.adjust_hue(x, -0.2),
    "sharpness": lambda x: F.adjust_sharpness(x, 1.8),
    "autocontrast": F.autocontrast,
    "equalize": F.equalize,
    "invert": F.invert,
    "posterize": lambda x: F.posterize(x, 3),
    "solarize": lambda x: F.solarize(x, 0.5 if x.is_floating_point() else 130),
    "to_byte": lambda x: F.to_dtype(x, torch.uint8, scale=True),
    "to_float": lambda x: F.to_dtype(x, torch.float32, scale=True),
    "normalize": lambda x: F.normalize(F.to_dtype(x, torch.float32, scale=True), [0.5, 0.4, 0.3], [0.2, 0.3, 0.1]),
}
PIPELINES = [
    [{"RandomCrop": {"size": 9}}],
    [{"RandomCrop": {"size": [14, 13], "padding": 2, "padding_mode": "reflect"}}],
    [{"RandomCrop": {"size": 17, "pad_if_needed": True, "fill": 7}}],
    [{"RandomResizedCrop": {"size": 10}}],
    [{"RandomResizedCrop": {"size": [6, 9], "scale": [0.9, 1.0], "ratio": [4.0, 5.0], "interpolation": "bicubic"}}],
    [{"RandomHorizontalFlip": {}}, {"RandomVerticalFlip": {"p": 0.3}}],
    [{"ColorJitter": {"brightness": 0.4, "contrast": 0.3, "saturation": [0.5, 2.0], "hue": 0.1}}],
    [{"ColorJitter": {"hue": [-0.3, 0.3]}}],
    [{"RandomErasing": {"p": 0.8}}],
    [{"RandomErasing": {"p": 1.0, "scale": [0.1, 0.2], "value": [10, 20, 30]}}],
    [{"Pad": {"padding": 2}}, {"CenterCrop": {"size": 11}}, {"Resize": {"size": 8, "antialias": False}}],
    [{"RandomResizedCrop": {"size": 8}}, {"RandomHorizontalFlip": {}}, {"RandAugment": {"num_ops": 1}}, {"ConvertImageDtype": {}},
     {"Normalize": {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}}, {"RandomErasing": {"p": 0.5, "value": "random"}}],
]
RAND_AUGMENTS = [{"RandAugment": {}}, {"RandAugment": {"num_ops": 3, "magnitude": 6, "num_magnitude_bins": 11, "interpolation": "bilinear", "fill": [9.0, 8.0, 7.0]}}]


def pipeline_of(entries):
    return v2.Compose([getattr(v2, name)(**options) for entry in entries for name, options in entry.items()])


def record_transforms():
    inputs = {"bytes": torch.from_numpy(scene(13, 10)).permute(2, 0, 1).contiguous(),
              "batch": torch.from_numpy(np.stack([scene(13, 10, 1), scene(13, 10, 2)])).permute(0, 3, 1, 2).contiguous()}
    inputs["floats"] = inputs["bytes"].float() / 255
    saved, texts = dict(inputs), {}
    for name, function in FUNCTIONS.items():
        saved |= {f"{name}.{kind}": function(x) for kind, x in inputs.items()}
    cases = [*((entries, 6) for entries in PIPELINES), *(([entry], 30) for entry in RAND_AUGMENTS)]
    for number, (entries, seeds) in enumerate(cases):
        outs = []
        for seed in range(seeds):
            torch.manual_seed(seed)
            outs.append(pipeline_of(entries)(inputs["bytes"]))
        saved[f"pipeline.{number}"] = torch.stack(outs)
        texts[f"pipeline.{number}"] = json.dumps(entries).replace('"random"', "[]")
    each = [{"RandomResizedCrop": {"size": 8}}, {"RandomHorizontalFlip": {}}]
    torch.manual_seed(3)
    saved["each"] = torch.stack([pipeline_of(each)(x) for x in inputs["batch"]])
    texts["each"] = json.dumps(each)
    floats = inputs["batch"].float() / 255
    for name, mix, x in (("mix_up", v2.MixUp, floats), ("cut_mix", v2.CutMix, inputs["batch"])):
        for seed, alpha in ((0, 1.0), (1, 0.2)):
            torch.manual_seed(seed)
            saved[f"{name}.{seed}"], saved[f"{name}.{seed}.labels"] = mix(alpha=alpha, num_classes=4)(x, torch.tensor([3, 1]))
    photo = F.pil_to_tensor(Image.open(FOLDER / "baseline_420.jpg"))
    for name, options in (("bilinear", {}), ("bicubic", {"interpolation": v2.InterpolationMode.BICUBIC}), ("aliased", {"antialias": False})):
        saved[f"preset.{name}"] = _presets.ImageClassification(crop_size=24, resize_size=32, **options)(photo)
    save_file({key: value.contiguous().clone() for key, value in saved.items()}, FOLDER / "transforms.safetensors", texts)


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    record_files()
    record_transforms()
