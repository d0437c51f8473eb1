#!/usr/bin/env python3
"""Runs tuwen and the reference implementation on the same model directory and compares what they say.

    scripts/check_parity.py MODEL_DIR [--image FILE...] [--text TEXT...] [--tuwen PATH]
    scripts/check_parity.py --preset vit-base-patch16 --seed 1        makes the checkpoint first, in a temporary directory

Needs transformers 4.37.2, torch, Pillow and numpy, and a built `tuwen` (default: build/release/tuwen or one on PATH).

Compared, all in f32: token ids (must be equal); normalised embeddings of both towers (limit 1e-5 per number); probabilities of
every image over all texts (limit 1e-4). Features before normalisation and logits are reported. With --double the reference
is run in double as well, which tells whose rounding the difference is. Exit status 1 when a limit is exceeded, 2 when
the comparison could not be made.

Without --image the pictures are drawn from a seed: photograph-like, of sizes that are enlarged, reduced and squashed. Without
--text the texts are the labels of the published example and others of 2 to 511 tokens.
"""

import argparse
import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile
import time

import numpy as np
import PIL
import torch
import transformers
from PIL import Image
from transformers import BertTokenizerFast, ChineseCLIPImageProcessor, ChineseCLIPModel

ROOT = pathlib.Path(__file__).resolve().parent.parent
PRESETS = ("vit-base-patch16", "vit-large-patch14", "vit-large-patch14-336px", "vit-huge-patch14", "tiny")
EMBEDDING_LIMIT = 1e-5
PROBABILITY_LIMIT = 1e-4
EXAMPLE_LABELS = ["杰尼龟", "妙蛙种子", "小火龙", "皮卡丘"]
TEXTS = EXAMPLE_LABELS + [
    " ", "猫", "一张雪山脚下湖面倒影的照片，远处有两只正在飞过的白鹭。", "A photo of 3 dogs, ten cats & one ÉLÉPHANT!",
    "红色的苹果" * 10, "很长的说明文字，" * 63 + "到此为止。"]  # the last: 511 tokens


def main():
    arguments = parse_arguments()
    if transformers.__version__ != "4.37.2":
        stop(f"needs transformers 4.37.2, found {transformers.__version__}")
    transformers.utils.logging.set_verbosity_error()
    torch.set_grad_enabled(False)
    tuwen = find_tuwen(arguments.tuwen)
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as scratch:
        scratch = pathlib.Path(scratch)
        model = arguments.model
        if arguments.preset:
            model = scratch / arguments.preset
            command = [sys.executable, ROOT / "scripts" / "make_checkpoint.py", "--preset", arguments.preset, "--seed",
                       str(arguments.seed), model]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        images = arguments.image or draw_images(scratch / "images")
        texts = arguments.text or fitting(TEXTS, model)
        print_environment(tuwen, model, arguments)
        reference = run_reference(model, images, texts)
        ours = run_tuwen(tuwen, model, images, texts, scratch)
        exact = run_reference(model, images, texts, torch.float64) if arguments.double else None
    sys.exit(1 if report(ours, reference, exact, images, texts) else 0)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", type=pathlib.Path, metavar="MODEL_DIR")
    parser.add_argument("--preset", choices=PRESETS, help="make this checkpoint instead of reading MODEL_DIR")
    parser.add_argument("--seed", type=int, default=1, help="of the preset's weights")
    parser.add_argument("--image", nargs="+", type=pathlib.Path, metavar="FILE")
    parser.add_argument("--text", nargs="+", metavar="TEXT")
    parser.add_argument("--tuwen", type=pathlib.Path, help="the program to test")
    parser.add_argument("--double", action="store_true", help="also run the reference in double")
    parser.add_argument("--scratch", help="where temporary files go; the huge preset takes 4 GB")
    arguments = parser.parse_args()
    if (arguments.model is None) == (arguments.preset is None):
        parser.error("give either MODEL_DIR or --preset")
    return arguments


def find_tuwen(given):
    candidates = [given] if given else [ROOT / "build" / "release" / "tuwen", ROOT / "build" / "tuwen"]
    for path in candidates:
        if path.is_file():
            return path
    found = None if given else shutil.which("tuwen")
    return found or stop(f"no tuwen program at {' or '.join(map(str, candidates))}")


def print_environment(tuwen, model, arguments):
    version = subprocess.run([tuwen, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    print(f"{version}; TUWEN_ISA={os.environ.get('TUWEN_ISA', 'not set')}; transformers {transformers.__version__}, "
          f"torch {torch.__version__.split('+')[0]}, Pillow {PIL.__version__}; {cpu}, {os.cpu_count()} threads")
    print(f"model: {f'preset {arguments.preset}, seed {arguments.seed}' if arguments.preset else model.name}")


# --- the two sides ----------------------------------------------------------------------------------------------------


def run_reference(directory, images, texts, dtype=torch.float32):
    tokenizer = BertTokenizerFast.from_pretrained(directory)
    processor = ChineseCLIPImageProcessor.from_pretrained(directory)
    started = time.perf_counter()
    model = ChineseCLIPModel.from_pretrained(directory).eval().to(dtype)
    result = {"ids": [tokenizer(t)["input_ids"] for t in texts]}
    # One item at a time: neither padding nor the batch can play a part in what the reference says.
    result["text"] = np.concatenate([model.get_text_features(torch.tensor([ids])).numpy() for ids in result["ids"]])
    features = []
    for path in images:
        pixels = processor(Image.open(path), return_tensors="pt")["pixel_values"]
        features.append(model.get_image_features(pixels.to(dtype)).numpy())
    result["image"] = np.concatenate(features)
    scale = np.exp(model.logit_scale.numpy())
    finish(result, scale)
    result["seconds"] = time.perf_counter() - started
    return result


def run_tuwen(tuwen, directory, images, texts, scratch):
    started = time.perf_counter()
    result = {"ids": call_json(tuwen, "tokenize", directory, "--text", *texts, "--json")["input_ids"]}
    for side, option, items in (("text", "--text", texts), ("image", "--image", images)):
        raw, normalised = scratch / f"{side}.raw.npy", scratch / f"{side}.npy"
        call(tuwen, "embed", directory, option, *items, "--out", raw, "--raw")
        call(tuwen, "embed", directory, option, *items, "--out", normalised)
        result[side] = np.load(raw)
        result[side + "_embeds"] = np.load(normalised)
    answer = call_json(tuwen, "similarity", directory, "--image", *images, "--text", *texts, "--json")
    result["logits"] = np.array(answer["logits_per_image"], dtype=np.float64)
    result["probabilities"] = np.array(answer["probs"], dtype=np.float64)
    result["seconds"] = time.perf_counter() - started
    return result


def call(tuwen, *arguments):
    done = subprocess.run([str(tuwen), *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        stop(f"{' '.join(map(str, arguments))[:200]}: exit status {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def call_json(tuwen, *arguments):
    return json.loads(call(tuwen, *arguments))


def finish(result, scale):
    """Normalised embeddings, logits and probabilities, as ChineseCLIPModel.forward and its published example have them."""
    for side in ("text", "image"):
        result[side + "_embeds"] = result[side] / np.linalg.norm(result[side], axis=1, keepdims=True)
    result["logits"] = result["image_embeds"] @ result["text_embeds"].T * scale
    shifted = np.exp(result["logits"] - result["logits"].max(axis=1, keepdims=True))
    result["probabilities"] = shifted / shifted.sum(axis=1, keepdims=True)


def fitting(texts, directory):
    """The texts that the model's position table has room for."""
    room = transformers.ChineseCLIPConfig.from_pretrained(directory).text_config.max_position_embeddings
    tokenizer = BertTokenizerFast.from_pretrained(directory)
    return [t for t in texts if len(tokenizer(t)["input_ids"]) <= room]


# --- comparison -------------------------------------------------------------------------------------------------------


def report(ours, reference, exact, images, texts):
    failed = False
    for text, got, expected in zip(texts, ours["ids"], reference["ids"]):
        if got != expected:
            failed = True
            print(f"token ids differ: {text[:40]!r}: expected {expected[:20]}, found {got[:20]}")
    print(f"{len(images)} images, {len(texts)} texts of {min(map(len, reference['ids']))} to "
          f"{max(map(len, reference['ids']))} tokens; ids {'DIFFER' if failed else 'equal'}; "
          f"reference {reference['seconds']:.1f} s, tuwen {ours['seconds']:.1f} s (six program starts)")
    print("| quantity | largest value | tuwen - reference | limit |" + (" tuwen - double | reference - double |" if exact else ""))
    print("|---|---|---|---|" + ("---|---|" if exact else ""))
    rows = (("text features", "text", None), ("image features", "image", None),
            ("text embeddings, normalised", "text_embeds", EMBEDDING_LIMIT),
            ("image embeddings, normalised", "image_embeds", EMBEDDING_LIMIT),
            ("logits per image", "logits", None), ("probabilities", "probabilities", PROBABILITY_LIMIT))
    for title, key, limit in rows:
        difference = distance(ours[key], reference[key])
        failed |= limit is not None and not difference <= limit
        line = f"| {title} | {np.abs(reference[key]).max():.4g} | {difference:.2e} | {limit or ''} |"
        if exact:
            line += f" {distance(ours[key], exact[key]):.2e} | {distance(reference[key], exact[key]):.2e} |"
        print(line)
    show_example(ours, reference, images, texts)
    print("FAILED" if failed else "within the limits")
    return failed


def show_example(ours, reference, images, texts):
    """The first image over the texts, both ways, when they are few: how the published example prints it."""
    if len(texts) > 8:
        return
    for name, result in (("reference", reference), ("tuwen", ours)):
        shown = "  ".join(f"{text} {p:.6e}" for text, p in zip(texts, result["probabilities"][0]))
        print(f"{pathlib.Path(images[0]).name}: {name:9}: {shown}")


def distance(a, b):
    if a.shape != b.shape:
        stop(f"shapes differ: reference {list(b.shape)}, found {list(a.shape)}")
    return float(np.abs(a.astype(np.float64) - b).max()) if np.isfinite(a).all() else float("nan")


def draw_images(directory):
    """Smooth colour fields with edges and noise: what resizing and a vision model meet in photographs."""
    directory.mkdir()
    generator = np.random.default_rng(1)
    paths = []
    for width, height in ((224, 224), (640, 427), (97, 301), (1200, 64), (50, 50)):
        y, x = np.mgrid[0:height, 0:width] / max(width, height)
        phase, frequency = generator.uniform(0, 6.3, (3, 4)), generator.uniform(2, 40, (3, 4))
        waves = [sum(np.sin(f * (x * np.cos(k) + y * np.sin(k)) + p) for k, (f, p) in enumerate(zip(*c))) for c in zip(frequency, phase)]
        picture = np.stack(waves, axis=2) * 28 + 128 + generator.normal(0, 6, (height, width, 3))
        picture[height // 3: height // 2, width // 4: width // 2] = generator.uniform(0, 255, 3)
        paths.append(directory / f"{width}x{height}.png")
        Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).save(paths[-1])
    return paths


def stop(message):
    print(f"check_parity.py: {message}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()
