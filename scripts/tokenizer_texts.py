"""A small vocabulary of the project's own and random texts of every script, for the goldens and checks of the tokenizer."""

import unicodedata

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]

# The most frequent ideographs and words a caption is made of; any set would do.
IDEOGRAPHS = ("的一是了我不人在他有这个上们来到时大地为子中你说生国年着就那和要她出也得里后自以会家可下而过天去能对小多然于心学么之都好看起发当没"
              "成只如事把还用第样道想作种开美总从无情己面最女但现前些所同日手又行意动方期它头经长儿回位分爱老因很给名法间斯知世什两次使身者被高已"
              "亲其进此话常与活正感杰尼龟妙蛙种小火龙皮卡丘照片张图猫狗花红绿蓝黑白衣服裙鞋包手机电脑车房山水海树鸟鱼米饭茶酒店新款男童")
KANA = "あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもやゆよらりるれろわをんアイウエオカキクケコサシスセソタチツテト"
GREEK = "αβγδεζηθικλμνξοπρστυφχψωςΩ"
CYRILLIC = "абвгдежзийклмнопрстуфхцчшщъыьэюяё"
OTHER = "ßøæłđıﬁ№℃①②③ⅠⅡ％＃ＡＢＣａｂｃ０１２３اب ةגדकखกขᄀ나ᅥᆨ가나😀😎❤☀★→、。，！？：；（）《》「」…—～·￥“”‘’"
PIECES = ["he", "hel", "hello", "##llo", "##lo", "world", "##ld", "the", "##ing", "##ed", "##er", "un", "##aff", "##able", "dog", "cat",
          "my", "is", "cute", "cafe", "naive", "200", "20", "##0", "##23", "##24", "iphone", "jpeg", "##peg", "do", "not", "don", "##t",
          "privet", "при", "##вет", "κοσ", "##μος", "##μοσ", "かな", "##カナ", "aa", "aaaa", "##aaaa", "x" * 60, "##" + "y" * 45, "ab" * 50]


# Combining characters that accent stripping keeps: the reference orders them by newer Unicode data than it deletes marks by.
SURVIVORS = "\u08d4\u08e1\u1b44\u302e\U0001d165\U0001d16d\U0001e000\U0001e944\U0001e94a"


def small_vocab():
    """Tokens in the order of their ids, with U+2028 among them: a file of them must be split at line feeds alone."""
    tokens = SPECIALS[:1] + ["[unused1]", "[unused2]"] + SPECIALS[1:]
    tokens += [chr(c) for c in range(0x21, 0x7F) if not chr(c).isupper()]
    tokens += ["\u2028", "##\u2028"]
    singles = dict.fromkeys(IDEOGRAPHS + KANA + GREEK + CYRILLIC + OTHER.replace(" ", ""))
    tokens += [c for c in singles if c not in tokens]
    tokens += ["##" + c for c in "abcdefghijklmnopqrstuvwxyz0123456789" + GREEK + CYRILLIC + "ßøæıﬁᅡᅥᆨᄀⅠかナ中①ａ０"]
    tokens += [p for p in PIECES if p not in tokens]
    tokens += list(SURVIVORS[:8]) + ["##" + c for c in SURVIVORS[1:]]
    assert len(tokens) == len(set(tokens)), [t for t in tokens if tokens.count(t) > 1]
    return tokens


def write_vocab(tokens, path):
    path.write_bytes("".join(t + "\n" for t in tokens).encode())


def _class(*categories):
    return [chr(c) for c in range(0x110000) if unicodedata.category(chr(c)) in categories]


class RandomTexts:
    """Texts that mix scripts, marks, white space, controls, special tokens and words of a vocabulary."""

    SPACES = list(" \t\n\r\u000b\u000c\u0085\u00a0\u1680\u2000\u2003\u2009\u2028\u2029\u202f\u205f\u3000\u200b\ufeff")
    FORMAT = list("\x00\x01\x1b\x7f\u00ad\u0600\u200c\u200d\u200e\u202a\u2060\ufe0f\ufffd\ue000\uf8ff\ufffe\U000e0001\U000f0000\U0010ffff\u0378")
    SNIPPETS = ["[CLS]", "[SEP]", "[MASK]", "[PAD]", "[UNK]", "[mask]", "[CLS", "CLS]", "[[SEP]]", "[unused1]", "don't", "can't", "I'm",
                "we've", "e.g.", "U.S.A.", "3.14", "1,000", "2024年", "iPhone15", "Ｈｅｌｌｏ", "ＡＢＣ１２３", "ΟΔΟΣ", "ΣΊΣΥΦΟΣ", "İstanbul", "ẞ", "ﬁn",
                "Å", "Ω", "K", "한국어", "각", "がぎぐ", "ガギグ", "ｶﾞ", "👨‍👩‍👧‍👦", "🇨🇳", "👍🏽", "❤️", "①②", "½", "№", "™", "“你好”", "‘a’", "——", "……",
                "x\u0301\u0323y", "a\u0344\u0323b", "q\u0323\u0307", "\u0f73\u0f71", "\U0001d165\U0001d16d\U0001d165", "\U0001e944\u0334", "\u08d4\u0316\u08d5", "\u1b44\u0345",
                "豈更", "\U0002f800", "\U00020bb7", "\U0002b820", "\U0002b920", "\U0002ceb0", "\U0003134a", "\u3007", "々", "〆", "ㄅㄆ", "ꀀ"]

    def __init__(self, rng, vocab):
        self.rng = rng
        self.words = [t for t in vocab if t not in SPECIALS]
        self.ideographs = [t for t in self.words if len(t) == 1 and "\u3400" <= t <= "\u9fff"] or list(IDEOGRAPHS)
        self.marks = _class("Mn", "Mc", "Me")
        self.punctuation = _class("Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm", "Sk")
        self.upper = _class("Lu", "Lt")
        self.decomposing = [chr(c) for c in range(0x110000)
                            if not 0xD800 <= c < 0xE000 and unicodedata.normalize("NFD", chr(c)) != chr(c)]
        self.kinds = [self._ideographs] * 4 + [self._word] * 4 + [self._letters] * 2 + [self._marked] * 2 + [
            self._space, self._format, self._punctuation, self._upper, self._decomposing, self._mark_run, self._snippet, self._snippet,
            self._anything, self._repeated, self._glued, self._surviving]

    def text(self, longest=12):
        return "".join(self.rng.choice(self.kinds)() + self.rng.choice(["", "", "", " "]) for _ in range(self.rng.randint(0, longest)))

    def _some(self, pool, low=1, high=4):
        return "".join(self.rng.choices(pool, k=self.rng.randint(low, high)))

    def _ideographs(self):
        return self._some(self.ideographs, 1, 8)

    def _word(self):
        word = self.rng.choice(self.words)
        word = word[2:] if word.startswith("##") and self.rng.random() < 0.8 else word
        change = self.rng.random()
        return word.upper() if change < 0.1 else word.title() if change < 0.2 else word

    def _glued(self):
        return "".join(self._word() for _ in range(self.rng.randint(2, 5)))

    def _letters(self):
        return self._some(self.rng.choice(["abcdefghij", "XYZ", "0123456789", GREEK, CYRILLIC, KANA, OTHER]), 1, 8)

    def _marked(self):
        return self.rng.choice("aeiounAEcかはאब가") + self._some(self.marks, 0, 3)

    def _mark_run(self):
        return self._some(self.marks, 1, self.rng.choice([3, 8, 60]))

    def _surviving(self):
        pools = [SURVIVORS, SURVIVORS, "\u0301\u0316\u0323\u0334\u0345", "\u0344\u0340\u0f73\u0f81", "\U0001d15e\U0001d161\U0001d1bb", self.marks]
        return self.rng.choice(["", " ", "é", "ệ", "각", "q", "中"]) + "".join(
            self.rng.choice(self.rng.choice(pools)) for _ in range(self.rng.choice([1, 2, 4, 6, 50])))

    def _space(self):
        return self._some(self.SPACES)

    def _format(self):
        return self._some(self.FORMAT)

    def _punctuation(self):
        return self._some(self.punctuation)

    def _upper(self):
        return self._some(self.upper)

    def _decomposing(self):
        return self._some(self.decomposing)

    def _snippet(self):
        return self.rng.choice(self.SNIPPETS)

    def _repeated(self):
        return self.rng.choice("aAx中é,が각") * self.rng.choice([2, 49, 50, 99, 100, 101, 150])

    def _anything(self):
        return "".join(chr(c) for c in (self.rng.randrange(0x110000) for _ in range(4)) if not 0xD800 <= c < 0xE000)


def random_bytes(rng, text):
    """The text in UTF-8 with some bytes changed, dropped or put in."""
    data = bytearray(text.encode())
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data) + 1)
        kind = rng.randrange(3)
        if kind == 0 and at < len(data):
            data[at] = rng.randrange(256)
        elif kind == 1 and at < len(data):
            del data[at]
        else:
            data[at:at] = bytes(rng.choice([[0x80], [0xC0, 0x80], [0xE4, 0xBD], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xFF],
                                            [0xF0, 0x9F, 0x98], [0xC3]]))
    return bytes(data)
