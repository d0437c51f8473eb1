#!/usr/bin/env python3
"""Writes tests/data/images/: small images of every format and colour mode with the pixels that Pillow reads from them,
results of Pillow's resize, and results of the reference image processor.

Needs Pillow 13.0.0, transformers 4.37.2, numpy < 2. Usage: scripts/make_image_goldens.py [OUTPUT_DIRECTORY]"""
import hashlib
import pathlib
import sys

import numpy as np
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parent.parent
HEADER = "# Written by scripts/make_image_goldens.py with Pillow {}.\n"


def sha(data) -> str:
    return hashlib.sha256(np.ascontiguousarray(data).tobytes()).hexdigest()[:16]


def noise(width: int, height: int, channels: int) -> np.ndarray:
    """The pixels of noise() in tests/kernels/test_resize.cpp."""
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


def main():
    out = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "tests/data/images"
    out.mkdir(parents=True, exist_ok=True)
    write_resize(out)


if __name__ == "__main__":
    main()
