#!/usr/bin/env python3
"""Scores the demo model on pictures and phrases it was not trained on; prints the table of demo/model/README.md.

    scripts/eval_demo.py [--model DIR] [--tuwen PATH] [--reference]

Needs Pillow, PyTorch (for drawing), NumPy, and Debian's fonts-noto-color-emoji and unicode-cldr-core. tuwen encodes in f32, bf16
and int8; --reference adds transformers 4.37.2. The sets depend on the seeds below alone:

names    one new rendering of each emoji; which name of all fits best (a name is the mean of three templates)
phrases  held-out keywords; which of those renderings fits best, where a phrase may be right for up to five
pairs    1,000 new renderings of held-out pairs of emoji; which of the 1,000 texts fits best
"""
import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from demo_data import keyword_split, load_emoji, pair_is_held_out
from demo_scenes import picture
from demo_texts import SCORED_TEMPLATES, counted

ROOT = Path(__file__).resolve().parent.parent
NAMES_SEED, PAIRS_SEED = 2_000_000, 3_000_000
PAIRS = 1000


class Sets:
    """The pictures (written as PNG to a folder) and texts of all scores."""

    def __init__(self, folder):
        emoji, glyphs = load_emoji()
        _, held = keyword_split(emoji)
        self.images = []

        def draw(parts, seed):
            path = folder / f"{seed}.png"
            picture(parts, seed).save(path, compress_level=1)
            self.images.append(str(path))

        for index, one in enumerate(glyphs):
            draw([one], NAMES_SEED + index)
        self.count, self.pair_texts, seen = len(emoji), [], set()
        rng = np.random.default_rng(PAIRS_SEED)
        while len(seen) < PAIRS:
            a, b = (int(i) for i in rng.integers(self.count, size=2))
            if a == b or (min(a, b), max(a, b)) in seen or not pair_is_held_out(a, b):
                continue
            seen.add((min(a, b), max(a, b)))
            draw([glyphs[a], glyphs[b]], PAIRS_SEED + len(seen))
            self.pair_texts.append("和".join(counted(emoji, i, emoji[i].name) for i in (a, b)))
        self.name_texts = [template.format(e.name) for template in SCORED_TEMPLATES for e in emoji]
        self.phrases, self.right = list(held), [sorted(found) for found in held.values()]
        self.texts = self.name_texts + self.phrases + self.pair_texts

    def scores(self, images, texts):
        """{set: (share right at 1, at 5, at 10)} from embeddings of length 1."""
        n, names = self.count, texts[: len(self.name_texts)].reshape(len(SCORED_TEMPLATES), self.count, -1).mean(0)
        names /= np.linalg.norm(names, axis=1, keepdims=True)
        phrases, pairs = texts[len(self.name_texts) :][: len(self.phrases)], texts[-PAIRS:]
        own = [[i] for i in range(max(n, PAIRS))]
        return {"names": recall(images[:n] @ names.T, own[:n]), "phrases": recall(phrases @ images[:n].T, self.right),
                "pairs": recall(images[n:] @ pairs.T, own[:PAIRS])}

    def chance(self):
        """The same for a random order."""
        def of(candidates, right):
            return tuple(float(np.mean([1 - np.prod([(candidates - r - j) / (candidates - j) for j in range(k)]) for r in right]))
                         for k in (1, 5, 10))

        return {"names": of(self.count, [1]), "phrases": of(self.count, [len(r) for r in self.right]), "pairs": of(PAIRS, [1])}


def recall(similarity, right):
    order = np.argsort(-similarity, axis=1, kind="stable")[:, :10]
    hit = np.array([np.isin(row, r) for row, r in zip(order, right)])
    return tuple(float(hit[:, :k].any(1).mean()) for k in (1, 5, 10))


def encode_with_tuwen(program, model, precision, sets, folder):
    def embed(option, lines):
        (folder / "list.txt").write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        subprocess.run([program, "embed", model, option, folder / "list.txt", "--out", folder / "out.npy", "--precision", precision,
                        "--quiet"], check=True)
        return np.load(folder / "out.npy")

    return embed("--images", sets.images), embed("--texts", sets.texts)


def encode_with_transformers(model, sets):
    import torch
    from PIL import Image
    from transformers import BertTokenizerFast, ChineseCLIPImageProcessor, ChineseCLIPModel

    clip, tokenizer = ChineseCLIPModel.from_pretrained(model).eval(), BertTokenizerFast.from_pretrained(model)
    processor = ChineseCLIPImageProcessor.from_pretrained(model)
    rows = {"image": [], "text": []}
    with torch.no_grad():
        for i in range(0, len(sets.images), 128):
            batch = [Image.open(path) for path in sets.images[i : i + 128]]
            rows["image"].append(clip.get_image_features(**processor(batch, return_tensors="pt")))
        for i in range(0, len(sets.texts), 128):
            rows["text"].append(clip.get_text_features(**tokenizer(sets.texts[i : i + 128], padding=True, return_tensors="pt")))
    return tuple(torch.nn.functional.normalize(torch.cat(rows[k]), dim=-1).numpy() for k in ("image", "text"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", type=Path, default=ROOT / "demo" / "model")
    parser.add_argument("--tuwen", type=Path, default=ROOT / "build" / "release" / "tuwen")
    parser.add_argument("--reference", action="store_true", help="score transformers as well")
    arguments = parser.parse_args()
    if not (arguments.model / "config.json").exists():
        sys.exit(f"eval_demo.py: {arguments.model}: expected a model directory, found no config.json")
    with tempfile.TemporaryDirectory() as folder:
        sets = Sets(Path(folder))
        rows = {p: sets.scores(*encode_with_tuwen(arguments.tuwen, arguments.model, p, sets, Path(folder)))
                for p in ("f32", "bf16", "int8")}
        if arguments.reference:
            rows["transformers"] = sets.scores(*encode_with_transformers(arguments.model, sets))
    rows["chance"] = sets.chance()
    print(f"{sets.count} names, {len(sets.phrases)} phrases, {PAIRS} pairs; per cent right among the first 1 / 5 / 10\n")
    print("| | " + " | ".join(rows["chance"]) + " |\n|---|" + "---|" * 3)
    for engine, found in rows.items():
        digits = 2 if engine == "chance" else 1
        print(f"| {engine} | " + " | ".join(" / ".join(f"{100 * v:.{digits}f}" for v in found[s]) for s in found) + " |")


if __name__ == "__main__":
    main()
