"""A BERT-style Chinese vocabulary made from character sets, for checkpoints with random weights.

It has the layout of the published vocabularies (the five special tokens at 0, 100, 101, 102 and 103, single Chinese characters,
word beginnings and "##" continuations) but none of their content: it is computed, the same each time, from the GB 2312 and Big5
code tables, the alphabets, and syllables. Needs nothing but Python.
"""


def code_table(codec: str, rows: range, columns: list[int]) -> list[str]:
    """The Chinese characters of a two-byte character set, in its own order."""
    characters = []
    for row in rows:
        for column in columns:
            try:
                character = bytes([row, column]).decode(codec)
            except UnicodeDecodeError:
                continue
            if "\u4e00" <= character <= "\u9fff":
                characters.append(character)
    return characters


def chinese_characters() -> tuple[list[str], list[str]]:
    """GB 2312 level 1, which covers nearly all running text; then traditional forms (Big5 level 1) and GB 2312 level 2."""
    gb_columns = list(range(0xA1, 0xFF))
    big5_columns = list(range(0x40, 0x7F)) + gb_columns
    common = code_table("gb2312", range(0xB0, 0xD8), gb_columns)
    traditional = code_table("big5", range(0xA4, 0xC7), big5_columns)
    rare = code_table("gb2312", range(0xD8, 0xF8), gb_columns)
    return common, traditional + rare


def build_vocab(size: int) -> list[str]:
    """`size` different tokens, at least 512; token i is line i of vocab.txt."""
    if size < 512:
        raise ValueError(f"a vocabulary of {size} tokens leaves no room for the alphabets")
    start = ["[PAD]"] + [f"[unused{i}]" for i in range(1, 100)] + ["[UNK]", "[CLS]", "[SEP]", "[MASK]", "<S>", "<T>"]
    letters = [chr(c) for c in range(ord("a"), ord("z") + 1)]
    digits = [chr(c) for c in range(ord("0"), ord("9") + 1)]
    ascii_marks = [chr(c) for c in range(0x21, 0x7F) if not chr(c).isalnum()]
    wide_marks = list("，。！？、：；“”‘’（）《》〈〉【】『』「」…—～·￥％＋－＝")
    base = start + ascii_marks + letters + digits + wide_marks + ["##" + c for c in letters + digits]

    common, rare = chinese_characters()
    kana = [chr(c) for c in range(0x3041, 0x3097)] + [chr(c) for c in range(0x30A1, 0x30FB)]
    others = [chr(c) for c in range(0x3B1, 0x3CA)] + [chr(c) for c in range(0x430, 0x450)]  # Greek, Cyrillic
    numbers = [str(n) for n in range(10, 1000)] + [str(n) for n in range(1900, 2051)]
    consonants, vowels = "bcdfghjklmnpqrstvwxyz", "aeiou"
    syllables = [a + b for a in consonants for b in vowels] + [b + a for a in consonants for b in vowels]
    syllables += [a + b + c for a in consonants for b in vowels for c in consonants]
    pieces = kana + others + numbers + syllables

    tokens = base + common + pieces + ["##" + piece for piece in pieces] + rare + ["##" + c for c in common + rare]
    tokens = list(dict.fromkeys(tokens))
    if len(tokens) < size:
        raise ValueError(f"only {len(tokens)} tokens can be made, {size} asked for")
    return tokens[:size]
