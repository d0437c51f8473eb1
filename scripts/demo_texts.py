"""The texts the demo model is trained and scored on, and its vocabulary."""
import random
import string

import torch

TEMPLATES = ("{}", "{}", "{}", "一张{}的图片", "一张{}的照片", "{}的图片", "{}的照片", "这是{}", "一个{}", "一幅{}的图画", "画着{}的图",
             "图片里有{}", "{}图案", "{}表情符号")
SCORED_TEMPLATES = ("{}", "一张{}的图片", "图片里有{}")  # the mean of these stands for a name when it is scored
PAIR_TEMPLATES = ("{}和{}", "{}与{}", "{}和{}在一起", "一张{}和{}的图片", "图片里有{}和{}")
SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
PUNCTUATION = "，。！？、：；“”‘’（）《》…—·"
# A noun of one of these blocks of CLDR's order is counted with 只 (animals).
ANIMALS = ("\U0001f435", "\U0001f9a0")


def vocabulary(emoji, keywords):
    """The lines of vocab.txt: special tokens, ASCII, and the characters of everything that is trained on."""
    characters = set("".join([e.name for e in emoji] + list(keywords) + list(TEMPLATES + PAIR_TEMPLATES)) + "一二三四五六七八九十只个张")
    chinese = sorted(c for c in characters if "\u4e00" <= c <= "\u9fff")
    ascii_ = [c for c in string.punctuation + string.digits + string.ascii_lowercase]
    pieces = ["##" + c for c in string.digits + string.ascii_lowercase]
    return list(SPECIAL_TOKENS) + ascii_ + list(PUNCTUATION) + pieces + chinese


def counted(emoji, index, concept):
    """"一只猫", "一个苹果": a word for emoji index as a pair's text has it."""
    first, last = (next(i for i, e in enumerate(emoji) if e.text == c) for c in ANIMALS)
    return ("一只" if first <= index <= last else "一个") + concept


class Texts:
    """Draws training texts for scenes and knows which text is true of which scene."""

    def __init__(self, emoji, keywords):
        self.emoji = emoji
        applies = {word: set(found) for word, found in keywords.items()}
        for index, one in enumerate(emoji):
            applies.setdefault(one.name, set()).add(index)
        self.concepts = sorted(applies)
        number = {word: i for i, word in enumerate(self.concepts)}
        self.true_of = torch.zeros(len(self.concepts), len(emoji) + 1, dtype=torch.bool)  # the last column: no emoji
        for word, found in applies.items():
            self.true_of[number[word], list(found)] = True
        self.name_of = [number[e.name] for e in emoji]
        self.keywords_of = [[number[k] for k in e.keywords if k in keywords] for e in emoji]

    def _concept(self, index, rng, keyword_share):
        words = self.keywords_of[index]
        return rng.choice(words) if words and rng.random() < keyword_share else self.name_of[index]

    def draw(self, first, second, seed):
        """One text a scene. Returns (texts, concepts [B, 2] with -1 for none)."""
        rng, texts, drawn = random.Random(seed), [], []
        for a, b in zip(first.tolist(), second.tolist()):
            if b < 0:
                concept = self._concept(a, rng, 0.35)
                texts.append(rng.choice(TEMPLATES).format(self.concepts[concept]))
                drawn.append((concept, -1))
                continue
            if rng.random() < 0.5:
                a, b = b, a
            pair = [self._concept(i, rng, 0.2) for i in (a, b)]
            words = [self.concepts[c] for c in pair]
            if rng.random() < 0.5:
                words = [counted(self.emoji, i, w) for i, w in zip((a, b), words)]
            texts.append(rng.choice(PAIR_TEMPLATES).format(*words))
            drawn.append(tuple(pair))
        return texts, torch.tensor(drawn)

    def truth(self, first, second, concepts):
        """[scenes, texts] bool: every concept of the text applies to an emoji of the scene."""
        def holds(column):
            rows = self.true_of[column]
            return (rows[:, first] | rows[:, second]).t()  # second -1 is the column that is never true

        both = holds(concepts[:, 1].clamp(min=0)) | (concepts[:, 1] < 0)
        return holds(concepts[:, 0]) & both
