"""bench/peers: order, table, records and failures of compare, with engines that only pretend; batches of the shared module."""
import contextlib
import importlib.machinery
import importlib.util
import io
import json
import os
import pathlib
import sys
import tempfile
import types
import unittest

try:
    import numpy as np
except ImportError:
    print("numpy is not installed: skipped")
    sys.exit(77)

sys.dont_write_bytecode = True
PEERS = pathlib.Path(__file__).resolve().parents[2] / "bench/peers"
sys.path.insert(0, str(PEERS))
import shared  # noqa: E402

loader = importlib.machinery.SourceFileLoader("compare", str(PEERS / "compare"))
compare = importlib.util.module_from_spec(importlib.util.spec_from_loader("compare", loader))
loader.exec_module(compare)

# Stands for both tuwen-bench and the Python of the engines; keeps a list of what it was asked.
PRETENDER = """#!{python} -B
import json, os, pathlib, sys
import numpy as np
arguments = sys.argv[1:]
folder = pathlib.Path({folder!r})
value = lambda name: arguments[arguments.index(name) + 1]
script = pathlib.Path(arguments[1]).name if arguments[0] == "-B" else "tuwen"
with open(folder / "calls", "a") as calls:
    print(script, value("--precision") if "--precision" in arguments else "", file=calls)
if script == "tuwen":
    if "--precision" in arguments and value("--precision") == "bf16":
        sys.exit("--precision: bf16 not in [f32,int8]")
    stem = pathlib.Path(value("--save"), "image-" + value("--batch"))
    np.save(f"{{stem}}.pixels.npy", np.ones((1, 3, 2, 2), np.float32))
    np.save(f"{{stem}}.embeddings.npy", np.ones((1, 4), np.float32))
    print(json.dumps({{"bench": "encode", "median_ms": 10.0, "p95_ms": 11.0}}))
elif script == "reference.py":
    sys.path.insert(0, {peers!r})
    import shared
    checksum = shared.load_inputs(arguments[3])[1]
    name = os.path.basename(arguments[3])
    np.save(f"{{value('--cache')}}/reference-{{name}}-{{checksum:08x}}.npy", np.ones((1, 4), np.float32))
elif script == "peer_openvino.py":
    print("a line that is no record")
    print(json.dumps({{"bench": "encode", "median_ms": 15.0, "p95_ms": 16.0, "cosine": 0.5, "form": "static"}}))
else:
    sys.exit("first line\\nImportError: no such engine")
"""


class Compare(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        pretender = self.folder / "bin/python"
        pretender.parent.mkdir()
        pretender.write_text(PRETENDER.format(python=sys.executable, folder=str(self.folder), peers=str(PEERS)))
        pretender.chmod(0o755)
        self.model = self.folder / "model"
        self.model.mkdir()
        (self.model / "config.json").write_text("{}")
        (self.model / "model.safetensors").write_bytes(b"weights")

    def run_compare(self, *arguments):
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
            status = compare.main([str(self.model), "--bench", str(self.folder / "bin/python"), "--venv", str(self.folder), "--cache",
                                   str(self.folder / "cache"), "-o", str(self.folder / "records"), "--workloads", "image-1", *arguments])
        rows = [line.strip("| ").split(" | ") for line in out.getvalue().splitlines() if line.startswith("| image-1")]
        records = [json.loads(line) for line in (self.folder / "records").read_text().splitlines()]
        calls = (self.folder / "calls").read_text().split("\n")[:-1]
        return status, rows, records, calls

    def test_alternates_and_reports(self):
        status, rows, records, calls = self.run_compare("--precisions", "f32", "--peers", "openvino,onnxruntime", "--rounds", "2")
        self.assertEqual(status, 0)
        self.assertEqual([c.split()[0] for c in calls if "reference" not in c],
                         ["tuwen", "peer_openvino.py", "tuwen", "peer_onnxruntime.py", "tuwen"] * 2)
        self.assertEqual(rows[0], ["image-1", "f32", "openvino", "10.00", "11.00", "15.00", "16.00", "1.50", "1.000000", "0.500000", "static"])
        self.assertEqual((rows[1][2], rows[1][5], rows[1][-1]), ("onnxruntime", "", "ImportError: no such engine"))
        self.assertEqual([r["engine"] for r in records], ["tuwen", "openvino", "tuwen", "onnxruntime", "tuwen"] * 2)
        self.assertEqual(records[3]["error"], "ImportError: no such engine")

    def test_what_tuwen_cannot_do_is_asked_once(self):
        status, rows, records, calls = self.run_compare("--precisions", "f32,bf16", "--peers", "openvino", "--rounds", "2")
        self.assertEqual(status, 1)
        self.assertEqual(sum(c == "tuwen bf16" for c in calls), 1)
        bf16 = next(r for r in rows if r[1] == "bf16")
        self.assertEqual((bf16[3], bf16[5], bf16[7]), ("", "15.00", ""))
        self.assertIn("bf16 not in", bf16[-1])

    def test_wrong_command_lines(self):
        for wrong in (["--peers", "nothing"], ["--precisions", "f64"], ["--bench", "/nowhere"]):
            with self.assertRaises(SystemExit) as stop, contextlib.redirect_stderr(io.StringIO()):
                self.run_compare(*wrong)
            self.assertEqual(stop.exception.code, 2)


class Batches(unittest.TestCase):
    def setUp(self):
        self.job = types.SimpleNamespace(items=[np.arange(1, 1 + n) for n in (3, 5, 3, 4)])

    def test_equal_lengths_together(self):
        parts = list(shared.batches(self.job, None))
        self.assertEqual([part for part, _ in parts], [[0, 2], [3], [1]])
        self.assertEqual([len(arrays) for _, arrays in parts], [1, 1, 1])

    def test_padded_to_the_longest_of_the_batch(self):
        (first, one), (second, two) = shared.batches(self.job, 2)
        self.assertEqual((first, second), ([0, 2], [3, 1]))
        self.assertEqual(len(one), 1)
        np.testing.assert_array_equal(two[0], [[1, 2, 3, 4, 0], [1, 2, 3, 4, 5]])
        np.testing.assert_array_equal(two[1], [[1, 1, 1, 1, 0], [1, 1, 1, 1, 1]])

    def test_results_come_back_in_order(self):
        for size in (None, 1, 2, 3, 4):
            encode = shared.encoder(self.job, lambda arrays: lambda: arrays[0].max(-1, keepdims=True), size)
            np.testing.assert_array_equal(np.ravel(encode()), [3, 5, 3, 4])


if __name__ == "__main__":
    unittest.main()
