"""bench_compare.py: ratios, the noise band, exit statuses, bad input."""
import contextlib
import io
import json
import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))
import bench_compare  # noqa: E402


def record(median, sd=0.1, **more):
    return {"bench": "encode", "tower": "image", "batch": 1, "threads": 2, "median_ms": median, "sd_ms": sd, "p95_ms": median + 2 * sd,
            "runs": 20, "items_per_s": 1e3 / median, "cosine": 1.0, "model": "/a/b16", "cpu": "A", "commit": "1", "date": "now", **more}


class BenchCompare(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def compare(self, old, new, *options):
        """(exit status, stdout, stderr); files as text, or records to write as jsonl."""
        for name, content in (("old", old), ("new", new)):
            if not isinstance(content, str):
                content = "".join(json.dumps(r) + "\n" for r in content)
            (self.folder / name).write_text(content)
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = bench_compare.main([str(self.folder / "old"), str(self.folder / "new"), *options])
        return status, out.getvalue(), err.getvalue()

    def test_regression_beyond_the_band(self):
        status, out, _ = self.compare([record(100)], [record(110)])
        self.assertEqual(status, 1)
        self.assertIn("1.100", out)
        self.assertIn("1 slower, 0 same, 0 faster", out)

    def test_within_the_band(self):
        self.assertEqual(self.compare([record(100)], [record(102)])[0], 0)
        self.assertEqual(self.compare([record(100, sd=5)], [record(110, sd=5)])[0], 0)
        self.assertEqual(self.compare([record(100)], [record(110)], "--least", "0.2")[0], 0)
        self.assertIn("1 faster", self.compare([record(100)], [record(80)])[1])

    def test_a_few_outliers_do_not_widen_the_band(self):
        old = record(100, sd=40, p95_ms=101)  # a run of twenty was disturbed
        self.assertEqual(self.compare([old], [record(110)])[0], 1)

    def test_repeats_give_the_spread(self):
        old, new = [record(100), record(112), record(104)], [record(113), record(106)]
        self.assertEqual(self.compare(old, new)[0], 0)

    def test_rates_are_turned_round(self):
        peak = {"bench": "peak", "what": "f32", "threads": 1, "gflops": 100.0}
        status, out, _ = self.compare([peak], [{**peak, "gflops": 50.0}])
        self.assertEqual((status, "2.000" in out), (1, True))

    def test_benchmarks_are_told_apart(self):
        status, out, _ = self.compare([record(100), record(50, batch=8)], [record(100, model="/c/b16"), record(50, threads=1)])
        self.assertEqual(status, 0)
        self.assertEqual(out.count("only in"), 2)

    def test_json_array_and_other_machine(self):
        status, _, err = self.compare(json.dumps([record(100)]), [record(100, cpu="B")])
        self.assertEqual(status, 0)
        self.assertIn("different machines", err)

    def test_bad_input(self):
        for bad in ("", "{", "[]", "[1]", '{"a": 1}\n', json.dumps(record(5, bench="load"))):
            with self.subTest(bad):
                status, _, err = self.compare([record(100)], bad)
                self.assertEqual(status, 2)
                self.assertTrue(err.startswith("bench_compare: "), err)
        with contextlib.redirect_stderr(io.StringIO()):
            self.assertEqual(bench_compare.main(["/nowhere", "/nowhere"]), 2)


if __name__ == "__main__":
    unittest.main()
