"""plot_bench.py: draws what the records say, and says what it lacks."""
import contextlib
import io
import json
import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))
import plot_bench  # noqa: E402

try:
    import matplotlib
except ImportError:
    matplotlib = None

PEAKS = [{"bench": "peak", "what": "f32 avx512", "threads": 1, "gflops": 200.0, "cpu": "A CPU"},
         {"bench": "peak", "what": "read 262144 KiB a thread", "threads": 1, "gbytes_per_s": 20.0}]
KERNELS = [{"bench": "kernels", "op": "linear", "shape": f"{m}x768x768", "isa": "avx512", "threads": 1, "gflops": 10.0 * m,
            "gbytes_per_s": 8.0} for m in (1, 12)]
ENCODES = [{"bench": "encode", "engine": engine, "workload": "image-1", "tower": "image", "batch": 1, "precision": "f32",
            "median_ms": ms, "model": "/a/b16"} for engine, ms in (("tuwen", 10.0), ("openvino", 12.0), ("tuwen", 11.0))]


class Data(unittest.TestCase):
    def test_roofline(self):
        compute, memory, points = plot_bench.roofline_data(PEAKS + KERNELS, 1)
        self.assertEqual(compute, {"f32 avx512": 200.0})
        self.assertEqual(list(memory.values()), [20.0])
        self.assertEqual([p[1] for p in points], [1.25, 15.0])
        for records in (KERNELS, PEAKS):
            self.assertRaises(plot_bench.BadInput, plot_bench.roofline_data, records, 1)

    def test_bars(self):
        failed = {"bench": "encode", "engine": "x", "workload": "image-1", "precision": "f32", "error": "no such engine"}
        self.assertEqual(plot_bench.bars_data([*ENCODES, failed]), {("b16", "image-1", "f32"): {"tuwen": 10.5, "openvino": 12.0}})
        self.assertRaises(plot_bench.BadInput, plot_bench.bars_data, PEAKS)


class Files(unittest.TestCase):
    def draw(self, what, records, name):
        with tempfile.TemporaryDirectory() as folder:
            source, target = pathlib.Path(folder, "r.jsonl"), pathlib.Path(folder, name)
            source.write_text("".join(json.dumps(r) + "\n" for r in records))
            err = io.StringIO()
            with contextlib.redirect_stderr(err):
                status = plot_bench.main([what, str(source), "-o", str(target)])
            return status, err.getvalue(), target.read_bytes() if target.exists() else b""

    @unittest.skipIf(matplotlib, "matplotlib is installed")
    def test_says_that_matplotlib_is_missing(self):
        status, err, _ = self.draw("bars", ENCODES, "bars.svg")
        self.assertEqual((status, "python3-matplotlib" in err), (2, True))

    @unittest.skipUnless(matplotlib, "matplotlib is not installed")
    def test_draws(self):
        for what, records in (("roofline", PEAKS + KERNELS), ("bars", ENCODES)):
            status, err, content = self.draw(what, records, f"{what}.svg")
            self.assertEqual((status, err), (0, ""))
            self.assertIn(b"<svg", content)
            self.assertEqual(self.draw(what, records, f"{what}.svg")[2], content)
            self.assertTrue(self.draw(what, records, f"{what}.png")[2].startswith(b"\x89PNG"))
        self.assertEqual(self.draw("bars", PEAKS, "bars.svg")[0], 2)


if __name__ == "__main__":
    unittest.main()
