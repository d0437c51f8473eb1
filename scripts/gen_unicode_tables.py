#!/usr/bin/env python3
"""Writes tokenizer/unicode_tables.{h,cpp}: what the reference tokenizer does with each of the 1,114,112 code points.

No single Unicode version reproduces the reference (its categories are Unicode 8, its decompositions Unicode 9, its lower
case and white space those of its compiler), so every fact is probed from the reference itself, one code point at a time.

Needs tokenizers 0.15.2. The two properties of Python's str.lower() (final sigma) come from the interpreter that runs this.
    python3 scripts/gen_unicode_tables.py            write the tables
    python3 scripts/gen_unicode_tables.py --check    exit 1 if the committed tables differ
"""
import argparse
import pathlib
import sys
import unicodedata

import tokenizers
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers

EXPECTED_VERSION = "0.15.2"
CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]  # a Rust string holds no surrogates
BLOCK_BITS = 7
HANGUL = range(0xAC00, 0xD7A4)  # decomposed by arithmetic, checked below

FLAGS = [
    ("Dropped", "deleted by text cleaning"),
    ("Space", "white space: becomes U+0020 when cleaned, separates words"),
    ("Cjk", "gets a space on both sides"),
    ("Punctuation", "a word of its own"),
    ("Mark", "deleted by accent stripping"),
    ("Decomposes", "has a canonical decomposition"),
    ("HasLower", "changed by lower-casing"),
    ("Word", "matches \\w, for added tokens that stand alone"),
    ("Cased", "before a capital sigma: final (Python str.lower)"),
    ("CaseIgnorable", "skipped when looking for it (Python str.lower)"),
]


def bert(**on):
    options = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    return normalizers.BertNormalizer(**{**options, **on}).normalize_str


def probe_matches(token, text_of, is_match):
    """Code points for which a text around an added token encodes as is_match(ids) says."""
    tokenizer = Tokenizer(models.WordPiece({"[UNK]": 0, "q": 1}, unk_token="[UNK]"))
    tokenizer.add_tokens([token])
    found = set()
    for at in range(0, len(CODE_POINTS), 1 << 16):
        chunk = CODE_POINTS[at : at + (1 << 16)]
        found.update(c for c, e in zip(chunk, tokenizer.encode_batch([text_of(c) for c in chunk])) if is_match(e.ids))
    return found


def probe_combining_ranks(nfd, candidates):
    """Rank of each code point's canonical combining class, 1 for the lowest that is not zero.

    Only the order matters: a run of marks is sorted by it. U+0334 has the lowest class, U+0345 the highest.
    """
    low, high = "\u0334", "\u0345"
    combining = {c for c in candidates if nfd(high + chr(c)) == chr(c) + high or nfd(chr(c) + low) == low + chr(c)}
    combining |= {ord(low), ord(high)}
    ordered = nfd("a" + "".join(map(chr, sorted(combining))))[1:]
    assert sorted(map(ord, ordered)) == sorted(combining)
    ranks, rank, previous = {}, 1, ""
    for c in ordered:
        if previous and nfd(c + previous) == previous + c:
            rank += 1
        ranks[ord(c)] = rank
        previous = c
    return ranks


def probe():
    clean, cjk, strip, lower = bert(clean_text=True), bert(handle_chinese_chars=True), bert(strip_accents=True), bert(lowercase=True)
    nfd, pre_tokenize = normalizers.NFD().normalize_str, pre_tokenizers.BertPreTokenizer().pre_tokenize_str

    sets = {name: set() for name, _ in FLAGS}
    decompositions, lowered, space_when_cleaned = {}, {}, set()
    for c in CODE_POINTS:
        s = chr(c)
        cleaned = clean(s)
        assert cleaned in ("", " ", s), hex(c)
        if cleaned == "":
            sets["Dropped"].add(c)
        elif cleaned == " ":
            space_when_cleaned.add(c)
        isolated = cjk(s)
        assert isolated in (s, f" {s} "), hex(c)
        if isolated != s:
            sets["Cjk"].add(c)
        words = [w for w, _ in pre_tokenize(f"a{s}a")]
        assert words in (["a", "a"], ["a", s, "a"], [f"a{s}a"]), hex(c)
        if words == ["a", "a"]:
            sets["Space"].add(c)
        elif len(words) == 3:
            sets["Punctuation"].add(c)
        decomposed = nfd(s)
        if decomposed != s:
            sets["Decomposes"].add(c)
            decompositions[c] = decomposed
        elif strip(s) == "":
            sets["Mark"].add(c)
        low = lower(s)
        if low != s:
            sets["HasLower"].add(c)
            lowered[c] = low

    # The tables rest on these; a reference that breaks one needs another design, not another table.
    assert space_when_cleaned == sets["Space"] - sets["Dropped"]
    for c in CODE_POINTS:
        expected = "".join(d for d in decompositions.get(c, chr(c)) if ord(d) not in sets["Mark"])
        assert strip(chr(c)) == expected, hex(c)
    ranks = probe_combining_ranks(nfd, [c for c in CODE_POINTS if c not in decompositions])
    for c, text in decompositions.items():  # a starter never follows a mark, so a run of marks ends with its character
        in_run = [ord(d) in ranks for d in text]
        assert in_run == sorted(in_run), hex(c)
        if c in HANGUL:
            lead, rest = divmod(c - 0xAC00, 21 * 28)
            vowel, tail = divmod(rest, 28)
            assert text == chr(0x1100 + lead) + chr(0x1161 + vowel) + (chr(0x11A7 + tail) if tail else ""), hex(c)

    stands_alone = AddedToken("tok", single_word=True, normalized=False)
    sets["Word"] = probe_matches(stands_alone, lambda c: "tok" + chr(c), lambda ids: ids[0] != 2)
    assert sets["Word"] == probe_matches(stands_alone, lambda c: chr(c) + "tok", lambda ids: ids[-1] != 2)
    strips = AddedToken("tok", rstrip=True, normalized=False)
    assert sets["Space"] == probe_matches(strips, lambda c: "tok" + chr(c), lambda ids: len(ids) == 1)

    for c in CODE_POINTS:
        assert chr(c).lower() == lowered.get(c, chr(c)), hex(c)
        if (chr(c) + "\u03a3").lower()[-1] == "\u03c2":
            sets["Cased"].add(c)
        elif ("a" + chr(c) + "\u03a3").lower()[-1] == "\u03c2":
            sets["CaseIgnorable"].add(c)
    return sets, ranks, decompositions, lowered


def lower_ranges(lowered):
    """(first, last, stride, delta) runs of single-character lower-casing; longer results are returned apart."""
    single = {c: ord(low) - c for c, low in lowered.items() if len(low) == 1}
    longer = {c: low for c, low in lowered.items() if len(low) > 1}
    ranges, pending = [], sorted(single)
    while pending:
        first = pending[0]
        runs = []
        for stride in (1, 2):
            last = first
            while single.get(last + stride) == single[first]:
                last += stride
            runs.append((first, last, stride, single[first]))
        # An alternating run ends before a code point of another delta lies between two of its members.
        best = max(runs, key=lambda r: (r[1] - r[0]) // r[2])
        between = [c for c in range(best[0], best[1] + 1) if c in single and (c - best[0]) % best[2]]
        if between:
            best = runs[0]
        ranges.append(best)
        done = set(range(best[0], best[1] + 1, best[2]))
        pending = [c for c in pending if c not in done]
    return sorted(ranges), longer


def rows(items, width=118, space=" "):
    lines, line = [], "  "
    for item in items:
        if len(line) + len(item) + 2 > width:
            lines.append(line.rstrip())
            line = "  "
        line += f"{item},{space}"
    return "\n".join(lines + [line.rstrip()])


def generate():
    sets, ranks, decompositions, lowered = probe()
    bits = {c: 0 for c in range(0x110000)}
    for bit, (name, _) in enumerate(FLAGS):
        for c in sets[name]:
            bits[c] |= 1 << bit
    traits = [(bits[c], ranks.get(c, 0)) for c in range(0x110000)]
    classes = sorted(set(traits))
    assert len(classes) <= 256
    class_of = {t: i for i, t in enumerate(classes)}
    flat = bytes(class_of[t] for t in traits)
    blocks = {}
    index = [blocks.setdefault(flat[at : at + (1 << BLOCK_BITS)], len(blocks)) for at in range(0, 0x110000, 1 << BLOCK_BITS)]
    assert len(blocks) <= 256

    ranges, longer = lower_ranges(lowered)
    assert longer == {0x130: "i\u0307"}  # spelled out in unicode.cpp
    pool, entries = "", []
    for c in sorted(set(decompositions) - set(HANGUL)):
        text = decompositions[c]
        at = pool.find(text)
        if at < 0:
            at = len(pool)
            pool += text
        entries.append((c, at, len(text)))

    python = ".".join(map(str, sys.version_info[:2]))
    head = f"""// Generated by scripts/gen_unicode_tables.py; do not edit.
// Source: tokenizers {tokenizers.__version__}, probed code point by code point; Cased and CaseIgnorable from str.lower() of Python {python}
// (Unicode {unicodedata.unidata_version}).
"""
    flag_lines = "\n".join(f"inline constexpr uint16_t k{name} = 1u << {bit};{'':{15 - len(name)}}// {what}"
                           for bit, (name, what) in enumerate(FLAGS))
    header = f"""{head}#pragma once
// clang-format off

#include <cstdint>

namespace tw::unicode {{

{flag_lines}

// combining_rank orders the canonical combining classes; 0 is class zero, a starter.
struct Traits {{
  uint16_t flags;
  uint8_t combining_rank;
}};

// kTraits[kClasses[kBlocks[c >> kBlockBits] << kBlockBits | low bits of c]]
inline constexpr unsigned kBlockBits = {BLOCK_BITS};
inline constexpr char32_t kCodePointEnd = 0x110000;
extern const uint8_t kBlocks[{len(index)}];
extern const uint8_t kClasses[{len(blocks) << BLOCK_BITS}];
extern const Traits kTraits[{len(classes)}];

// Lower case of first, first + stride ... last is the code point plus delta.
struct LowerRange {{
  char32_t first, last;
  uint32_t stride;
  int32_t delta;
}};
extern const LowerRange kLowerRanges[{len(ranges)}];

// Full canonical decomposition of code, without the Hangul syllables: kDecompositionText[begin ... begin + length).
struct Decomposition {{
  char32_t code;
  uint16_t begin;
  uint16_t length;
}};
extern const Decomposition kDecompositions[{len(entries)}];
extern const char32_t kDecompositionText[{len(pool)}];

}}  // namespace tw::unicode
"""
    source = f"""{head}// clang-format off
#include "tokenizer/unicode_tables.h"

namespace tw::unicode {{

const uint8_t kBlocks[{len(index)}] = {{
{rows(map(str, index), space="")}
}};

const uint8_t kClasses[{len(blocks) << BLOCK_BITS}] = {{
{rows((str(v) for block in blocks for v in block), space="")}
}};

const Traits kTraits[{len(classes)}] = {{
{rows(f"{{{hex(flags)}, {rank}}}" for flags, rank in classes)}
}};

const LowerRange kLowerRanges[{len(ranges)}] = {{
{rows(f"{{{hex(a)}, {hex(b)}, {stride}, {delta}}}" for a, b, stride, delta in ranges)}
}};

const Decomposition kDecompositions[{len(entries)}] = {{
{rows(f"{{{hex(c)}, {at}, {length}}}" for c, at, length in entries)}
}};

const char32_t kDecompositionText[{len(pool)}] = {{
{rows(hex(ord(c)) for c in pool)}
}};

}}  // namespace tw::unicode
"""
    return {"unicode_tables.h": header, "unicode_tables.cpp": source}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with the committed tables instead of writing")
    arguments = parser.parse_args()
    if tokenizers.__version__ != EXPECTED_VERSION:
        sys.exit(f"tokenizers {EXPECTED_VERSION} is the reference, found {tokenizers.__version__}")
    folder = pathlib.Path(__file__).resolve().parent.parent / "tokenizer"
    status = 0
    for name, text in generate().items():
        path = folder / name
        if arguments.check:
            if not path.is_file() or path.read_text(encoding="utf-8") != text:
                print(f"{path} differs from what the reference gives")
                status = 1
        else:
            path.write_text(text, encoding="utf-8")
            print(f"{path}: {len(text.encode())} bytes")
    sys.exit(status)


if __name__ == "__main__":
    main()
