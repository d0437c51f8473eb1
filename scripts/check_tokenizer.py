#!/usr/bin/env python3
"""Compares our tokenizer with the reference: every code point, random texts, random options, bytes that are no text, decoding.

Needs transformers 4.37.2 and tokenizers 0.15.2, and the program tests/tokenizer_probe of a build.
    python3 scripts/check_tokenizer.py --probe build/tests/tokenizer_probe --vocab DIR/vocab.txt --record docs/tokenizer-parity.md
Without --vocab only the project's own small vocabulary is used. --quick checks a hundredth of it all. Exit status 1 if anything differs.
"""
import argparse
import datetime
import json
import os
import pathlib
import platform
import random
import subprocess
import sys
import tempfile

import tokenizers
import transformers
from tokenizers.normalizers import BertNormalizer
from transformers import BertTokenizerFast

from tokenizer_texts import SPECIALS, RandomTexts, random_bytes, small_vocab, write_vocab

transformers.utils.logging.set_verbosity_error()
CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
SURROGATES = range(0xD800, 0xE000)


class Probe:
    """Our tokenizer on the files of a directory."""

    def __init__(self, program, directory):
        self.process = subprocess.Popen([program, str(directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, **request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        return json.loads(line) if line else {"error": "the program ended"}

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait()


def silence_stderr():
    """The binding's panics print there; they are expected where options cannot be met."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def hexed(text):
    if isinstance(text, (list, tuple)):
        return [hexed(t) for t in text]
    return (text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")).hex()


def reference(tokenizer, inputs, options):
    """What the reference makes of the same request, in the form of the probe's answer."""
    o = dict(options)
    o.pop("offset_unit", None)
    tokenizer._tokenizer.encode_special_tokens = o.pop("split_special_tokens", False)
    tokenizer.truncation_side = o.pop("truncation_side", tokenizer.init_kwargs.get("truncation_side", "right"))
    tokenizer.padding_side = o.pop("padding_side", tokenizer.init_kwargs.get("padding_side", "right"))
    truncation = o.pop("truncation", "automatic")
    keywords = dict(
        truncation={"automatic": None, "none": False}.get(truncation, truncation),
        padding={"none": False, None: False}.get(o.get("padding"), o.get("padding")),
        max_length=o.get("max_length"), stride=o.get("stride", 0), pad_to_multiple_of=o.get("pad_to_multiple_of") or None,
        add_special_tokens=o.get("add_special_tokens", True), return_overflowing_tokens=True, return_offsets_mapping=True,
        return_special_tokens_mask=True)
    split = isinstance(inputs[0][0], list)
    batch = [tuple(i) if len(i) == 2 else i[0] for i in inputs]
    strategies = tokenizer._get_padding_truncation_strategies(
        keywords.pop("padding"), keywords.pop("truncation"), keywords.pop("max_length"), keywords["pad_to_multiple_of"], verbose=False)
    try:
        out = tokenizer._batch_encode_plus(batch, is_split_into_words=split, padding_strategy=strategies[0],
                                           truncation_strategy=strategies[1], max_length=strategies[2], verbose=False, **keywords)
    finally:
        tokenizer._tokenizer.encode_special_tokens = False
    rows = range(len(out["input_ids"]))
    if not o.get("return_overflow"):
        texts = out["overflow_to_sample_mapping"]
        rows = [r for r in rows if r == 0 or texts[r] != texts[r - 1]]
    none = lambda values: [-1 if v is None else v for v in values]
    return {
        "ids": [out["input_ids"][r] for r in rows], "type_ids": [out["token_type_ids"][r] for r in rows],
        "attention_mask": [out["attention_mask"][r] for r in rows],
        "special_tokens_mask": [out["special_tokens_mask"][r] for r in rows],
        "offsets": [[list(p) for p in out["offset_mapping"][r]] for r in rows],
        "word_ids": [none(out.encodings[r].word_ids) for r in rows], "sequence_ids": [none(out.encodings[r].sequence_ids) for r in rows],
        "row_text": [out["overflow_to_sample_mapping"][r] for r in rows]}


class Differences:
    def __init__(self):
        self.count = 0

    def report(self, what, **details):
        self.count += 1
        if self.count <= 10:
            print("DIFFERS:", what, *(f"\n    {k} = {v!r}" for k, v in details.items()), flush=True)


def compare(found, probe, tokenizer, inputs, options, what):
    ours = probe(encode=[hexed(i) for i in inputs], options={**options, "return_offsets": True}, threads=options.get("threads", 1))
    try:
        theirs = reference(tokenizer, inputs, options)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as e:  # the binding's panics are no Exceptions
        if "error" not in ours:
            found.report(what, inputs=inputs, options=options, ours="no error", theirs=repr(e))
        return
    if ours == theirs:
        return
    if "error" in ours:
        found.report(what, inputs=inputs, options=options, ours=ours["error"], theirs="no error")
        return
    keys = [k for k in theirs if ours[k] != theirs[k]]
    row = next((r for r in range(len(theirs[keys[0]])) if r >= len(ours[keys[0]]) or ours[keys[0]][r] != theirs[keys[0]][r]), None)
    found.report(what, inputs=inputs[theirs["row_text"][row]] if row is not None else inputs, options=options, fields=keys,
                 ours=ours[keys[0]][row] if row is not None else ours[keys[0]],
                 theirs=theirs[keys[0]][row] if row is not None else theirs[keys[0]])


def random_options(rng):
    options = {}
    if rng.random() < 0.7:
        options["truncation"] = rng.choice(["automatic", "none", "longest_first", "longest_first", "only_first", "only_second"])
    if rng.random() < 0.7:
        options["max_length"] = rng.choice([0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 24, 52])
    if rng.random() < 0.3:
        options["stride"] = rng.randrange(6)
    options["return_overflow"] = rng.random() < 0.5
    if rng.random() < 0.5:
        options["padding"] = rng.choice(["none", "longest", "max_length"])
    if rng.random() < 0.2:
        options["pad_to_multiple_of"] = rng.choice([1, 2, 3, 4, 8])
    for key, values in {"truncation_side": ["left", "right"], "padding_side": ["left", "right"], "add_special_tokens": [False],
                        "split_special_tokens": [True]}.items():
        if rng.random() < 0.25:
            options[key] = rng.choice(values)
    return options


def check_code_points(found, probe, tokenizer, step):
    """Alone, and between other characters, where deletion, spacing, marks and alignment show."""
    chunk = 4096
    points = CODE_POINTS[::step]
    for at in range(0, len(points), chunk):
        for text_of in (chr, lambda c: f"a\u0301{chr(c)}\u0316b{chr(c)}"):
            inputs = [[text_of(c)] for c in points[at : at + chunk]]
            compare(found, probe, tokenizer, inputs, {}, "code points")
    return 2 * len(points)


def check_surrogates(found, probe, tokenizer):
    """The reference drops them; ours drops the bytes that would stand for them."""
    ours = probe(encode=[hexed([f"a{chr(c)}b"]) for c in SURROGATES])["ids"]
    for c, ids in zip(SURROGATES, ours):
        if ids != tokenizer(f"a{chr(c)}b")["input_ids"]:
            found.report("surrogate", code=hex(c), ours=ids)
    return len(SURROGATES)


def check_texts(found, probe, tokenizer, texts, count):
    for at in range(0, count, 500):
        inputs = [[texts.text()] for _ in range(min(500, count - at))]
        compare(found, probe, tokenizer, inputs, {"threads": texts.rng.choice([1, 2, 3])}, "random texts")
    return count


def check_options(found, probe, tokenizer, texts, count):
    rng = texts.rng
    for _ in range(count):
        split = rng.random() < 0.25
        one = lambda: [texts.text(1) for _ in range(rng.randint(0, 5))] if split else texts.text(rng.choice([1, 3, 12]))
        inputs = [[one()] if rng.random() < 0.5 else [one(), one()] for _ in range(rng.randint(1, 6))]
        compare(found, probe, tokenizer, inputs, random_options(rng), "random options")
    return count


def check_bytes(found, probe, tokenizer, texts, count):
    data = [random_bytes(texts.rng, texts.text(4)) for _ in range(count)]
    ours = probe(encode=[[d.hex()] for d in data], options={"return_offsets": True})
    theirs = reference(tokenizer, [[d.decode("utf-8", "replace")] for d in data], {})
    for i, d in enumerate(data):
        if any(ours[k][i] != theirs[k][i] for k in theirs):
            found.report("bytes", data=d, ours=ours["ids"][i], theirs=theirs["ids"][i])
    return count


def check_decoding(found, probe, tokenizer, texts, count):
    rng = texts.rng
    size = len(tokenizer)
    punctuated = [tokenizer.convert_tokens_to_ids(t) for t in [".", ",", "!", "?", "'", "n", "t", "##t", "m", "s", "ve", "re", "do", "not"]]
    rows = [rng.choices(range(size + 20), k=rng.randint(0, 12)) if rng.random() < 0.5 else
            rng.choices(punctuated, k=rng.randint(0, 12)) if rng.random() < 0.3 else tokenizer(texts.text())["input_ids"]
            for _ in range(count)]
    for skip in (False, True):
        for clean_up in (False, True):
            ours = probe(decode=rows, options={"skip_special_tokens": skip, "clean_up": clean_up})["texts"]
            theirs = tokenizer.batch_decode(rows, skip_special_tokens=skip, clean_up_tokenization_spaces=clean_up)
            for row, a, b in zip(rows, ours, theirs):
                if bytes.fromhex(a).decode() != b:
                    found.report("decode", ids=row, skip=skip, clean_up=clean_up, ours=bytes.fromhex(a).decode(), theirs=b)
    return 4 * count


def check_evaluation_text(found, probe, texts, count):
    """cn_clip/eval/data.py, _preprocess_text."""
    sigma = lambda: "".join(texts.rng.choices(["Σ", "Σ", "α", "A", "'", "\u0301", " ", "1", "中", "\u00ad", "ʰ", "ⅷ", "“"], k=6))
    data = [texts.text(4) + sigma() for _ in range(count)] + [f"a{chr(c)}Σ" for c in CODE_POINTS[:: max(1, len(CODE_POINTS) // (4 * count))]]
    ours = probe(evaluation_text=[hexed(t) for t in data])["texts"]
    for text, a in zip(data, ours):
        expected = text.lower().replace("“", '"').replace("”", '"')
        if bytes.fromhex(a).decode() != expected:
            found.report("evaluation text", text=text, ours=bytes.fromhex(a).decode(), theirs=expected)
    return len(data)


def write_config(directory, tokens, config):
    directory.mkdir(parents=True, exist_ok=True)
    write_vocab(tokens, directory / "vocab.txt")
    (directory / "tokenizer_config.json").write_text(json.dumps(config))


def random_added_token(rng, texts, normalized):
    content = rng.choice(["tok", "[TOK]", "Ωmega", "你好", "ab", " ab", "a", "É", "x y", "😀", "[MASK]", "word", "##x", "ß", "tok tok", "#",
                          texts.text(1)[:6], texts.text(1)[:3]])
    return {"content": content, "single_word": rng.random() < 0.3, "lstrip": rng.random() < 0.3, "rstrip": rng.random() < 0.3,
            "normalized": normalized and rng.random() < 0.6, "special": rng.random() < 0.4}


def random_directory(directory, rng, texts, tokens):
    """Files as users have them: a vocabulary with some configuration, or a saved tokenizer.json, with added tokens."""
    config = {}
    for key in ("do_lower_case", "tokenize_chinese_chars"):
        if rng.random() < 0.6:
            config[key] = rng.random() < 0.5
    if rng.random() < 0.6:
        config["strip_accents"] = rng.choice([True, False, None])
    for key in ("truncation_side", "padding_side"):
        if rng.random() < 0.3:
            config[key] = rng.choice(["left", "right"])
    if rng.random() < 0.3:
        config["model_max_length"] = rng.choice([8, 20, 512, int(1e30)])
    if rng.random() < 0.2:
        config["mask_token"] = rng.choice(["<mask>", "[unused1]", None])
    if rng.random() < 0.3:
        config["additional_special_tokens"] = rng.sample(["<a>", "[unused2]", "你好", "<b>"], 2)
    if rng.random() < 0.5:
        decoder, used = {}, set()
        for _ in range(rng.randint(1, 5)):
            token = random_added_token(rng, texts, True)
            # Ours refuses a token that normalisation leaves nothing of; with one the reference splits texts everywhere.
            if token["content"] not in used and "\ufffd" not in token["content"] and BertNormalizer().normalize_str(token["content"]):
                used.add(token["content"])
                decoder[str(rng.randrange(len(tokens) + 10))] = token
        config["added_tokens_decoder"] = decoder
    elif rng.random() < 0.4:
        (directory / "special_tokens_map.json").write_text(json.dumps({
            "cls_token": "[CLS]", "sep_token": {"content": "[SEP]", "lstrip": rng.random() < 0.5, "rstrip": False, "normalized": False,
                                                "single_word": rng.random() < 0.5},
            "additional_special_tokens": ["<c>", {"content": "<d>", "lstrip": True, "rstrip": False, "normalized": True, "single_word": False}]}))
        if rng.random() < 0.5:
            (directory / "added_tokens.json").write_text(json.dumps({"<c>": len(tokens), "newword": len(tokens) + 1, "ÀB": len(tokens) + 2}))
    write_config(directory, tokens, config)
    if rng.random() < 0.5:
        tokenizer = BertTokenizerFast.from_pretrained(directory)
        saved = json.loads(tokenizer._tokenizer.to_str())
        saved["normalizer"]["clean_text"] = rng.random() < 0.5
        saved["normalizer"]["lowercase"] = rng.random() < 0.5  # overruled by tokenizer_config.json
        saved["decoder"]["cleanup"] = rng.random() < 0.5
        saved["model"]["max_input_chars_per_word"] = rng.choice([0, 1, 5, 100, 200])
        if rng.random() < 0.3:
            ids = saved["model"]["vocab"]
            saved["post_processor"] = {"type": "BertProcessing", "sep": ["[SEP]", ids["[SEP]"]], "cls": ["[CLS]", ids["[CLS]"]]}
        if rng.random() < 0.3:
            saved["truncation"] = {"direction": "Left", "max_length": 9, "strategy": "LongestFirst", "stride": 0}
            saved["padding"] = {"strategy": "BatchLongest", "direction": "Left", "pad_to_multiple_of": None, "pad_id": 0, "pad_type_id": 0,
                                "pad_token": "[PAD]"}
        (directory / "tokenizer.json").write_text(json.dumps(saved))
        if rng.random() < 0.5:
            (directory / "vocab.txt").unlink()
        if rng.random() < 0.2:
            (directory / "tokenizer_config.json").unlink()


def check_directories(found, program, rng, texts, tokens, count, cases):
    done = 0
    for number in range(count):
        with tempfile.TemporaryDirectory() as folder:
            directory = pathlib.Path(folder) / "model"
            directory.mkdir()
            random_directory(directory, rng, texts, tokens)
            tokenizer = BertTokenizerFast.from_pretrained(directory)
            probe = Probe(program, directory)
            files = {p.name: p.read_text()[:1500] for p in directory.iterdir() if p.name not in ("vocab.txt", "tokenizer.json")}
            before = found.count
            info = probe(info=True)
            added = {hexed(k): v for k, v in tokenizer.get_added_vocab().items()}
            if "error" in info or (info["added"], info["size"], info["vocab_size"], info["special_ids"]) != (
                    added, len(tokenizer), tokenizer.vocab_size, tokenizer.all_special_ids):
                found.report("tokens of a directory", files=files, ours=info, added=added, special_ids=tokenizer.all_special_ids)
                probe.close()
                continue
            contents = list(tokenizer.get_added_vocab())
            original = texts.text
            texts.text = lambda longest=12: "".join(
                original(2) + (rng.choice(["", " ", "\u3000\t"]) + rng.choice([str, str.upper, str.lower])(rng.choice(contents))
                               + rng.choice(["", " ", "  "]) if rng.random() < 0.7 else "") for _ in range(rng.randint(0, longest) // 2))
            check_options(found, probe, tokenizer, texts, cases)
            check_decoding(found, probe, tokenizer, texts, cases)
            texts.text = original
            probe.close()
            done += 2 * cases
            if found.count > before:
                print("    files =", files, "tokenizer.json" if (directory / "tokenizer.json").exists() else "", f"(directory {number})")
    return done


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--probe", required=True, help="the program tokenizer_probe")
    parser.add_argument("--vocab", help="the published vocab.txt")
    parser.add_argument("--record", help="write the result to this file")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="run only checks whose name contains this")
    arguments = parser.parse_args()
    for module, version in ((tokenizers, "0.15.2"), (transformers, "4.37.2")):
        if module.__version__ != version:
            sys.exit(f"{module.__name__} {version} is the reference, found {module.__version__}")

    silence_stderr()

    vocabularies = {"small": small_vocab()}
    if arguments.vocab:
        vocabularies["published"] = pathlib.Path(arguments.vocab).read_bytes().decode().split("\n")[:-1]
    normalizers = {"default": {}, "cased": {"do_lower_case": False}, "cased, accents stripped": {"do_lower_case": False, "strip_accents": True},
                   "accents kept": {"strip_accents": False}, "no ideograph spacing": {"tokenize_chinese_chars": False}}
    scale = 100 if arguments.quick else 1
    found, lines = Differences(), []

    def run(vocabulary, setting, name, check):
        if arguments.only and arguments.only not in f"{vocabulary} {setting} {name}":
            return
        before = found.count
        cases = check()
        lines.append(f"| {vocabulary} | {setting} | {name} | {cases:,} | {found.count - before} |")
        print(lines[-1], flush=True)

    for vocabulary, tokens in vocabularies.items():
        rng = random.Random(f"{arguments.seed} {vocabulary}")
        texts = RandomTexts(rng, tokens)
        for setting, config in normalizers.items():
            with tempfile.TemporaryDirectory() as folder:
                directory = pathlib.Path(folder)
                write_config(directory, tokens, config)
                tokenizer, probe = BertTokenizerFast.from_pretrained(directory), Probe(arguments.probe, directory)
                full = setting == "default"
                run(vocabulary, setting, "every code point, alone and in context" if full else "every 16th code point, alone and in context",
                    lambda: check_code_points(found, probe, tokenizer, scale if full else 16 * scale))
                run(vocabulary, setting, "lone surrogates", lambda: check_surrogates(found, probe, tokenizer))
                run(vocabulary, setting, "random texts", lambda: check_texts(found, probe, tokenizer, texts, (100_000 if full else 20_000) // scale))
                run(vocabulary, setting, "random options and pairs", lambda: check_options(found, probe, tokenizer, texts, (20_000 if full else 4_000) // scale))
                run(vocabulary, setting, "bytes that are not UTF-8", lambda: check_bytes(found, probe, tokenizer, texts, 10_000 // scale))
                run(vocabulary, setting, "decoding", lambda: check_decoding(found, probe, tokenizer, texts, 4_000 // scale))
                if full:
                    run(vocabulary, setting, "text of the evaluation tools", lambda: check_evaluation_text(found, probe, texts, 20_000 // scale))
                probe.close()
        run(vocabulary, "random", "random tokenizer files and added tokens",
            lambda: check_directories(found, arguments.probe, rng, texts, tokens, max(1, 400 // scale) if vocabulary == "small" else max(1, 20 // scale), 40))

    if arguments.record:
        pathlib.Path(arguments.record).write_text(RECORD.format(
            date=datetime.date.today().isoformat(), python=platform.python_version(), seed=arguments.seed, rows="\n".join(lines)))
    sys.exit(1 if found.count else 0)


RECORD = """# The tokenizer against the reference

Written by `scripts/check_tokenizer.py` on {date}: transformers 4.37.2 (`BertTokenizerFast`), tokenizers 0.15.2, Python {python}, seed {seed}.
Each case compares ids, token types, attention mask, special tokens mask, character offsets, word and sequence ids; where the
reference fails ours must fail too. Left out of the random tokenizer files: added tokens that are empty, hold U+FFFD or of
which normalisation leaves nothing; ours refuses the last two when it loads them.
`small` is the project's own vocabulary, `published` that of the Chinese-CLIP checkpoints.

| vocabulary | normalizer | check | cases | differences |
|---|---|---|---:|---:|
{rows}
"""

if __name__ == "__main__":
    main()
