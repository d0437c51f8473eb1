#!/usr/bin/env python3
"""Writes tests/data/images/: small images of every format and colour mode with the pixels that Pillow reads from them,
results of Pillow's resize, and results of the reference image processor.

Needs Pillow 13.0.0, transformers 4.37.2, numpy < 2. Usage: scripts/make_image_goldens.py [OUTPUT_DIRECTORY]"""
import hashlib
import json
import pathlib
import sys

import numpy as np
from PIL import Image
from transformers import ChineseCLIPImageProcessor

import check_images
import image_cases as cases

ROOT = pathlib.Path(__file__).resolve().parent.parent
HEADER = "# Written by scripts/make_image_goldens.py with Pillow {}.\n"


def sha(data) -> str:
    return hashlib.sha256(np.ascontiguousarray(data).tobytes()).hexdigest()[:16]


def noise(width: int, height: int, channels: int) -> np.ndarray:
    """The bytes of tests/support/noise.h."""
    v = np.arange(width * height * channels, dtype=np.uint64)
    v = (v * 2654435761 + 12345) & 0xFFFFFFFF
    v ^= v >> 15
    v = (v * 2246822519) & 0xFFFFFFFF
    shape = (height, width) if channels == 1 else (height, width, channels)
    return (v >> 24).astype(np.uint8).reshape(shape)


# width, height -> to_width, to_height: one axis, both, up, down, either pass first, sides of 1, real photographs' sizes.
RESIZE_SIZES = [
    ((7, 5), (4, 3)), ((4, 3), (9, 8)), ((37, 23), (16, 16)), ((16, 16), (37, 23)), ((64, 48), (224, 224)),
    ((300, 200), (224, 224)), ((200, 300), (224, 224)), ((33, 70), (30, 20)), ((70, 33), (20, 30)), ((1, 1), (5, 4)),
    ((5, 4), (1, 1)), ((1, 50), (3, 7)), ((50, 1), (7, 3)), ((31, 40), (31, 17)), ((40, 31), (17, 31)),
    ((20, 31), (10, 11)), ((20, 32), (10, 11)), ((640, 480), (224, 224)), ((101, 103), (99, 97)), ((257, 129), (17, 65)),
]


def write_resize(out: pathlib.Path):
    lines = [HEADER.format(Image.__version__),
             "# filter, source width, height and channels, width, height, sha256[:16] of the result\n"]
    for (width, height), (to_width, to_height) in RESIZE_SIZES:
        for channels in (3, 1):
            image = Image.fromarray(noise(width, height, channels))
            for name in range(6):
                result = np.asarray(image.resize((to_width, to_height), Image.Resampling(name)))
                lines.append(f"{name} {width} {height} {channels} {to_width} {to_height} {sha(result)}\n")
    (out / "resize.txt").write_text("".join(lines))


def golden_files(rng) -> dict:
    """name -> bytes: every mode of every format, small."""
    files = {}
    for colour, depths in cases.PNG_DEPTHS.items():
        for depth in depths:
            for interlaced in (False, True):
                palette = rng.integers(0, 256, (2 ** depth * 3 // 4, 3)) if colour == 3 else None
                transparency = {0: b"\0\1", 2: bytes(6), 3: bytes([0, 128]), 4: b"", 6: b""}[colour]
                samples = cases.smooth(rng, 9, 13, cases.PNG_CHANNELS[colour], 2 ** depth - 1)
                if (colour, depth) == (0, 16):
                    samples[:5] //= 256
                files[f"png-c{colour}-d{depth}{'-interlaced' if interlaced else ''}.png"] = cases.write_png(
                    samples, depth, colour, palette, transparency, interlaced, lambda: int(rng.integers(0, 5)), 2)
    files["png-1x1.png"] = cases.write_png(np.array([[[7, 8, 9]]]), 8, 2)

    def indices(top):
        return cases.smooth(rng, 7, 11, 1, top)[..., 0]

    def palette_of(count, step):
        return b"".join(bytes(int(v) for v in rng.integers(0, 256, 3)) + bytes(step - 3) for _ in range(count))

    for bits in (1, 4, 8):
        rows = indices(2 ** bits - 1)
        data = cases.bmp_rows(cases.pack_samples(row, bits) for row in rows)
        files[f"bmp-{bits}.bmp"] = cases.write_bmp(11, 7, bits, data, palette=palette_of(2 ** bits, 4))
        files[f"bmp-{bits}-top-down.bmp"] = cases.write_bmp(11, 7, bits, data, 124, palette=palette_of(2 ** bits, 4), top_down=True)
        files[f"bmp-{bits}-os2.bmp"] = cases.write_bmp(11, 7, bits, data, 12, palette=palette_of(2 ** bits, 3))
        if bits > 1:
            few = np.minimum(rows, 2)
            files[f"bmp-{bits}-few-colours.bmp"] = cases.write_bmp(
                11, 7, bits, cases.bmp_rows(cases.pack_samples(row, bits) for row in few), palette=palette_of(3, 4), colours=3)
            palette = palette_of(2 ** bits, 4)
            runs = cases.encode_runs(rng, few, bits == 4, 54 + len(palette))
            files[f"bmp-rle{bits}.bmp"] = cases.write_bmp(11, 7, bits, runs, 40, 3 - bits // 4, palette)
            files[f"bmp-rle{bits}-top-down.bmp"] = cases.write_bmp(11, 7, bits, runs, 40, 3 - bits // 4, palette, top_down=True)
    grey = b"".join(bytes([i, i, i, 0]) for i in range(256))
    files["bmp-grey.bmp"] = cases.write_bmp(11, 7, 8, cases.bmp_rows(bytes(r) for r in indices(255).astype(np.uint8)), palette=grey)
    for bits, groups in ((16, cases.BMP_MASKS_16), (24, [()]), (32, cases.BMP_MASKS_32)):
        data = cases.bmp_rows(rng.integers(0, 256, (7, 11 * bits // 8), dtype=np.uint8)[y].tobytes() for y in range(7))
        files[f"bmp-{bits}.bmp"] = cases.write_bmp(11, 7, bits, data)
        for k, masks in enumerate(groups):
            if masks:
                files[f"bmp-{bits}-masks{k}.bmp"] = cases.write_bmp(11, 7, bits, data, 108 if len(masks) == 4 else 40, 3, masks=masks)

    for mode in ("L", "RGB", "CMYK"):
        for subsampling in (0, 1, 2) if mode == "RGB" else (0,):
            for progressive in (False, True):
                name = f"jpeg-{mode.lower()}{'' if mode != 'RGB' else ['-444', '-422', '-420'][subsampling]}"
                files[f"{name}{'-progressive' if progressive else ''}.jpg"] = cases.saved(
                    cases.picture(rng, 21, 19, mode), "JPEG", quality=80, subsampling=subsampling, progressive=progressive)
    files["jpeg-ycck.jpg"] = cases.as_ycck(cases.saved(cases.picture(rng, 21, 19, "CMYK"), "JPEG", quality=90))
    files["jpeg-stored-rgb.jpg"] = cases.saved(cases.picture(rng, 21, 19, "RGB"), "JPEG", keep_rgb=True, quality=80)
    files["jpeg-restart.jpg"] = cases.saved(cases.picture(rng, 40, 37, "RGB"), "JPEG", restart_marker_blocks=2, quality=60)
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees, which is ignored
    files["jpeg-turned.jpg"] = cases.saved(cases.picture(rng, 10, 30, "RGB"), "JPEG", exif=exif)
    files["jpeg-1x1.jpg"] = cases.saved(cases.picture(rng, 1, 1, "RGB"), "JPEG")

    for mode in ("RGB", "RGBA"):
        for lossless in (False, True):
            files[f"webp-{mode.lower()}{'-lossless' if lossless else ''}.webp"] = cases.saved(
                cases.picture(rng, 17, 23, mode), "WEBP", lossless=lossless, quality=60, exact=True)
    files["webp-animated.webp"] = cases.saved(
        cases.picture(rng, 17, 23, "RGBA"), "WEBP", save_all=True, append_images=[cases.picture(rng, 17, 23, "RGBA")], quality=50)
    # Single pixels are padded to even positions of the file, not of the data.
    palette = palette_of(256, 4)
    runs = cases.encode_runs(rng, indices(2), False, 55 + len(palette))
    files["bmp-rle8-odd-offset.bmp"] = cases.write_bmp(11, 7, 8, runs, 40, 1, palette, gap=1)
    return files


def write_files(out: pathlib.Path) -> list:
    rng = np.random.default_rng(2024)
    lines = [HEADER.format(Image.__version__), "# file, Pillow's mode, width, height, sha256[:16] of convert(\"RGB\")\n"]
    names = []
    for old in (out / "files").glob("*"):
        old.unlink()
    (out / "files").mkdir(exist_ok=True)
    for name, data in golden_files(rng).items():
        path = out / "files" / name
        path.write_bytes(data)
        assert len(data) < 4096, name
        image = Image.open(path)
        mode, (width, height) = image.mode, image.size
        lines.append(f"{name} {mode} {width} {height} {sha(np.asarray(image.convert('RGB')))}\n")
        names.append(name)
    (out / "decode.txt").write_text("".join(lines))
    return names


def golden_array(shape, dtype: str, kind: str) -> np.ndarray:
    """The arrays of tests/models/test_image_processor.cpp: noise as bytes, whole numbers, or divided by 255."""
    array = noise(shape[1], shape[0], shape[2]).reshape(shape)
    if dtype == "u8":
        return array
    array = array.astype({"f32": np.float32, "f64": np.float64}[dtype])
    return array / array.dtype.type(255) if kind == "unit" else array


def write_process(out: pathlib.Path, names: list):
    """One JSON object a line: a file or an array, options, and what the reference makes of them."""
    rng = np.random.default_rng(2025)
    published = {"do_center_crop": False, "size": {"height": 224, "width": 224}, "rescale_factor": 0.00392156862745098}
    lines = []

    def add(case, images, options, **call):
        values = np.asarray(ChineseCLIPImageProcessor(**options)(images, **call)["pixel_values"][0])
        case.update(options=options, last=call["data_format"] == "channels_last", shape=list(values.shape),
                    dtype={"uint8": "u8", "float32": "f32", "float64": "f64"}[str(values.dtype)], sha=sha(values))
        lines.append(json.dumps(case) + "\n")

    def random_options():
        options = check_images.random_options(rng)
        options["size"] = {"height": int(rng.integers(1, 33)), "width": int(rng.integers(1, 33))}
        options["crop_size"] = {"height": int(rng.integers(1, 40)), "width": int(rng.integers(1, 40))}
        return options

    for i, name in enumerate(names):
        image = Image.open(out / "files" / name)
        if name.startswith("webp") or image.height in (1, 3):
            continue
        for options in [published] if i % 12 == 0 else [random_options() for _ in range(2)]:
            if not check_images.loses_a_row((image.height, image.width), options):
                add({"file": name}, image, options, data_format=["channels_first", "channels_last"][i % 2])
    for i in range(90):
        dtype = ["u8", "f32", "f64"][i % 3]
        kind = ["whole", "unit"][i // 3 % 2]
        shape = [int(rng.integers(4, 20)), int(rng.integers(4, 20)), [3, 3, 1][i % 5 % 3]]
        options = random_options()
        if shape[2] == 1:
            options["image_mean"], options["image_std"] = 0.5, 0.25
        if check_images.loses_a_row(shape[:2], options):
            continue
        array = golden_array(shape, dtype, kind)
        first = i % 4 < 2
        add({"array": shape, "array_dtype": dtype, "kind": kind, "first": first},
            [np.ascontiguousarray(array.transpose(2, 0, 1)) if first else array], options,
            data_format=["channels_first", "channels_last"][i % 2],
            input_data_format="channels_first" if first else "channels_last")
    (out / "process.jsonl").write_text("".join(lines))


def main():
    out = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "tests/data/images"
    out.mkdir(parents=True, exist_ok=True)
    write_resize(out)
    write_process(out, write_files(out))


if __name__ == "__main__":
    main()
