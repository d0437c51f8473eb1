"""Pictures of emoji: scenes composed in batches by torch for training, and single ones by Pillow for evaluation.

A scene holds one or two emoji of varied size, place, rotation and shape on a plain, shaded, noisy or striped background. The
Pillow renderer draws the same kind of scene independently at 240 x 240 pixels, which the image processor then shrinks, as it
does with any real file; nothing of it is seen in training.
"""
import math
import random

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

SIZE = 60  # pixels of the model's input
MIP_SIZES = (72, 40)  # what the training renderer samples from: for large and for small emoji
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)


def glyph_mips(pictures):
    """[N, 4, s, s] f32 in 0..1, premultiplied, for each s of MIP_SIZES, from RGBA pictures."""
    mips = []
    for size in MIP_SIZES:
        rows = np.stack([np.asarray(p.resize((size, size), Image.BICUBIC), np.float32) / 255 for p in pictures])
        rows[..., :3] *= rows[..., 3:]
        mips.append(torch.from_numpy(rows).permute(0, 3, 1, 2).contiguous())
    return mips


def backgrounds(count, size, generator):
    """[count, 3, size, size] f32 in 0..1: white, plain, gradients, soft noise, stripes and checks."""
    def rand(*shape):
        return torch.rand(*shape, generator=generator)

    y, x = torch.meshgrid(torch.linspace(-1, 1, size), torch.linspace(-1, 1, size), indexing="ij")
    out = torch.empty(count, 3, size, size)
    for i in range(count):
        kind, angle = float(rand(1)), float(rand(1)) * 2 * math.pi
        first, second = rand(3, 1, 1), rand(3, 1, 1)
        across = x * math.cos(angle) + y * math.sin(angle)
        if kind < 0.2:
            out[i] = 1.0 - 0.06 * float(rand(1))
        elif kind < 0.45:
            out[i] = first
        elif kind < 0.65:
            mix = (across / 2.8 + 0.5).clamp(0, 1)
            out[i] = first * mix + second * (1 - mix)
        elif kind < 0.85:
            cells = int(rand(1) * 6) + 2
            noise = F.interpolate(rand(1, 3, cells, cells), (size, size), mode="bicubic", align_corners=True)[0]
            out[i] = first + (noise - 0.5) * (0.2 + 0.8 * float(rand(1)))
        else:
            wave = torch.sin(across * (4 + 16 * float(rand(1))))
            if rand(1) < 0.5:
                wave = wave * torch.sin((x * math.sin(angle) - y * math.cos(angle)) * 8)
            out[i] = torch.where(wave > 0, first, first + (second - first) * 0.5)
    return out.clamp(0, 1)


class SceneMaker:
    """Composes training scenes. Not thread-safe."""

    def __init__(self, pictures, seed):
        self.mips = glyph_mips(pictures)
        self.pool = backgrounds(3000, SIZE, torch.Generator().manual_seed(seed))

    def _layer(self, ids, scale, place, strength, g):
        """[B, 4, SIZE, SIZE] premultiplied: emoji ids [B] with side scale [B] (of the picture's) centred at place [B, 2]
        (-1..1)."""
        n = len(ids)
        angle = (torch.rand(n, generator=g) * 2 - 1) * math.radians(25) * strength
        angle = torch.where(torch.rand(n, generator=g) < 0.3, torch.zeros(n), angle)
        stretch = 1 + (torch.rand(n, 2, generator=g) * 2 - 1) * 0.08 * strength
        sx, sy = scale * stretch[:, 0], scale * stretch[:, 1]
        cos, sin = angle.cos(), angle.sin()
        rows = torch.stack([cos / sx, sin / sx, -sin / sy, cos / sy], 1).view(n, 2, 2)
        theta = torch.cat([rows, -(rows @ place[:, :, None])], 2)
        grid = F.affine_grid(theta, (n, 4, SIZE, SIZE), align_corners=False)
        small = (scale < 0.68) ^ (torch.rand(n, generator=g) < 0.1 * strength)
        out = torch.empty(n, 4, SIZE, SIZE)
        for mip, chosen in zip(self.mips, (~small, small)):
            if chosen.any():
                out[chosen] = F.grid_sample(mip[ids[chosen]], grid[chosen], mode="bilinear", align_corners=False)
        return out

    def scenes(self, first, second, strength, g):
        """first [B] emoji indices, second [B] with -1 for scenes of one emoji; strength 0..1 of all variation. Returns
        [B, 3, SIZE, SIZE] f32, normalised as preprocessor_config.json says."""
        n = len(first)

        def rand(*shape):
            return torch.rand(*shape, generator=g)

        image = self.pool[torch.randint(len(self.pool), (n,), generator=g)]
        image = torch.where(rand(n, 1, 1, 1) < 0.5, image.flip(3), image)
        image = (image * (0.7 + 0.4 * rand(n, 3, 1, 1))).clamp(0, 1)
        two = second >= 0
        scale = 0.95 - 0.4 * strength * rand(n)
        room = (1 - 0.85 * scale)[:, None]
        place = (rand(n, 2) * 2 - 1) * room * (0.3 + 0.7 * strength)
        # Two emoji stand on opposite sides of the centre, mostly beside each other.
        axis = torch.where(rand(n) < 0.7, (rand(n) - 0.5) * 0.7, rand(n) * math.pi)
        axis = axis + math.pi * (rand(n) < 0.5)
        pair_scale = 0.42 + 0.14 * rand(n)
        away = torch.stack([axis.cos(), axis.sin()], 1) * (0.42 + 0.1 * rand(n))[:, None]
        scale = torch.where(two, pair_scale, scale)
        place = torch.where(two[:, None], away + (rand(n, 2) - 0.5) * 0.12, place)
        over = self._layer(first, scale, place, strength, g)
        image = over[:, :3] + image * (1 - over[:, 3:])
        if two.any():
            other = (0.42 + 0.14 * rand(n))[two]
            opposite = -away[two] + (rand(n, 2) - 0.5)[two] * 0.12
            over = self._layer(second[two], other, opposite, strength, g)
            image[two] = over[:, :3] + image[two] * (1 - over[:, 3:])
        gain = 1 + (rand(n, 1, 1, 1) - 0.5) * 0.5 * strength
        image = (image - 0.5) * gain + 0.5 + (rand(n, 3, 1, 1) - 0.5) * 0.16 * strength
        noisy = (rand(n, 1, 1, 1) < 0.3) * 0.03 * strength
        image = (image + torch.randn(image.shape, generator=g) * noisy).clamp(0, 1)
        return (image - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)


def picture(glyphs, seed, size=240):
    """One held-out picture, RGB, size x size, of one or two emoji bitmaps; the seed alone decides on everything else."""
    rng = random.Random(seed)
    base = backgrounds(1, size, torch.Generator().manual_seed(rng.randrange(2**31)))[0]
    canvas = Image.fromarray((base.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8))
    axis = rng.uniform(-0.35, 0.35) if rng.random() < 0.7 else rng.uniform(0, math.pi)
    axis += math.pi * (rng.random() < 0.5)
    away = rng.uniform(0.42, 0.52)
    for index, one in enumerate(glyphs):
        if len(glyphs) == 1:
            scale = rng.uniform(0.55, 0.95)
            cx, cy = (rng.uniform(-1, 1) * (1 - 0.85 * scale) for _ in range(2))
        else:
            scale = rng.uniform(0.42, 0.56)
            side = away if index == 0 else -away
            cx, cy = (side * f(axis) + rng.uniform(-0.06, 0.06) for f in (math.cos, math.sin))
        width, height = (max(8, round(size * scale * rng.uniform(0.92, 1.08))) for _ in range(2))
        stamp = one.resize((width, height), Image.BICUBIC)
        if rng.random() > 0.3:
            stamp = stamp.rotate(rng.uniform(-25, 25), Image.BICUBIC, expand=True)
        left = round(size * (cx + 1) / 2 - stamp.width / 2)
        top = round(size * (cy + 1) / 2 - stamp.height / 2)
        canvas.paste(stamp, (left, top), stamp)
    return canvas


def preprocess(images):
    """RGB pictures of any size -> [B, 3, SIZE, SIZE] as the image processor of the model makes them."""
    rows = np.stack([np.asarray(i.convert("RGB").resize((SIZE, SIZE), Image.BICUBIC), np.float32) for i in images])
    pixels = torch.from_numpy(rows / 255).permute(0, 3, 1, 2)
    return (pixels - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
