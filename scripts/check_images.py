#!/usr/bin/env python3
"""Compares decoding, resizing and image processing with Pillow and the reference image processor on random input.

Needs Pillow 13.0.0, transformers 4.37.2, numpy < 2 and the program image_tool (cmake --build BUILD --target image_tool).
Usage: scripts/check_images.py BUILD/tests/image_tool [--cases N] [--seed S] [--only decode,resize,process,array,damaged]
Prints one line per kind of case and every difference; exits 1 if there is any."""
import argparse
import collections
import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile
import warnings

import numpy as np
from PIL import Image
import image_cases

warnings.simplefilter("ignore")


def sha(array) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


class Tool:
    """The program under test, for as many requests as are asked of it."""

    def __init__(self, path: str):
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, **request) -> dict:
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"image_tool ended with status {self.process.wait()} on {request}")
        return json.loads(line)


class Report:
    def __init__(self):
        self.same, self.refused, self.stricter, self.different = (collections.Counter() for _ in range(4))

    def add(self, kind: str, expected, answer: dict, request: dict, stricter_is_fine: bool = False):
        """expected: what the reference gives, as a dictionary, or the exception that it raises."""
        if isinstance(expected, Exception):
            counter = self.refused if "error" in answer else self.different
        elif "error" in answer:
            counter = self.stricter if stricter_is_fine else self.different
        else:
            counter = self.same if all(answer.get(k) == v for k, v in expected.items()) else self.different
        counter[kind] += 1
        if counter is self.different and sum(self.different.values()) <= 20:
            print(f"DIFFERENT {kind}\n  request   {request}\n  reference {expected!r}\n  ours      {answer}")

    def show(self) -> int:
        for kind in sorted(set().union(self.same, self.refused, self.stricter, self.different)):
            print(f"{kind:28} equal {self.same[kind]:6}  both refuse {self.refused[kind]:5}  only the reference reads "
                  f"{self.stricter[kind]:5}  different {self.different[kind]:5}")
        print(f"{sum(self.same.values())} equal, {sum(self.different.values())} different")
        return 1 if self.different else 0


def attempt(function):
    try:
        return function()
    except Exception as error:  # whatever the reference raises counts as a refusal
        return error


def pillow_decode(path) -> dict:
    image = Image.open(path)
    mode = image.mode
    rgb = np.asarray(image.convert("RGB"))
    return {"shape": list(rgb.shape), "mode": mode, "sha": sha(rgb)}


def check_decode(tool, report, rng, folder, cases):
    for i in range(cases):
        name, data = list(image_cases.RANDOM_FILES.values())[i % 4](rng)
        path = folder / "image"
        path.write_bytes(data)
        request = {"op": "decode", "path": str(path)}
        report.add("decode " + name.split("-")[0], attempt(lambda: pillow_decode(path)), tool.ask(**request), {"name": name})


def check_damaged(tool, report, rng, folder, cases):
    """Cut and overwritten files: the same pixels or a refusal. Pillow reads more of them."""
    for i in range(cases):
        name, data = list(image_cases.RANDOM_FILES.values())[i % 4](rng)
        damaged = bytearray(data)
        if rng.random() < 0.3:
            damaged = damaged[:int(rng.integers(len(damaged)))]
        else:
            for _ in range(int(rng.integers(1, 4))):
                damaged[int(rng.integers(len(damaged)))] = int(rng.integers(256))
        path = folder / "image"
        path.write_bytes(bytes(damaged))
        expected = attempt(lambda: pillow_decode(path))
        answer = tool.ask(op="decode", path=str(path))
        if isinstance(expected, Exception) and "not enough image data" in str(expected):
            continue  # run-length data that ends by its own mark: docs/image-parity.md
        report.add("damaged " + name.split("-")[0], expected, answer, {"name": name}, stricter_is_fine=True)


def check_resize(tool, report, rng, folder, cases):
    for _ in range(cases):
        limit = int(rng.choice([40, 40, 40, 300, 1500]))
        height, width, to_height, to_width = (int(v) for v in rng.integers(1, limit, 4))
        if rng.random() < 0.1:
            to_height = height
        if rng.random() < 0.1:
            to_width = width
        if rng.random() < 0.2:
            to_height = to_width = 224
        channels = int(rng.choice([1, 3]))
        array = image_cases.smooth(rng, height, width, channels).astype(np.uint8)
        if rng.random() < 0.2:
            array = (array > 127).astype(np.uint8) * 255
        array = array[..., 0] if channels == 1 else array
        (folder / "raw").write_bytes(array.tobytes())
        resample = int(rng.integers(0, 6))
        expected = {"sha": sha(np.asarray(Image.fromarray(array).resize((to_width, to_height), resample)))}
        for isa in ("reference", "avx2", "avx512"):
            request = {"op": "resize", "path": str(folder / "raw"), "shape": list(array.shape), "to": [to_height, to_width],
                       "filter": resample, "order": 0, "isa": isa}
            answer = tool.ask(**request)
            if answer.get("error") != "unsupported":  # this CPU lacks it
                report.add(f"resize {isa}", expected, answer, request)


def random_options(rng) -> dict:
    def side():
        return int(rng.choice([1, 7, 16, 31, 64, 224]))

    options = {"image_processor_type": "ChineseCLIPImageProcessor"}
    for key in ("do_resize", "do_center_crop", "do_rescale", "do_normalize"):
        if rng.random() < 0.5:
            options[key] = bool(rng.random() < 0.7)
    options["size"] = {"height": side(), "width": side()}
    if rng.random() < 0.5:
        options["crop_size"] = side() if rng.random() < 0.4 else {"height": side(), "width": side()}
    if rng.random() < 0.7:
        options["resample"] = int(rng.integers(0, 6))
    if rng.random() < 0.3:
        options["rescale_factor"] = float(rng.choice([1 / 255, 0.00392156862745098, 1 / 127.5, 0.1, 1.0, 3.7]))
    for key in ("image_mean", "image_std"):
        if rng.random() < 0.4:
            options[key] = float(rng.uniform(0.1, 1)) if rng.random() < 0.3 else [float(v) for v in rng.uniform(0.1, 1, 3)]
    return options


def reference_values(images, options: dict, **call) -> dict:
    from transformers import ChineseCLIPImageProcessor
    values = ChineseCLIPImageProcessor(**options)(images, **call)["pixel_values"][0]
    values = np.asarray(values)
    return {"shape": list(values.shape), "dtype": {"uint8": "u8", "float32": "f32", "float64": "f64"}[str(values.dtype)],
            "sha": sha(values)}


def loses_a_row(size, options: dict) -> bool:
    """The reference's centre crop is a pixel short when it pads by an odd difference."""
    if not options.get("do_center_crop", True):
        return False
    if options.get("do_resize", True):
        size = options["size"]["height"], options["size"]["width"]
    crop = options.get("crop_size", 224)
    crop = (crop, crop) if isinstance(crop, int) else (crop["height"], crop["width"])
    return any(c > s and (c - s) % 2 for c, s in zip(crop, size))


def check_process(tool, report, rng, folder, cases):
    for i in range(cases):
        name, data = list(image_cases.RANDOM_FILES.values())[i % 4](rng)
        path = folder / "image"
        path.write_bytes(data)
        options = random_options(rng)
        last = bool(rng.random() < 0.3)
        image = Image.open(path)
        if image.height in (1, 3) or loses_a_row((image.height, image.width), options):
            continue  # the reference takes the rows for channels, or crops a pixel short: docs/image-parity.md
        expected = attempt(lambda: reference_values(image, options, data_format="channels_last" if last else "channels_first"))
        request = {"op": "process", "path": str(path), "config": json.dumps(options), "last": last,
                   "isa": str(rng.choice(["reference", "avx2", "avx512"]))}
        answer = tool.ask(**request)
        if answer.get("error") == "unsupported":
            continue
        if isinstance(expected, dict) and expected["dtype"] == "f32":
            expected["table_sha"] = expected["sha"]
        report.add("process file", expected, answer, {**request, "name": name})


def random_array(rng):
    height, width = (int(v) for v in rng.integers(4, 40, 2))
    channels = int(rng.choice([1, 3]))
    kind = str(rng.choice(["u8", "whole", "unit", "unit", "binary", "near", "bad", "nan"]))
    array = image_cases.smooth(rng, height, width, channels)
    dtype = str(rng.choice(["f32", "f64"]))
    if kind == "u8":
        return kind, "u8", array.astype(np.uint8)
    array = array.astype({"f32": np.float32, "f64": np.float64}[dtype])
    if kind == "unit":
        array = rng.random(array.shape).astype(array.dtype) if rng.random() < 0.5 else array / array.dtype.type(255)
    elif kind == "binary":
        array = np.round(array / 255)
    elif kind == "near":
        array = array + array.dtype.type(rng.choice([1e-9, 1e-6, 9e-6, 1e-4, -1e-9, -1e-6])) * array
    elif kind == "bad":
        array = array + array.dtype.type(rng.choice([0.5, -3.0, 100.0]))
    elif kind == "nan":
        array[0, 0, 0] = rng.choice([np.nan, np.inf, -np.inf])
    return kind, dtype, array


def check_array(tool, report, rng, folder, cases):
    for _ in range(cases):
        kind, dtype, array = random_array(rng)
        options = random_options(rng)
        if loses_a_row(array.shape[:2], options):
            continue
        if array.shape[2] == 1 and rng.random() < 0.8:
            options["image_mean"], options["image_std"] = 0.4, 0.3
        first, last = bool(rng.random() < 0.5), bool(rng.random() < 0.5)
        given = np.ascontiguousarray(array.transpose(2, 0, 1)) if first else array
        (folder / "raw").write_bytes(given.tobytes())
        with np.errstate(all="ignore"):
            expected = attempt(lambda: reference_values(
                [given], options, data_format="channels_last" if last else "channels_first",
                input_data_format="channels_first" if first else "channels_last"))
        request = {"op": "array", "path": str(folder / "raw"), "shape": list(given.shape), "dtype": dtype, "first": first,
                   "config": json.dumps(options), "last": last, "isa": str(rng.choice(["reference", "avx2", "avx512"]))}
        answer = tool.ask(**request)
        if answer.get("error") == "unsupported":
            continue
        report.add(f"process array {kind}", expected, answer, request)


CHECKS = {"decode": check_decode, "resize": check_resize, "process": check_process, "array": check_array,
          "damaged": check_damaged}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tool")
    parser.add_argument("--cases", type=int, default=1000, help="of each check")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default=",".join(CHECKS))
    arguments = parser.parse_args()
    tool, report = Tool(arguments.tool), Report()
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.only.split(","):
            rng = np.random.default_rng([arguments.seed, list(CHECKS).index(name)])
            CHECKS[name](tool, report, rng, pathlib.Path(folder), arguments.cases)
    return report.show()


if __name__ == "__main__":
    sys.exit(main())
