"""What the tests of the command line share."""
import ast
import math
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
CLI = os.environ["TUWEN_CLI"]
MODEL = os.path.join(os.environ["TUWEN_TEST_DATA"], "models", "base")
EMBEDDING, TOKENS, WIDTH = 20, 10, 40


def run(*arguments, stdin=b"", status=0, **options):
    words = [a if isinstance(a, bytes) else str(a) for a in arguments]
    done = subprocess.run([CLI, *words], input=stdin, capture_output=True, timeout=240, **options)
    if done.returncode != status:
        raise AssertionError(f"{arguments}: status {done.returncode}, expected {status}\n{done.stdout}\n{done.stderr}")
    return done


def size_of(path):
    """Bytes of a file that another process may make or remove at any moment; 0 if there is none."""
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def read_npy(path):
    """(shape, rows of floats) of a .npy file of float32."""
    data = pathlib.Path(path).read_bytes()
    assert data[:8] == b"\x93NUMPY\x01\x00", data[:8]
    (length,) = struct.unpack("<H", data[8:10])
    header = ast.literal_eval(data[10 : 10 + length].decode())
    assert (10 + length) % 64 == 0 and header["descr"] == "<f4" and not header["fortran_order"], header
    values = struct.unpack(f"<{(len(data) - 10 - length) // 4}f", data[10 + length :])
    assert len(values) == math.prod(header["shape"]), header
    each = math.prod(header["shape"][1:])
    return header["shape"], [values[i : i + each] for i in range(0, len(values), each)]


def as_float32(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


class CommandLine(unittest.TestCase):
    """With a folder of its own, and two pictures in it."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.dir = pathlib.Path(cls.folder.name)
        cls.apple = cls.dir / "苹果.png"
        subprocess.run([sys.executable, ROOT / "scripts/draw_picture.py", cls.apple], check=True)
        cls.grey = cls.dir / "grey.bmp"  # 2x2, 24 bits
        cls.grey.write_bytes(b"BM" + struct.pack("<IHHI", 70, 0, 0, 54) +
                             struct.pack("<IiiHHIIiiII", 40, 2, 2, 1, 24, 0, 16, 0, 0, 0, 0) +
                             (b"\x40" * 6 + b"\0\0") * 2)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def path(self, name):
        return str(self.dir / name)

    def fails(self, *arguments, status=1, says=(), **options):
        done = run(*arguments, status=status, **options)
        message = done.stderr.decode()
        self.assertTrue(message.startswith("tuwen: "), message)
        for part in says:
            self.assertIn(part, message)
        return message
