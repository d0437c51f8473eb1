#!/usr/bin/env python3
"""Draws a red apple on a table as PNG. Usage: draw_picture.py OUT.png   (needs nothing but Python)"""
import math
import struct
import sys
import zlib

WIDTH, HEIGHT = 320, 240


def colour(x: int, y: int):
    u, v = (x - 160) / 70, (y - 130) / 66
    if abs(x - 163 - (90 - y) * 0.15) < 3 and 52 < y < 84:
        return 96, 64, 32  # stalk
    leaf_x, leaf_y = (x - 188) * 0.87 + (y - 62) * 0.5, (y - 62) * 0.87 - (x - 188) * 0.5
    if (leaf_x / 24) ** 2 + (leaf_y / 10) ** 2 < 1:
        return 60, 150, 60
    dimple = 0.22 * math.exp(-((u / 0.28) ** 2)) if v < 0 else 0.1 * math.exp(-((u / 0.2) ** 2))
    radius = math.hypot(u, v) / (1 - dimple)
    if radius < 1:
        shade = 1 - 0.45 * radius**2
        gleam = max(0.0, 1 - math.hypot(u + 0.4, v + 0.4) / 0.35)
        return int(215 * shade + 40 * gleam), int(30 * shade + 200 * gleam * 0.7), int(35 * shade + 200 * gleam * 0.7)
    if y > 170:
        return 176 - (y - 170) // 3, 132 - (y - 170) // 3, 84
    return 214, 226 - y // 12, 236


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    rows = b"".join(b"\0" + bytes(c for x in range(WIDTH) for c in colour(x, y)) for y in range(HEIGHT))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
    with open(sys.argv[1], "wb") as out:
        out.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
