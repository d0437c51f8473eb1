"""Image files in many variants, for make_image_goldens.py and check_images.py: writers for what Pillow reads but does not
write (PNG of every depth, interlaced; all kinds of BMP), and random files of each format. Needs Pillow and numpy < 2."""
import io
import struct
import zlib

import numpy as np
from PIL import Image

ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]  # x, y, steps
PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
PNG_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}


def smooth(rng, height: int, width: int, channels: int, top: int = 255) -> np.ndarray:
    """Something between noise and a photograph: [height, width, channels] of 0 .. top."""
    y, x = np.mgrid[0:height, 0:width]
    planes = []
    for _ in range(channels):
        a, b, c, d = rng.uniform(0.02, 0.9, 4)
        wave = np.sin(a * x + c * 7) * np.cos(b * y + d * 5) * 0.5 + 0.5
        grain = rng.random((height, width)) * rng.choice([0.0, 0.2, 1.0])
        planes.append(np.clip(0.8 * wave + 0.4 * grain, 0, 1))
    return np.round(np.stack(planes, -1) * top).astype(np.int64)


# --- PNG ------------------------------------------------------------------------------------------------------------

def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def pack_samples(row: np.ndarray, depth: int) -> bytes:
    """Samples of one row, first sample in the highest bits."""
    flat = row.reshape(-1)
    if depth == 16:
        return flat.astype(">u2").tobytes()
    if depth == 8:
        return flat.astype(np.uint8).tobytes()
    bits = ((flat[:, None] >> np.arange(depth - 1, -1, -1)) & 1).astype(np.uint8)
    return np.packbits(bits.reshape(-1)).tobytes()


def paeth(a: int, b: int, c: int) -> int:
    p = a + b - c
    pa, pb, pc = abs(p - a), abs(p - b), abs(p - c)
    return a if pa <= pb and pa <= pc else b if pb <= pc else c


def filter_row(kind: int, row: bytes, above: bytes, step: int) -> bytes:
    out = bytearray([kind])
    for i, value in enumerate(row):
        left = row[i - step] if i >= step else 0
        corner = above[i - step] if i >= step else 0
        guess = (0, left, above[i], (left + above[i]) // 2, paeth(left, above[i], corner))[kind]
        out.append((value - guess) & 255)
    return bytes(out)


def write_png(samples: np.ndarray, depth: int, colour: int, palette=None, transparency: bytes = b"", interlaced=False,
              filters=lambda: 0, pieces: int = 1, before: bytes = b"", after: bytes = b"") -> bytes:
    """samples [height, width, channels]; palette [n, 3]; filters() gives each row's filter type."""
    height, width = samples.shape[:2]
    step = max(1, depth * PNG_CHANNELS[colour] // 8)
    raw = bytearray()
    for x0, y0, dx, dy in ADAM7 if interlaced else [(0, 0, 1, 1)]:
        part = samples[y0::dy, x0::dx]
        if part.size == 0:
            continue
        above = bytes(len(pack_samples(part[0], depth)))
        for row in part:
            packed = pack_samples(row, depth)
            raw += filter_row(filters(), packed, above, step)
            above = packed
    data = zlib.compress(bytes(raw))
    out = b"\x89PNG\r\n\x1a\n"
    out += png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(interlaced))) + before
    if palette is not None:
        out += png_chunk(b"PLTE", np.asarray(palette, np.uint8).tobytes())
    if transparency:
        out += png_chunk(b"tRNS", transparency)
    size = -(-len(data) // pieces)
    for i in range(0, len(data), size):
        out += png_chunk(b"IDAT", data[i:i + size])
    return out + after + png_chunk(b"IEND", b"")


def random_png(rng):
    colour = int(rng.choice([0, 2, 3, 4, 6]))
    depth = int(rng.choice(PNG_DEPTHS[colour]))
    height, width = (int(v) for v in rng.integers(1, 40, 2))
    interlaced = bool(rng.random() < 0.4)
    palette, transparency = None, b""
    if colour == 3:
        count = int(rng.integers(1, 2 ** depth + 1))
        palette = rng.integers(0, 256, (count, 3))
        # Now and then indices beyond the palette.
        top = (2 ** depth if rng.random() < 0.2 else count) - 1
        if rng.random() < 0.5:
            transparency = bytes(rng.integers(0, 256, int(rng.integers(1, count + 1)), dtype=np.uint8))
    else:
        top = 2 ** depth - 1
        if colour in (0, 2) and rng.random() < 0.4:
            transparency = rng.integers(0, 2 ** depth, PNG_CHANNELS[colour]).astype(">u2").tobytes()
    samples = smooth(rng, height, width, PNG_CHANNELS[colour], top)
    if depth == 16 and rng.random() < 0.5:
        samples = samples // 200  # around the limit of a byte
    before = b"".join(c for c in (png_chunk(b"gAMA", struct.pack(">I", 45455)), png_chunk(b"tEXt", b"k\0v"))
                      if rng.random() < 0.3)
    data = write_png(samples, depth, colour, palette, transparency, interlaced, lambda: int(rng.integers(0, 5)),
                     int(rng.integers(1, 4)), before, png_chunk(b"tIME", bytes(7)) if rng.random() < 0.2 else b"")
    return f"png-c{colour}-d{depth}{'-interlaced' if interlaced else ''}", data


# --- BMP ------------------------------------------------------------------------------------------------------------

BMP_MASKS_32 = [(0xFF0000, 0xFF00, 0xFF, 0), (0xFF000000, 0xFF0000, 0xFF00, 0), (0xFF000000, 0xFF00, 0xFF, 0),
                (0xFF000000, 0xFF0000, 0xFF00, 0xFF), (0xFF, 0xFF00, 0xFF0000, 0xFF000000),
                (0xFF0000, 0xFF00, 0xFF, 0xFF000000), (0xFF000000, 0xFF00, 0xFF, 0xFF0000), (0, 0, 0, 0)]
BMP_MASKS_16 = [(0xF800, 0x7E0, 0x1F), (0x7C00, 0x3E0, 0x1F)]


def write_bmp(width: int, height: int, bits: int, data: bytes, header: int = 40, compression: int = 0, palette: bytes = b"",
              colours: int = 0, masks=(), top_down=False, gap: int = 0, offset=None) -> bytes:
    """palette holds B, G, R and, but for headers of 12 bytes, a fourth byte per colour."""
    if header == 12:
        head = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        head = struct.pack("<IiiHHIIiiII", header, width, -height if top_down else height, 1, bits, compression, len(data),
                           2835, 2835, colours, 0)
        extra = struct.pack(f"<{len(masks)}I", *masks)
        head += extra if header == 40 else extra[:header - 40].ljust(header - 40, b"\0")
    start = 14 + len(head) + len(palette) + gap
    body = head + palette + bytes(gap) + data
    return b"BM" + struct.pack("<IHHI", 14 + len(body), 0, 0, start if offset is None else offset) + body


def bmp_rows(rows) -> bytes:
    return b"".join(row + bytes(-len(row) % 4) for row in rows)


def encode_runs(rng, indices: np.ndarray, four_bits: bool, start: int) -> bytes:
    """Run-length data of one image in any mixture of runs, single pixels, jumps over zeros and ends of line."""
    out = bytearray()
    height, width = indices.shape

    def single(values):
        out.extend((0, len(values)))
        if four_bits:
            padded = list(values) + [0] * (len(values) % 2)
            out.extend(a << 4 | b for a, b in zip(padded[::2], padded[1::2]))
        else:
            out.extend(values)
        if (start + len(out)) % 2:
            out.append(0)

    for y in range(height):
        row, x = [int(v) for v in indices[y]], 0
        while x < width:
            rest = row[x:]
            zeros = next((i for i, v in enumerate(rest) if v), len(rest))
            if x > 0 and zeros == len(rest) and rng.random() < 0.5:
                break  # the end of line fills with zeros; of an empty line Pillow loses it
            if zeros and zeros < len(rest) and rng.random() < 0.3:
                count = min(zeros, 255)
                out.extend((0, 2, count, 0))
                x += count
                continue
            length = int(rng.integers(3, 12))
            if rng.random() < 0.4 and len(rest) >= 3:
                single(rest[:length])
                x += min(length, len(rest))
                continue
            if four_bits:
                pair = rest[:2] + rest[:1] if len(rest) == 1 else rest[:2]
                count = next((i for i, v in enumerate(rest) if v != pair[i % 2]), len(rest))
                value = pair[0] << 4 | pair[1]
            else:
                count = next((i for i, v in enumerate(rest) if v != rest[0]), len(rest))
                value = rest[0]
            count = min(count, 255)
            # A run may leave the row: readers cut it.
            long = count + 3 if count == len(rest) and count < 250 and rng.random() < 0.2 else count
            out.extend((long, value))
            x += count
        out.extend((0, 0))
    out.extend((0, 1))
    return bytes(out)


def random_bmp(rng):
    height, width = (int(v) for v in rng.integers(1, 40, 2))
    header = int(rng.choice([12, 40, 40, 40, 52, 56, 64, 108, 124]))
    top_down = bool(header != 12 and rng.random() < 0.4)
    bits = int(rng.choice([1, 4, 8, 16, 24, 32] if header != 12 else [1, 4, 8, 24]))
    gap = int(rng.choice([0, 0, 1, 2, 7]))
    if bits <= 8:
        count = 2 ** bits if header == 12 else int(rng.integers(1, 2 ** bits + 1))
        entries = rng.integers(0, 256, (count, 3))
        if rng.random() < 0.25:
            # Palettes that Pillow drops; smaller ones it would read wrongly for these depths.
            count = {1: 2, 4: 16, 8: 256}[bits]
            entries = np.repeat(np.arange(count)[:, None] * (255 if bits == 1 else 1), 3, 1)
            if bits == 4:
                entries[3, 1] += 1
        step = 3 if header == 12 else 4
        palette = b"".join(bytes(int(v) for v in e) + bytes(step - 3) for e in entries)
        indices = smooth(rng, height, width, 1, max(0, count - 1))[..., 0]
        if rng.random() < 0.1:
            indices = smooth(rng, height, width, 1, 2 ** bits - 1)[..., 0]
        colours = 0 if count == 2 ** bits and rng.random() < 0.5 else count
        start = 14 + header + len(palette) + gap
        if bits in (4, 8) and header != 12 and rng.random() < 0.5:
            data = encode_runs(rng, indices, bits == 4, start)
            name = f"bmp-rle{bits}"
            return name, write_bmp(width, height, bits, data, header, 1 if bits == 8 else 2, palette, colours,
                                   top_down=top_down, gap=gap)
        data = bmp_rows(pack_samples(row, bits) for row in indices)
        offset = 14 + header if gap == 0 and rng.random() < 0.2 else 0 if gap == 0 and rng.random() < 0.2 else None
        return f"bmp-{bits}", write_bmp(width, height, bits, data, header, 0, palette, colours, top_down=top_down, gap=gap,
                                        offset=offset)
    compression, masks = 0, ()
    if header != 12 and rng.random() < 0.6:
        compression = 3
        choices = {16: BMP_MASKS_16, 24: [BMP_MASKS_32[0][:3]], 32: BMP_MASKS_32}[bits]
        masks = choices[int(rng.integers(len(choices)))]
        if header == 40:
            masks = masks[:3]
        elif header == 52 and len(masks) == 4 and masks[3]:
            masks = BMP_MASKS_32[0]
        if bits == 32 and header == 40 and (*masks, 0) not in BMP_MASKS_32:
            masks = BMP_MASKS_32[0][:3]
    data = bmp_rows(rng.integers(0, 256, (height, width * bits // 8), dtype=np.uint8)[i].tobytes() for i in range(height))
    return f"bmp-{bits}{'-masks' if masks else ''}", write_bmp(width, height, bits, data, header, compression, masks=masks,
                                                               top_down=top_down, gap=gap)


# --- JPEG and WebP, through Pillow ----------------------------------------------------------------------------------

def saved(image: Image.Image, kind: str, **options) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def picture(rng, height: int, width: int, mode: str) -> Image.Image:
    channels = {"L": 1, "RGB": 3, "RGBA": 4, "CMYK": 4}[mode]
    array = smooth(rng, height, width, channels).astype(np.uint8)
    return Image.fromarray(array[..., 0] if channels == 1 else array, mode)


def as_ycck(jpeg: bytes) -> bytes:
    """The same four-component data declared as YCCK instead of CMYK: the transform flag of the Adobe segment."""
    at = jpeg.index(b"Adobe") + 11
    return jpeg[:at] + b"\x02" + jpeg[at + 1:]


def random_jpeg(rng):
    height, width = (int(v) for v in rng.integers(1, 70, 2))
    mode = str(rng.choice(["L", "RGB", "RGB", "RGB", "CMYK"]))
    options = {"quality": int(rng.integers(1, 101)), "progressive": bool(rng.random() < 0.4),
               "optimize": bool(rng.random() < 0.3), "subsampling": int(rng.integers(0, 3))}
    name = f"jpeg-{mode}-{options['subsampling']}{'-progressive' if options['progressive'] else ''}"
    if rng.random() < 0.2:
        options["restart_marker_blocks"] = int(rng.integers(1, 9))
    if rng.random() < 0.2:
        options["comment"] = "x" * int(rng.integers(1, 300))
    if mode == "RGB" and rng.random() < 0.15:
        options["keep_rgb"], options["subsampling"] = True, 0
        name = "jpeg-keep-rgb"
    if rng.random() < 0.1:
        exif = Image.Exif()
        exif[0x0112] = int(rng.integers(1, 9))
        options["exif"] = exif
    data = saved(picture(rng, height, width, mode), "JPEG", **options)
    if mode == "CMYK" and rng.random() < 0.5:
        data, name = as_ycck(data), "jpeg-ycck"
    return name, data


def random_webp(rng):
    height, width = (int(v) for v in rng.integers(1, 60, 2))
    mode = str(rng.choice(["RGB", "RGBA"]))
    options = {"quality": int(rng.integers(0, 101)), "lossless": bool(rng.random() < 0.4), "method": int(rng.integers(0, 5)),
               "exact": bool(rng.random() < 0.5)}
    name = f"webp-{mode}{'-lossless' if options['lossless'] else ''}"
    if rng.random() < 0.25:
        frames = [picture(rng, height, width, "RGBA") for _ in range(int(rng.integers(1, 4)))]
        options.update(save_all=True, append_images=frames, minimize_size=bool(rng.random() < 0.5),
                       background=tuple(int(v) for v in rng.integers(0, 256, 4)))
        name += "-animated"
    if rng.random() < 0.1:
        options["icc_profile"] = bytes(range(100))
    return name, saved(picture(rng, height, width, mode), "WEBP", **options)


RANDOM_FILES = {"png": random_png, "bmp": random_bmp, "jpeg": random_jpeg, "webp": random_webp}
