#!/usr/bin/env python3
"""Holds `tuwen features`, `retrieve`, `recall` and `classify` against the scripts of Chinese-CLIP's own repository, on the demo model.

    scripts/check_evaluation.py ORIGINAL [--tuwen PATH] [--classes N] [--keep DIR]

ORIGINAL is a checkout of OFA-Sys/Chinese-CLIP, of which build_lmdb_dataset.py, extract_features.py, make_topk_predictions.py and
_tr.py, transform_ir_annotation_to_tr.py, evaluation.py and _tr.py, and zeroshot_evaluation.py run as they are, on the CPU. Their
model is replaced: by ChineseCLIPModel of transformers with the demo's weights and the demo's vocabulary; everything else is theirs.
The pictures and texts are the held-out ones of eval_demo.py. Both sides write features; predictions and recall are made by both from
tuwen's features, and by the original from its own as well.

Needs torch, torchvision, transformers 4.37.2, lmdb, six and tqdm, and what eval_demo.py needs.
Exit status 0: the same features and probabilities to 1e-5, the same figures, and the same files, up to the order of equal scores.
"""
import argparse
import base64
import contextlib
import json
import runpy
import shutil
import subprocess
import sys
import tempfile
import types
from pathlib import Path

import numpy as np
import torch
from transformers import ChineseCLIPModel

from demo_texts import SCORED_TEMPLATES
from eval_demo import ROOT, Sets

MODEL = ROOT / "demo" / "model"
SIDE = json.loads((MODEL / "config.json").read_text())["vision_config"]["image_size"]
LIMIT = 1e-5


class Model(torch.nn.Module):
    """In the place of the original's CLIP."""

    def __init__(self, **_):
        super().__init__()
        self.clip = ChineseCLIPModel.from_pretrained(MODEL, torch_dtype=torch.float32)
        self.visual = torch.nn.ModuleList([self.clip.vision_model, self.clip.visual_projection])

    def forward(self, images, texts):
        if images is not None:
            return self.clip.get_image_features(images)
        return self.clip.get_text_features(texts, attention_mask=(texts != 0).long())

    def load_state_dict(self, *_):
        pass


def replace_devices_and_model(original):
    sys.path.insert(0, str(original))
    to = torch.Tensor.to
    torch.Tensor.cuda = torch.nn.Module.cuda = lambda self, *_, **__: self
    torch.Tensor.to = lambda self, *a, **k: self if a == (0,) else to(self, *a, **k)
    torch.cuda.set_device = lambda _: None
    torch.load = lambda *_, **__: {"epoch": 0, "step": 0, "state_dict": {"": None}}
    # What else the original's training needs is not needed here.
    sys.modules["cn_clip.training.main"] = types.SimpleNamespace(convert_models_to_fp32=lambda _: None)
    import cn_clip.clip.model
    import cn_clip.clip.utils
    import cn_clip.eval.data

    cn_clip.clip.model.CLIP, cn_clip.clip.model.convert_weights = Model, lambda _: None
    cn_clip.clip.utils._tokenizer = cn_clip.clip.bert_tokenizer.FullTokenizer(str(MODEL / "vocab.txt"))
    transform = cn_clip.clip.utils.image_transform
    cn_clip.clip.utils.image_transform = lambda _: transform(SIDE)
    cn_clip.eval.data.fetch_resolution = lambda _: SIDE


class Work:
    """A folder in which both sides work; t.NAME is tuwen's, o.NAME the original's, own.NAME the original's from its own features."""

    def __init__(self, folder, tuwen, original):
        self.folder, self.program, self.scripts, self.failed = folder, tuwen, original / "cn_clip", False

    def path(self, name):
        return str(self.folder / name)

    def tuwen(self, *arguments):
        return subprocess.run([self.program, *arguments], check=True, capture_output=True, text=True).stdout

    def original(self, script, *arguments):
        sys.argv = [script, *map(str, arguments)]
        with open(self.path("log"), "a") as log, contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
            runpy.run_path(str(self.scripts / script), run_name="__main__")

    def report(self, what, same, found=""):
        self.failed |= not same
        print(f"{what:58} {'same' if same else 'DIFFERENT'}{found and ': '}{found}", flush=True)

    def bytes(self, name):
        return (self.folder / name).read_bytes()

    def lines(self, name):
        return [json.loads(line) for line in self.bytes(name).splitlines()]


def write_data(work, sets):
    """test_imgs.tsv and test_texts.jsonl: names, held-out phrases (up to five pictures each) and pairs."""
    with open(work.path("test_imgs.tsv"), "w") as file:
        for i, image in enumerate(sets.images):
            file.write(f"{1000 + i}\t{base64.urlsafe_b64encode(Path(image).read_bytes()).decode()}\n")
    names = [(SCORED_TEMPLATES[1].format(name), [i]) for i, name in enumerate(sets.name_texts[: sets.count])]
    pairs = [(text, [sets.count + i]) for i, text in enumerate(sets.pair_texts)]
    with open(work.path("test_texts.jsonl"), "w", encoding="utf-8") as file:
        for i, (text, images) in enumerate(names + list(zip(sets.phrases, sets.right)) + pairs):
            row = {"text_id": i, "text": text, "image_ids": [1000 + int(image) for image in images]}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def check_features(work):
    work.original("preprocess/build_lmdb_dataset.py", "--data_dir", work.folder, "--splits", "test")
    lmdb, texts = work.path("lmdb/test/imgs"), work.path("test_texts.jsonl")
    work.tuwen("features", MODEL, "--lmdb", lmdb, "--quiet", "--out", work.path("t.img_feat.jsonl"))
    work.tuwen("features", MODEL, "--texts", texts, "--quiet", "--out", work.path("t.txt_feat.jsonl"))
    work.original("eval/extract_features.py", "--extract-image-feats", "--extract-text-feats", "--image-data", lmdb, "--text-data", texts,
                  "--image-feat-output-path", work.path("o.img_feat.jsonl"), "--text-feat-output-path", work.path("o.txt_feat.jsonl"),
                  "--precision", "fp32", "--resume", MODEL)
    for name, key in (("img_feat.jsonl", "image_id"), ("txt_feat.jsonl", "text_id")):
        ours, theirs = work.lines("t." + name), work.lines("o." + name)
        far = np.abs(np.array([r["feature"] for r in ours]) - np.array([r["feature"] for r in theirs])).max()
        work.report(name, [r[key] for r in ours] == [r[key] for r in theirs] and far <= LIMIT, f"{len(ours)} rows, {far:.1e} apart")


def retrieve_with_original(work, features_of, out):
    feats = ["--image-feats", work.path(features_of + ".img_feat.jsonl"), "--text-feats", work.path(features_of + ".txt_feat.jsonl")]
    texts, turned = work.path("test_texts.jsonl"), work.path("test_texts.tr.jsonl")
    work.original("eval/make_topk_predictions.py", *feats, "--output", work.path(out + ".t2i.jsonl"))
    work.original("eval/make_topk_predictions_tr.py", *feats, "--output", work.path(out + ".i2t.jsonl"))
    work.original("eval/transform_ir_annotation_to_tr.py", "--input", texts)
    work.original("eval/evaluation.py", texts, work.path(out + ".t2i.jsonl"), work.path(out + ".t2i.json"))
    work.original("eval/evaluation_tr.py", turned, work.path(out + ".i2t.jsonl"), work.path(out + ".i2t.json"))


def check_retrieval(work):
    feats = ["--image-feats", work.path("t.img_feat.jsonl"), "--text-feats", work.path("t.txt_feat.jsonl"), "--quiet"]
    work.tuwen("retrieve", *feats, "--out", work.path("t.t2i.jsonl"))
    work.tuwen("retrieve", *feats, "--of", "images", "--out", work.path("t.i2t.jsonl"))
    work.tuwen("recall", "--reference", work.path("test_texts.jsonl"), "--write-inverted", work.path("t.tr.jsonl"),
               "--text-to-image", work.path("t.t2i.jsonl"), "--out", work.path("t.t2i.json"),
               "--image-to-text", work.path("t.i2t.jsonl"), "--out-tr", work.path("t.i2t.json"))
    retrieve_with_original(work, "t", "o")
    retrieve_with_original(work, "o", "own")
    check_predictions(work, "t2i.jsonl", "text_id", "image_ids", "txt", "img")
    check_predictions(work, "i2t.jsonl", "image_id", "text_ids", "img", "txt")
    work.report("tr.jsonl", work.bytes("t.tr.jsonl") == work.bytes("test_texts.tr.jsonl"), f"{len(work.bytes('t.tr.jsonl'))} bytes")
    for name in ("t2i.json", "i2t.json"):
        result = work.bytes("t." + name)
        work.report(name, result == work.bytes("o." + name), "R@1, 5, 10 = " + figures(result))
        work.report(name + ", the original on its own features", result == work.bytes("own." + name), figures(work.bytes("own." + name)))


def figures(result):
    scores = json.loads(result)["scoreJson"]
    return ", ".join(f"{scores[k]:.2f}" for k in ("r1", "r5", "r10"))


def check_predictions(work, name, query_key, found_key, query_feats, found_feats):
    """Lines that differ must have the same scores."""
    queries = {r[query_key]: np.array(r["feature"], np.float32) for r in work.lines(f"t.{query_feats}_feat.jsonl")}
    rows = {r[found_key[:-1]]: np.array(r["feature"], np.float32) for r in work.lines(f"t.{found_feats}_feat.jsonl")}
    ours, theirs, other, far = work.bytes("t." + name).splitlines(), work.bytes("o." + name).splitlines(), 0, 0.0
    for pair in zip(ours, theirs, strict=True):
        if pair[0] != pair[1]:
            lines = [json.loads(line) for line in pair]
            scores = [np.array([rows[i] @ queries[line[query_key]] for i in line[found_key]]) for line in lines]
            other, far = other + 1, max(far, float(np.abs(scores[0] - scores[1]).max()))
    work.report(name, far <= 1e-6, f"{len(ours)} lines, {other} in another order of scores {far:.0e} apart")


def check_zeroshot(work, sets, classes):
    from cn_clip.eval.cvinw_zeroshot_templates import openai_templates as templates
    from cn_clip.eval.zeroshot_evaluation import accuracy

    names = sets.name_texts[: sets.count]  # of SCORED_TEMPLATES the first is the name alone
    chosen = np.linspace(0, sets.count - 1, classes).astype(int)
    for number, i in enumerate(chosen):
        folder = work.folder / "classes" / f"{number:04}"
        folder.mkdir(parents=True)
        shutil.copy(sets.images[i], folder / "a.png")
    (work.folder / "labels.txt").write_text("".join(names[i] + "\n" for i in chosen), encoding="utf-8")
    (work.folder / "templates.txt").write_text("".join(t("{}") + "\n" for t in templates), encoding="utf-8")
    answer = json.loads(work.tuwen(
        "classify", MODEL, "--folders", work.path("classes"), "--labels", work.path("labels.txt"), "--templates", work.path("templates.txt"),
        "--predictions", work.path("t.emoji.json"), "--dataset", "emoji", "--model-name", "CN-CLIP-ViT-B-16", "--json", "--quiet"))
    work.original("eval/zeroshot_evaluation.py", "--datapath", work.path("classes"), "--label-file", work.path("labels.txt"), "--dataset",
                  "emoji", "--save-dir", work.folder, "--num-workers", 0, "--precision", "fp32", "--resume", MODEL)
    shutil.move(work.path("emoji.json"), work.path("o.emoji.json"))
    ours, theirs = (json.loads(work.bytes(f"{side}.emoji.json")) for side in "to")
    tables = [np.array(r.pop("predictions")[0]) for r in (ours, theirs)]
    far = np.abs(tables[0] - tables[1]).max()
    work.report("predictions of zeroshot_evaluation.py", ours == theirs and far <= LIMIT,
                f"{classes} classes, {len(templates)} templates, {(tables[0] == tables[1]).mean():.3%} of the numbers equal, others "
                f"{far:.0e} apart")
    right = accuracy(torch.tensor(tables[1]), torch.arange(classes), topk=(1, 5))
    printed = float(work.bytes("log").decode().rpartition("zeroshot-top1: ")[2].split()[0])
    work.report("top-1, top-5", np.allclose([answer["top1"], answer["top5"], answer["top1"]],
                                            [100 * right[0] / classes, 100 * right[1] / classes, 100 * printed], rtol=0, atol=1e-9),
                f"{answer['top1']:.2f}, {answer['top5']:.2f} %")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("original", type=Path, metavar="ORIGINAL")
    parser.add_argument("--tuwen", type=Path, default=ROOT / "build" / "release" / "tuwen")
    parser.add_argument("--classes", type=int, default=250, help="of zero-shot classification (default: 250)")
    parser.add_argument("--keep", type=Path, help="a new folder for all files")
    arguments = parser.parse_args()
    replace_devices_and_model(arguments.original.resolve())
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.keep or Path(scratch) / "work"
        (folder / "drawn").mkdir(parents=True)
        work, sets = Work(folder.resolve(), arguments.tuwen.resolve(), arguments.original.resolve()), Sets(folder / "drawn")
        write_data(work, sets)
        check_features(work)
        check_retrieval(work)
        check_zeroshot(work, sets, arguments.classes)
    return 1 if work.failed else 0


if __name__ == "__main__":
    sys.exit(main())
