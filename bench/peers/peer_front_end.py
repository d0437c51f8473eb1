#!/usr/bin/env python3
"""Pillow and tokenizers, which transformers uses for pictures and texts; one record a step, one thread.

    peer_front_end.py MODEL picture FILE.jpg          decode, resize to the model's size and normalise, and both together
    peer_front_end.py MODEL captions FILE.txt         the texts of a file, one a line
    peer_front_end.py MODEL inputs FOLDER             writes FOLDER/picture.jpg (1280x960, quality 90) and FOLDER/captions.txt
"""
import argparse
import io
import json
import os
import pathlib
import time

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("model", type=pathlib.Path)
parser.add_argument("what", choices=["picture", "captions", "inputs"])
parser.add_argument("file", type=pathlib.Path)
parser.add_argument("--warmup", type=int, default=10)
parser.add_argument("--runs", type=int, default=20)
parser.add_argument("--seconds", type=float, default=1.0)
options = parser.parse_args()
os.environ["RAYON_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "true"
import numpy as np  # noqa: E402


def measure(engine, version, items, work, **more):
    for _ in range(options.warmup):
        work()
    samples, start = [], time.perf_counter()
    while len(samples) < options.runs or time.perf_counter() - start < options.seconds:
        begin = time.perf_counter()
        work()
        samples.append((time.perf_counter() - begin) * 1e3)
    median = float(np.median(samples))
    print(json.dumps({"engine": engine, "version": version, "threads": 1, **more, "median_ms": median, "mean_ms": float(np.mean(samples)),
                      "sd_ms": float(np.std(samples)), "min_ms": min(samples), "p95_ms": float(np.percentile(samples, 95)),
                      "runs": len(samples), "items_per_s": items / median * 1e3}, ensure_ascii=False), flush=True)


def picture():
    import PIL
    from PIL import Image

    settings = json.loads((options.model / "preprocessor_config.json").read_text())
    size = (settings["size"]["width"], settings["size"]["height"])
    mean, std = np.float32(settings["image_mean"]), np.float32(settings["image_std"])
    data = options.file.read_bytes()

    def decode():
        return Image.open(io.BytesIO(data)).convert("RGB")

    def resize(image):
        small = np.asarray(image.resize(size, Image.BICUBIC), np.float32)
        return np.ascontiguousarray(((small * np.float32(1 / 255) - mean) / std).transpose(2, 0, 1))

    image = decode()
    for what, work in (("decode", decode), ("resize and normalise", lambda: resize(image)), ("all", lambda: resize(decode()))):
        measure("pillow", PIL.__version__, 1, work, bench="preprocess", what=what, image=options.file.name)


def captions():
    import tokenizers

    tokenizer = tokenizers.BertWordPieceTokenizer(str(options.model / "vocab.txt"))
    texts = options.file.read_text(encoding="utf-8").splitlines()
    tokens = sum(len(e.ids) for e in tokenizer.encode_batch(texts))
    measure("tokenizers", tokenizers.__version__, len(texts), lambda: tokenizer.encode_batch(texts), bench="tokenize", texts=len(texts),
            tokens=tokens)


def inputs():
    """A picture with a photograph's spectrum; texts of twenty frequent Chinese characters."""
    from PIL import Image

    rng = np.random.default_rng(0)
    width, height, pixels = 1280, 960, np.full((960, 1280, 3), 120, np.float32)
    for side, strength in ((4, 70), (16, 45), (64, 28), (256, 12), (1280, 5)):
        for channel in range(3):
            noise = Image.fromarray(rng.standard_normal((side * height // width, side)).astype(np.float32))
            pixels[..., channel] += strength * np.asarray(noise.resize((width, height), Image.BICUBIC))
    options.file.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(options.file / "picture.jpg", quality=90, subsampling=2)
    vocabulary = (options.model / "vocab.txt").read_text(encoding="utf-8").split("\n")
    characters = [token for token in vocabulary if len(token) == 1 and "\u4e00" <= token <= "\u9fff"][:3000]
    lines = ("".join(rng.choice(characters, 20)) + "\n" for _ in range(2000))
    (options.file / "captions.txt").write_text("".join(lines), encoding="utf-8")


{"picture": picture, "captions": captions, "inputs": inputs}[options.what]()
