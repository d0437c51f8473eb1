#!/usr/bin/env python3
"""Trains the demo model and writes it to demo/model/.

    scripts/train_demo.py [--state DIR] [--steps0 N --steps1 N --steps2 N] [--threads N] [--arithmetic bf16|f32]

Needs PyTorch, transformers 4.37.2, Pillow, and Debian's fonts-noto-color-emoji and unicode-cldr-core. Can be stopped at any
moment; started again with the same --state it goes on from the last minute and a half. Set MALLOC_TOP_PAD_=200000000,
MALLOC_TRIM_THRESHOLD_=8000000000 and MALLOC_MMAP_THRESHOLD_=4000000000 for a third more speed.

Stage 0 teaches the image tower to tell the emoji apart (it stands for the pretrained tower of the paper). Stage 1 trains the
text tower against the frozen image tower, stage 2 both (Yang et al. 2022, arXiv:2211.01335, section 3). Each logs to
STATE/stageN.jsonl; every draw depends on SEED and the step's number alone.
"""
import argparse
from pathlib import Path

import torch
import torch.nn.functional as F

import demo_model
from demo_data import keyword_split, load_emoji, pair_is_held_out
from demo_scenes import SceneMaker, picture, preprocess
from demo_texts import Texts, vocabulary
from demo_trainer import Trainer

ROOT = Path(__file__).resolve().parent.parent
SEED = 1
WATCH_SEED = 10**6  # of the pictures that the log's scores are on; eval_demo.py uses others
SCENES_OF_ONE = 24  # pictures of each emoji that stage 1 draws from
SCENES_OF_TWO = 16384
PATCHES_AT_FIRST = 15  # of 25 that stage 0 looks at, drawn anew for each picture (Li et al. 2022, arXiv:2212.00794) ...
PROGRESS_OF_ALL_PATCHES = 0.6  # ... up to this share of its steps


def seeded(*numbers):
    seed = SEED
    for number in numbers:
        seed = seed * 1_000_003 + number
    return torch.Generator().manual_seed(seed % 2**63)


def draw_scenes(count, classes, pair_share, generator, neighbours=False):
    """first [count], second [count] (-1: none). With neighbours, half of them are runs of eight emoji that CLDR has side by side,
    which are alike."""
    first = torch.randint(classes, (count,), generator=generator)
    if neighbours:
        runs = torch.randint(classes, (count // 16, 1), generator=generator) + torch.arange(8)
        first[: runs.numel()] = runs.flatten() % classes
    second = torch.randint(classes, (count,), generator=generator)
    pair = (torch.rand(count, generator=generator) < pair_share) & ~pair_is_held_out(first, second) & (first != second)
    return first, torch.where(pair, second, -1)


class Training:
    def __init__(self, arguments):
        self.arguments, self.state = arguments, arguments.state
        self.dtype = torch.bfloat16 if arguments.arithmetic == "bf16" else torch.float32
        self.state.mkdir(parents=True, exist_ok=True)
        self.emoji, self.glyphs = load_emoji()
        keywords, _ = keyword_split(self.emoji)
        self.maker = SceneMaker(self.glyphs, SEED)
        self.texts = Texts(self.emoji, keywords)
        self.tokenizer = demo_model.write_tokenizer(arguments.out, vocabulary(self.emoji, keywords))
        torch.manual_seed(SEED)
        self.clip = demo_model.build(len(self.tokenizer))
        self.watched = self._cached("watched.pt", lambda: preprocess(
            [picture([g], WATCH_SEED + i) for i, g in enumerate(self.glyphs)])).to(self.dtype)

    def _cached(self, name, make):
        path = self.state / name
        if not path.exists():
            torch.save(make(), path.with_suffix(".partial"))
            path.with_suffix(".partial").replace(path)
        return torch.load(path)

    def tokens(self, texts):
        found = self.tokenizer(texts, padding=True, truncation=True, max_length=demo_model.TEXT_LENGTH, return_tensors="pt")
        return found["input_ids"], found["attention_mask"]

    def scores(self, logits_of):
        """Top-1 and top-5 of the emoji's number over the watched pictures."""
        n = len(self.emoji)
        found = torch.cat([logits_of(self.watched[i : i + 256]).topk(5).indices for i in range(0, n, 256)])
        hit = found == torch.arange(n)[:, None]
        return {"top1": round(hit[:, 0].float().mean().item(), 4), "top5": round(hit.any(1).float().mean().item(), 4)}

    def name_features(self, clip):
        names = [e.name for e in self.emoji]
        return torch.cat([demo_model.text_features(clip, *self.tokens(names[i : i + 512])) for i in range(0, len(names), 512)])

    def named(self, clip):
        names = self.name_features(clip)
        return self.scores(lambda pixels: demo_model.image_features(clip, pixels) @ names.t())

    def start(self, classifier):
        """What is known before the first step: the statistics of patches, and a linear discriminant of some pictures a class."""
        views, classes = 6, len(self.emoji)
        generator = seeded(4)
        demo_model.start_patches(self.clip, self.maker.scenes(*draw_scenes(512, classes, 0.2, generator), 1.0, generator))
        rows = []
        with torch.no_grad():
            for some in torch.arange(classes).repeat(views).split(256):
                rows.append(classifier.pooled(self.maker.scenes(some, torch.full_like(some, -1), 0.2, generator)))
        classifier.start_as_discriminant(torch.cat(rows).view(views, classes, -1))

    def stage0(self):
        classes = len(self.emoji)
        classifier = demo_model.Classifier(self.clip, classes)
        trainer = Trainer(0, classifier, {"": 1.4e-3, "classes": 4e-3}, self.arguments.steps0, self.state, self.dtype, warmup=50,
                          start=lambda: self.start(classifier))

        def loss_of(module, step, progress):
            generator = seeded(0, step)
            first, second = draw_scenes(128, classes, 0.0 if progress < 0.4 else 0.2, generator)
            pixels = self.maker.scenes(first, second, min(1, 0.2 + 1.6 * progress), generator).to(self.dtype)
            kept = None
            if progress < PROGRESS_OF_ALL_PATCHES:
                kept = torch.rand(128, demo_model.PATCHES, generator=generator).argsort(1)[:, :PATCHES_AT_FIRST]
            logp = F.log_softmax(module(pixels, kept), -1)
            one = logp.gather(1, first[:, None])[:, 0]
            two = logp.gather(1, second.clamp(min=0)[:, None])[:, 0]
            aim = torch.where(second >= 0, (one + two) / 2, one)
            return -0.95 * aim.mean() - 0.05 * logp.mean()

        trainer.run(loss_of, lambda module: self.scores(module))

    def frozen_features(self):
        """What stage 1 learns from: (features, first, second) of scenes, by the image tower as stage 0 left it."""
        classes = len(self.emoji)
        generator = seeded(1)
        one = torch.arange(classes).repeat(SCENES_OF_ONE)
        first, second = draw_scenes(SCENES_OF_TWO, classes, 1.0, generator)
        first, second = torch.cat([one, first]), torch.cat([torch.full_like(one, -1), second])
        frozen, rows = demo_model.build(len(self.tokenizer)).to(self.dtype), []
        frozen.load_state_dict(self.clip.state_dict())
        with torch.no_grad():
            for i in range(0, len(first), 256):
                pixels = self.maker.scenes(first[i : i + 256], second[i : i + 256], 1.0, generator)
                rows.append(demo_model.image_features(frozen, pixels.to(self.dtype)))
        return torch.cat(rows), first, second

    def stage1(self):
        features, firsts, seconds = self._cached("features.pt", self.frozen_features)
        singles = len(self.emoji) * SCENES_OF_ONE
        rates = {"text_model": 1e-3, "text_projection": 1e-3, "logit_scale": 1e-3}
        trainer = Trainer(1, self.clip, rates, self.arguments.steps1, self.state, self.dtype, warmup=100)

        def loss_of(clip, step, progress):
            generator = seeded(2, step)
            drawn, _ = draw_scenes(384, len(self.emoji), 0.0, generator, neighbours=True)
            drawn = drawn + len(self.emoji) * torch.randint(SCENES_OF_ONE, (384,), generator=generator)
            pairs = singles + torch.randint(len(firsts) - singles, (128,), generator=generator)
            drawn = torch.cat([drawn, pairs])
            first, second = firsts[drawn], seconds[drawn]
            texts, concepts = self.texts.draw(first, second, step)
            logits = features[drawn] @ demo_model.text_features(clip, *self.tokens(texts)).t() * clip.logit_scale.float().exp()
            return demo_model.contrastive_loss(logits, self.texts.truth(first, second, concepts))

        trainer.run(loss_of, self.named)

    def stage2(self):
        rates = {"": 3e-4, "vision_model": 2e-4, "visual_projection": 2e-4}
        trainer = Trainer(2, self.clip, rates, self.arguments.steps2, self.state, self.dtype, warmup=50)

        def loss_of(clip, step, progress):
            generator = seeded(3, step)
            first, second = draw_scenes(256, len(self.emoji), 0.25, generator, neighbours=True)
            texts, concepts = self.texts.draw(first, second, 10**6 + step)
            images = demo_model.image_features(clip, self.maker.scenes(first, second, 1.0, generator).to(self.dtype))
            logits = images @ demo_model.text_features(clip, *self.tokens(texts)).t() * clip.logit_scale.float().exp()
            return demo_model.contrastive_loss(logits, self.texts.truth(first, second, concepts))

        trainer.run(loss_of, self.named, log_every=25, evaluate_every=250)


def quick_bf16():
    try:
        return "avx512_bf16" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--state", type=Path, default=ROOT / "build" / "demo-state", help="where checkpoints and logs go")
    parser.add_argument("--out", type=Path, default=ROOT / "demo" / "model", help="the model directory to write")
    parser.add_argument("--steps0", type=int, default=2950)
    parser.add_argument("--steps1", type=int, default=400)
    parser.add_argument("--steps2", type=int, default=150)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--arithmetic", choices=("bf16", "f32"), default="bf16" if quick_bf16() else "f32",
                        help="default: bf16 where the CPU multiplies it, else f32")
    parser.add_argument("--until", type=int, choices=(0, 1, 2), default=2, help="the last stage to run")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    training = Training(arguments)
    for stage in (training.stage0, training.stage1, training.stage2)[: arguments.until + 1]:
        stage()
    demo_model.write_model(arguments.out, training.clip)


if __name__ == "__main__":
    main()
