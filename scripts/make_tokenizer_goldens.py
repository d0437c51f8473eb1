#!/usr/bin/env python3
"""Writes tests/data/tokenizer: a vocabulary of the project's own and what the reference tokenizer makes of texts with it.

    python3 scripts/make_tokenizer_goldens.py             write
    python3 scripts/make_tokenizer_goldens.py --check     compute again, compare with what is committed, write nothing

Needs transformers 4.37.2 and tokenizers 0.15.2. goldens.json:

    texts        [[text, ids]...]
    details      requests with every field of the answer, see packed(): inputs, options, and the answer or "error": true
    decode       [[ids, skip special tokens, clean up, text]...]
    directories  other tokenizer files ("vocab.txt": null stands for the vocabulary beside it), with details and decode
    code_points  for each normalizer, CRC-32 of what blocks of 4096 code points become, see block_text()
"""
import argparse
import json
import pathlib
import random
import sys
import tempfile
import zlib

import tokenizers
import transformers
from tokenizers import normalizers, pre_tokenizers
from transformers import BertTokenizerFast

from check_tokenizer import random_options, reference, silence_stderr
from tokenizer_texts import RandomTexts, small_vocab, write_vocab

transformers.utils.logging.set_verbosity_error()
DESTINATION = pathlib.Path(__file__).resolve().parent.parent / "tests" / "data" / "tokenizer"
TEXTS, DETAILS, DECODED = 2700, 90, 120

ADDED = {
    "1000": {"content": "[TOK]", "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True},
    "99": {"content": "Ωmega", "single_word": False, "lstrip": False, "rstrip": True, "normalized": True, "special": False},
    "702": {"content": "你好", "single_word": False, "lstrip": True, "rstrip": False, "normalized": True, "special": False},
    "703": {"content": "word", "single_word": True, "lstrip": False, "rstrip": False, "normalized": False, "special": False},
    "704": {"content": " ab", "single_word": False, "lstrip": False, "rstrip": True, "normalized": False, "special": False},
}


def directories():
    """Name, files, and how tokenizer.json is changed after the reference saved it; None: there is no tokenizer.json."""
    config = lambda **keys: {"tokenizer_config.json": json.dumps(keys, ensure_ascii=False)}
    legacy = {"special_tokens_map.json": json.dumps({
        "cls_token": "[CLS]", "sep_token": {"content": "[SEP]", "lstrip": True, "rstrip": False, "normalized": False, "single_word": False},
        "additional_special_tokens": ["<c>", {"content": "<d>", "lstrip": True, "rstrip": False, "normalized": True, "single_word": False}]}),
        "added_tokens.json": json.dumps({"<c>": 700, "newword": 701, "ÀB": 702}, ensure_ascii=False)}
    yield "cased", config(do_lower_case=False, model_max_length=20), None
    yield "cased, stripped, no spacing", config(do_lower_case=False, strip_accents=True, tokenize_chinese_chars=False,
                                                model_max_length=int(1e30), truncation_side="left", padding_side="left"), None
    yield "added tokens", config(added_tokens_decoder=ADDED, additional_special_tokens=["[TOK]", "[unused1]"], mask_token="<mask>"), None
    # One token strips white space behind it that another one begins with.
    overlapping = {"900": {**ADDED["99"], "content": "tok", "normalized": False}, "901": {**ADDED["704"], "content": " ab"},
                   "902": {**ADDED["702"], "content": "  x", "normalized": False}}
    yield "overlapping added tokens", config(added_tokens_decoder=overlapping), None
    yield "legacy added tokens", {**legacy, **config(strip_accents=False)}, None
    yield "saved", config(added_tokens_decoder=ADDED), {"normalizer": {"clean_text": False, "lowercase": False},
                                                        "model": {"max_input_chars_per_word": 5}, "decoder": {"cleanup": False}}
    yield "saved, sides", {}, {"truncation": {"direction": "Left", "max_length": 9, "strategy": "LongestFirst", "stride": 0},
                               "padding": {"strategy": "BatchLongest", "direction": "Left", "pad_to_multiple_of": None, "pad_id": 0,
                                           "pad_type_id": 0, "pad_token": "[PAD]"}}


def packed(answer):
    """Masks as digits (- for -1) and offsets without inner brackets."""
    digits = lambda rows: ["".join("-" if v < 0 else str(v) for v in row) for row in rows]
    masks = {key: digits(answer[key]) for key in ("type_ids", "attention_mask", "special_tokens_mask", "sequence_ids")}
    return {**answer, **masks, "offsets": [[v for pair in row for v in pair] for row in answer["offsets"]]}


def details(tokenizer, texts, count, words=()):
    """Random requests; before them one with each of the words, alone and between others."""
    rng, out = texts.rng, []
    if words:
        inputs = [[f] for w in words for f in (w, f"a  {w}   {rng.choice(words)}b")]
        out.append({"inputs": inputs, "options": {}, **packed(reference(tokenizer, inputs, {}))})

    def one(split):
        if split:
            return [texts.text(1) for _ in range(rng.randint(0, 4))]
        return "".join(texts.text(2) + (rng.choice(words) if words and rng.random() < 0.6 else "") for _ in range(rng.randint(1, 2)))

    while len(out) < count:
        split = rng.random() < 0.2
        inputs = [[one(split)] if rng.random() < 0.5 else [one(split), one(split)] for _ in range(rng.randint(1, 3))]
        case = {"inputs": inputs, "options": random_options(rng)}
        try:
            answer = reference(tokenizer, inputs, case["options"])
            if sum(map(len, answer["ids"])) > 120:
                continue
            case.update(packed(answer))
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException:  # the binding's panics are no Exceptions
            case["error"] = True
        out.append(case)
    return out


def mark_runs(tokenizer, texts):
    """Runs of marks, where canonical order shows in ids and offsets."""
    inputs = [[t] for t in dict.fromkeys(texts._surviving() for _ in range(60)) if len(t) < 10]
    return {"inputs": inputs, "options": {}, **packed(reference(tokenizer, inputs, {}))}


def decoded(tokenizer, texts, count):
    rng, out = texts.rng, []
    ends = [tokenizer.convert_tokens_to_ids(t) for t in [".", ",", "!", "?", "'", "##t", "m", "s", "do", "not", "the"]]
    for _ in range(count):
        kind = rng.randrange(3)
        ids = (rng.choices(range(len(tokenizer) + 5), k=rng.randint(0, 8)) if kind == 0 else rng.choices(ends, k=8) if kind == 1
               else tokenizer(texts.text(4))["input_ids"])
        skip, clean_up = rng.random() < 0.5, rng.choice([True, False, None])
        out.append([ids, skip, clean_up, tokenizer.decode(ids, skip_special_tokens=skip, clean_up_tokenization_spaces=clean_up)])
    return out


def block_text(normalize, pre_tokenize, first):
    """Each code point c of a block in "a, acute, c, grave below, b, c": normalised, then its words, each ended by a line feed."""
    lines = []
    for c in range(first, first + 4096):
        if not 0xD800 <= c < 0xE000:
            lines += [w + "\n" for w, _ in pre_tokenize(normalize(f"a\u0301{chr(c)}\u0316b{chr(c)}"))]
    return "".join(lines)


def code_points():
    out = {}
    for clean in (True, False):
        for cjk in (True, False):
            for strip in (True, False):
                for lower in (True, False):
                    steps = dict(clean_text=clean, handle_chinese_chars=cjk, strip_accents=strip, lowercase=lower)
                    if sum(steps.values()) in (2, 3) and steps != dict(steps, clean_text=True, handle_chinese_chars=True):
                        continue  # each step alone, all, none, and the configurable two with the usual others
                    normalize = normalizers.BertNormalizer(**steps).normalize_str
                    pre_tokenize = pre_tokenizers.BertPreTokenizer().pre_tokenize_str
                    name = "".join(str(int(v)) for v in steps.values())
                    out[name] = [zlib.crc32(block_text(normalize, pre_tokenize, first).encode()) for first in range(0, 0x110000, 4096)]
    return out


def make(directory):
    rng = random.Random(20240212)
    tokens = small_vocab()
    write_vocab(tokens, directory / "vocab.txt")
    texts = RandomTexts(rng, tokens)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        write_vocab(tokens, folder / "vocab.txt")
        tokenizer = BertTokenizerFast.from_pretrained(folder)
        plain = list(dict.fromkeys(texts.text(3) for _ in range(TEXTS)))
        goldens = {"versions": {"tokenizers": tokenizers.__version__, "transformers": transformers.__version__},
                   "texts": [[t, ids] for t, ids in zip(plain, tokenizer(plain)["input_ids"])],
                   "details": details(tokenizer, texts, DETAILS) + [mark_runs(tokenizer, texts)], "decode": decoded(tokenizer, texts, DECODED), "directories": []}
    for name, files, changes in directories():
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            write_vocab(tokens, folder / "vocab.txt")
            for file, content in files.items():
                (folder / file).write_text(content)
            files = {"vocab.txt": None, **files}
            if changes is not None:
                saved = json.loads(BertTokenizerFast.from_pretrained(folder)._tokenizer.to_str())
                for key, value in changes.items():
                    saved[key] = {**(saved[key] or {}), **value}
                files["tokenizer.json"] = json.dumps(saved, ensure_ascii=False, separators=(",", ":"))
                (folder / "tokenizer.json").write_text(files["tokenizer.json"])
                del files["vocab.txt"]
                (folder / "vocab.txt").unlink()
            tokenizer = BertTokenizerFast.from_pretrained(folder)
            words = [rng.choice(["", " "]) + f(w) for w in tokenizer.get_added_vocab() for f in (str, str.lower, str.upper)]
            goldens["directories"].append({
                "name": name, "files": files, "added": tokenizer.get_added_vocab(), "special_ids": tokenizer.all_special_ids,
                "details": details(tokenizer, texts, 16, words), "decode": decoded(tokenizer, texts, 15)})
    goldens["code_points"] = code_points()

    parts = []
    for key, value in goldens.items():  # one line an entry, so that a change shows as one
        if isinstance(value, list):
            parts.append(f"{json.dumps(key)}:[\n" + ",\n".join(json.dumps(v, ensure_ascii=True, separators=(",", ":")) for v in value) + "]")
        else:
            parts.append(f"{json.dumps(key)}:" + json.dumps(value, separators=(",", ":")))
    (directory / "goldens.json").write_text("{" + ",\n".join(parts) + "}\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    for module, version in ((tokenizers, "0.15.2"), (transformers, "4.37.2")):
        if module.__version__ != version:
            sys.exit(f"{module.__name__} {version} is the reference, found {module.__version__}")
    silence_stderr()
    if not arguments.check:
        DESTINATION.mkdir(parents=True, exist_ok=True)
        make(DESTINATION)
        return
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        make(folder)
        differing = [p.name for p in sorted(folder.iterdir()) if not (DESTINATION / p.name).is_file()
                     or p.read_bytes() != (DESTINATION / p.name).read_bytes()]
        for name in differing:
            print(f"{DESTINATION / name} differs from what the reference gives")
        sys.exit(1 if differing else 0)


if __name__ == "__main__":
    main()
