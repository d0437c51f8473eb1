"""The tokenizer and the processor: every option of a call, ids equal."""

import pathlib
import random
import tempfile

import numpy as np
import transformers as reference
from PIL import Image

import tuwen
from tokenizer_texts import RandomTexts, small_vocab, write_vocab

from .common import Outcome, both, family, maybe, pick, same

VOCAB = pathlib.Path(tempfile.mkdtemp(prefix="tuwen-check-")) / "vocab.txt"
write_vocab(small_vocab(), VOCAB)
TEXTS = RandomTexts(random.Random(1), small_vocab())
_made = {}


def tokenizers(rng):
    given = pick(rng, {}, {}, {"do_lower_case": False}, {"model_max_length": 12}, {"padding_side": "left"}, {"truncation_side": "left"},
                 {"strip_accents": False}, {"tokenize_chinese_chars": False}, {"clean_up_tokenization_spaces": False})
    key = str(given)
    if key not in _made:
        _made[key] = tuple(package.BertTokenizerFast(str(VOCAB), **given) for package in (reference, tuwen))
    return _made[key]


def text(rng, most=30):
    TEXTS.rng.seed(int(rng.integers(2**31)))
    whole = TEXTS.text()
    return whole[: int(rng.integers(0, most))] if maybe(rng, 0.8) else whole


def call_options(rng, pairs=False):
    given = {}
    if maybe(rng):
        given["padding"] = pick(rng, True, False, "longest", "max_length", "do_not_pad")
    if maybe(rng):
        given["truncation"] = pick(rng, True, False, "longest_first", "only_first", "do_not_truncate", *(["only_second"] if pairs else []))
    if maybe(rng):
        given["max_length"] = int(rng.integers(0, 24))
    if maybe(rng, 0.2):
        given["pad_to_multiple_of"] = pick(rng, 4, 8)
    for name in ("add_special_tokens", "return_token_type_ids", "return_attention_mask", "return_special_tokens_mask",
                 "return_offsets_mapping", "return_length"):
        if maybe(rng, 0.25):
            given[name] = maybe(rng)
    if maybe(rng, 0.4):
        given["return_tensors"] = pick(rng, "np", "pt")
    return given


def overflow_options(rng):
    given = call_options(rng)
    limit = int(rng.integers(4, 20))
    given.update(max_length=limit, truncation=pick(rng, True, "only_first"), return_overflowing_tokens=True)
    given["stride"] = int(rng.integers(0, max(limit - 3, 1)))
    given.pop("pad_to_multiple_of", None)
    return given


def compare(rng, broken, call, given, what):
    expected, found = tokenizers(rng)
    if not given.get("add_special_tokens", True):
        alone = Outcome(lambda: call(found, {**given, "return_tensors": None})["input_ids"]).value
        if alone is not None and (not alone or [] in alone):  # torch.tensor([[], [1]]) is a tensor of nothing, and numbers of nothing are floats
            given = {**given, "return_tensors": None}
    mine = {**given, "add_special_tokens": not given.get("add_special_tokens", True)} if broken else given
    result = both(lambda: call(expected, given), lambda: call(found, mine), f"{what} {given}")
    if result is None:
        return
    same(dict(result[0]), dict(result[1]), f"{what} {given}")
    if result[0].encodings:
        for a, b in zip(result[0].encodings, result[1].encodings):
            same([a.tokens, a.word_ids, a.sequence_ids, a.offsets], [b.tokens, b.word_ids, b.sequence_ids, b.offsets], what)


@family("tokenizer.single")
def single(rng, broken):
    one = text(rng)
    compare(rng, broken, lambda t, o: t(one, **o), call_options(rng), repr(one))


@family("tokenizer.batch")
def batch(rng, broken):
    texts = [text(rng) for _ in range(int(rng.integers(1, 6)))]
    compare(rng, broken, lambda t, o: t(texts, **o), call_options(rng), repr(texts))


@family("tokenizer.pairs")
def pairs(rng, broken):
    texts = [text(rng) for _ in range(int(rng.integers(1, 4)))]
    seconds = [text(rng) for _ in texts]
    form = pick(rng, "single", "lists", "tuples")
    if form == "single":
        def call(t, o):
            return t(texts[0], seconds[0], **o)
    elif form == "lists":
        def call(t, o):
            return t(texts, seconds, **o)
    else:
        def call(t, o):
            return t.batch_encode_plus(list(zip(texts, seconds)), **o)
    compare(rng, broken, call, call_options(rng, True), f"{form} {texts} {seconds}")


@family("tokenizer.words")
def words(rng, broken):
    texts = [[text(rng, 8) for _ in range(int(rng.integers(1, 6)))] for _ in range(int(rng.integers(1, 4)))]
    seconds = [[text(rng, 8) for _ in range(int(rng.integers(1, 6)))] for _ in texts]
    form = pick(rng, "single", "batch", "pair", "pairs")
    calls = {
        "single": lambda t, o: t(texts[0], is_split_into_words=True, **o),
        "batch": lambda t, o: t(texts, is_split_into_words=True, **o),
        "pair": lambda t, o: t(texts[0], seconds[0], is_split_into_words=True, **o),
        "pairs": lambda t, o: t(texts, seconds, is_split_into_words=True, **o),
    }
    compare(rng, broken, calls[form], call_options(rng), f"{form} {texts} {seconds}")


@family("tokenizer.overflow")
def overflow(rng, broken):
    texts = [text(rng, 60) for _ in range(int(rng.integers(1, 4)))]
    compare(rng, broken, pick(rng, lambda t, o: t(texts[0], **o), lambda t, o: t(texts, **o)), overflow_options(rng), repr(texts))


@family("tokenizer.decode")
def decode(rng, broken):
    expected, found = tokenizers(rng)
    rows = [list(map(int, rng.integers(-1 if maybe(rng, 0.05) else 0, 640, int(rng.integers(0, 20))))) for _ in range(3)]
    given = {}
    if maybe(rng):
        given["skip_special_tokens"] = maybe(rng)
    if maybe(rng):
        given["clean_up_tokenization_spaces"] = maybe(rng)
    mine = [row[1:] for row in rows] if broken else rows
    for call in (lambda t, r: t.batch_decode(r, **given), lambda t, r: t.decode(r[0], **given), lambda t, r: t.convert_ids_to_tokens(r[0])):
        result = both(lambda: call(expected, rows), lambda: call(found, mine), f"{rows} {given}")
        if result is not None:
            same(*result, f"{rows} {given}")


@family("tokenizer.pad")
def pad(rng, broken):
    expected, found = tokenizers(rng)
    texts = [text(rng) for _ in range(int(rng.integers(1, 4)))]
    given = {"padding": pick(rng, True, False, "max_length", "longest"), "return_tensors": pick(rng, None, None, "np")}
    if maybe(rng) or given["padding"] == "max_length":
        given["max_length"] = int(rng.integers(60, 80))
    if maybe(rng, 0.3):
        given["pad_to_multiple_of"] = 8
    if maybe(rng, 0.3):
        given["return_attention_mask"] = maybe(rng)
    mine = {**given, "padding": "max_length", "max_length": 91} if broken else given

    def call(tokenizer, options):
        rows = tokenizer([t[:20] for t in texts])
        return dict(tokenizer.pad({k: list(v) for k, v in rows.items()}, **options))

    result = both(lambda: call(expected, given), lambda: call(found, mine), f"{given}")
    if result is not None:
        same(*result, f"{texts} {given}")


@family("tokenizer.vocabulary", 0.3)
def vocabulary(rng, broken):
    expected, found = tokenizers(rng)
    words = [text(rng, 4) for _ in range(4)] + ["[SEP]", "的", "##llo"]
    mine = words[::-1] if broken else words
    same(expected.convert_tokens_to_ids(words), found.convert_tokens_to_ids(mine), f"{words}")
    same(expected.get_vocab(), found.get_vocab(), "get_vocab()")
    same([len(expected), expected.vocab_size], [len(found), found.vocab_size], "size")
    same(expected.special_tokens_map, found.special_tokens_map, "special_tokens_map")
    same(sorted(expected.all_special_ids), sorted(found.all_special_ids), "all_special_ids")
    one = text(rng)
    same(expected.tokenize(one), found.tokenize(one), f"tokenize({one!r})")
    same(expected.encode(one), found.encode(one), f"encode({one!r})")


@family("tokenizer.errors", 0.5)
def errors(rng, broken):
    wrong = pick(rng, None, 3, [3], np.array(["a"]), [], (), [["a", "b", "c"]], [("a", 3)], "fine", ["fine", "fi"], [None])
    given = pick(rng, {}, {"padding": "sideways"}, {"truncation": "all"}, {"max_length": -1, "truncation": True}, {"return_tensors": "xx"},
                 {"return_tensors": "tf"}, {"return_tensors": "pt"}, {"max_length": 5, "stride": 3, "truncation": True},
                 {"nonsense": 1}, {"text_pair": ["a"]}, {"text_pair": "a"},
                 {"pad_to_multiple_of": 8, "padding": True, "truncation": True, "max_length": 9},
                 {"truncation": "only_second", "max_length": 4})
    if broken:
        wrong, given = "fine", {"padding": "sideways"}
    expected, found = tokenizers(rng)
    result = both(lambda: expected(wrong, **given), lambda: found(wrong, **({} if broken else given)), f"{wrong!r} {given}")
    if result is not None:
        same(dict(result[0]), dict(result[1]), f"{wrong!r} {given}")


@family("tokenizer.files", 0.3)
def files(rng, broken):
    """Saved by one package and read by both."""
    expected, found = tokenizers(rng)
    one = text(rng)
    with tempfile.TemporaryDirectory() as directory:
        pick(rng, expected, found).save_pretrained(directory)
        given = pick(rng, {}, {"do_lower_case": False}, {"model_max_length": 9})
        mine = {"do_lower_case": False, "strip_accents": False} if broken else given
        again = [p.AutoTokenizer.from_pretrained(directory, **o) for p, o in ((reference, given), (tuwen, mine))]
        same(dict(again[0]("Ab É " + one, truncation=True)), dict(again[1]("Ab É " + one, truncation=True)), f"{one!r} {given}")


@family("processor")
def processor(rng, broken):
    expected, found = tokenizers(rng)
    steps = {"size": {"height": 18, "width": 18}, "do_center_crop": False}
    made = (reference.ChineseCLIPProcessor(reference.ChineseCLIPImageProcessor(**steps), expected),
            tuwen.ChineseCLIPProcessor(tuwen.ChineseCLIPImageProcessor(**steps), found))
    given = {}
    if maybe(rng, 0.8):
        given["text"] = pick(rng, text(rng), [text(rng), text(rng)])
    if maybe(rng, 0.8):
        pictures = [Image.fromarray(rng.integers(0, 256, (9, 12, 3), dtype=np.uint8)) for _ in range(2)]
        given["images"] = pick(rng, pictures[0], pictures)
    if maybe(rng):
        given["return_tensors"] = pick(rng, "np", "pt")
        given["padding"] = True
    if "images" in given:
        given.pop("padding", None) if "text" not in given else None
    mine = {**given, "text": "broken"} if broken else given
    result = both(lambda: made[0](**given), lambda: made[1](**mine), f"{given}")
    if result is not None:
        same(dict(result[0]), dict(result[1]), f"{given}")
    same(made[0].model_input_names, made[1].model_input_names, "model_input_names")
