"""What the demo model learns from: the emoji of Noto Color Emoji and their Chinese names and keywords in CLDR.

Both come from Debian (fonts-noto-color-emoji, SIL OFL 1.1; unicode-cldr-core, Unicode licence). One emoji is one entry of CLDR's
annotations/zh.xml: no skin tones (they are not in that file), no flags of countries and no families made of other emoji
(annotationsDerived). Left out as well: characters that the font has no picture for, and the later of two entries with equal
pixels. The order is CLDR's, so an index is stable for one version of the two packages.
"""
import dataclasses
import hashlib
import random
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

FONT = Path("/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf")
ANNOTATIONS = Path("/usr/share/unicode/cldr/common/annotations/zh.xml")
BITMAP_PIXELS = 109  # the one size of the font's bitmaps; they are 136 x 128 pixels
SKIN_TONES = {chr(c) for c in range(0x1F3FB, 0x1F400)}
HELD_OUT_SEED = 7
HELD_OUT_SHARE = 0.08


@dataclasses.dataclass(frozen=True)
class Emoji:
    text: str  # the code points
    name: str  # CLDR's short name, "红苹果"
    keywords: tuple  # CLDR's keywords without the name, ("水果", "红", "苹果")


def _annotations():
    names, keywords = {}, {}
    for entry in ElementTree.parse(ANNOTATIONS).getroot().iter("annotation"):
        if entry.get("type") == "tts":
            names[entry.get("cp")] = entry.text.strip()
        else:
            keywords[entry.get("cp")] = tuple(word.strip() for word in entry.text.split("|"))
    return names, keywords


def glyph(text: str, font) -> Image.Image:
    """The emoji as the font draws it, RGBA, 136 x 136, ink centred; fully transparent if the font has no picture."""
    canvas = Image.new("RGBA", (200, 200))
    ImageDraw.Draw(canvas).text((20, 20), text, font=font, embedded_color=True)
    box = canvas.getchannel("A").getbbox()
    square = Image.new("RGBA", (136, 136))
    if box is not None and max(box[2] - box[0], box[3] - box[1]) <= 136:
        ink = canvas.crop(box)
        square.paste(ink, ((136 - ink.width) // 2, (136 - ink.height) // 2))
    return square


def is_picture(image: Image.Image) -> bool:
    """Whether there is ink, and some of it coloured: a missing character is drawn as nothing or as a black box."""
    if image.getchannel("A").getbbox() is None:
        return False
    return any(alpha and max(r, g, b) > 40 for r, g, b, alpha in image.resize((34, 34)).getdata())


def load_emoji():
    """Returns ([Emoji], [RGBA image, 136 x 136]) of every emoji that has a name and a picture of its own."""
    font = ImageFont.truetype(str(FONT), BITMAP_PIXELS)
    names, keywords = _annotations()
    emoji, pictures, seen_pixels, seen_names = [], [], set(), set()
    for text, name in names.items():
        if SKIN_TONES & set(text) or name in seen_names:
            continue
        picture = glyph(text, font)
        digest = hashlib.sha256(picture.tobytes()).digest()
        if digest in seen_pixels or not is_picture(picture):
            continue
        seen_pixels.add(digest)
        seen_names.add(name)
        emoji.append(Emoji(text, name, tuple(k for k in keywords.get(text, ()) if k != name)))
        pictures.append(picture)
    return emoji, pictures


def keyword_split(emoji):
    """Returns (training, held out) keyword -> set of emoji indices. Held-out phrases have two or more Chinese characters, name no
    emoji, and apply to at most five; no training text has them as a keyword, but every character occurs in some name."""
    applies = {}
    for index, one in enumerate(emoji):
        for word in one.keywords:
            applies.setdefault(word, set()).add(index)
    names = {one.name for one in emoji}
    known = set("".join(names))
    candidates = sorted(word for word, found in applies.items() if re.fullmatch(r"[\u4e00-\u9fff]{2,}", word)
                        and word not in names and len(found) <= 5 and known.issuperset(word))
    held = set(random.Random(HELD_OUT_SEED).sample(candidates, int(HELD_OUT_SHARE * len(applies))))
    return ({w: f for w, f in applies.items() if w not in held}, {w: applies[w] for w in sorted(held)})


def pair_is_held_out(first, second):
    """Whether scenes and texts of these two emoji (indices, or tensors of them) are kept for evaluation: one pair in ten."""
    low, high = (first + second - abs(first - second)) // 2, (first + second + abs(first - second)) // 2
    return ((low * 1_000_003 + high) * 2_654_435_761 % 2**32 // 2**16) % 10 == 0
