#!/usr/bin/env python3
"""Draws demo/pictures/: scenes of Noto Color Emoji by the renderer of the held-out pictures, with seeds used nowhere else.

    scripts/draw_demo_pictures.py        Needs what scripts/train_demo.py needs.
"""
from pathlib import Path

from demo_data import load_emoji
from demo_scenes import picture

OUT = Path(__file__).resolve().parent.parent / "demo" / "pictures"
SEED = 4_000_000
PICTURES = {"apple": "🍎", "cat": "🐱", "taxi": "🚕", "umbrella": "☔", "dog-and-pizza": "🐶🍕"}


def main():
    emoji, glyphs = load_emoji()
    number = {one.text: i for i, one in enumerate(emoji)}
    OUT.mkdir(parents=True, exist_ok=True)
    for offset, (name, parts) in enumerate(PICTURES.items()):
        image = picture([glyphs[number[part]] for part in parts], SEED + offset)
        image.save(OUT / f"{name}.png", optimize=True)
        print(f"{name}.png: " + ", ".join(emoji[number[part]].name for part in parts))


if __name__ == "__main__":
    main()
