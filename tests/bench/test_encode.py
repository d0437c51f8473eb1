"""tuwen-bench: what it saves for other engines is what it encoded; batches of mixed lengths; texts from a file."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

try:
    import numpy as np
except ImportError:
    print("numpy is not installed: skipped")
    sys.exit(77)

ROOT = pathlib.Path(__file__).resolve().parents[2]
BENCH = os.environ["TUWEN_BENCH"]
MODEL = os.path.join(os.environ["TUWEN_TEST_DATA"], "models", "base")
ONCE = ["--warmup", "0", "--runs", "1", "--seconds", "0", "-o", "jsonl"]


def bench(*arguments, status=0):
    done = subprocess.run([BENCH, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != status:
        raise AssertionError(f"{arguments}: status {done.returncode}\n{done.stdout}\n{done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines()] if status == 0 else done.stderr


class Encode(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def load(self, name):
        return np.load(self.folder / f"{name}.npy")

    def test_saves_inputs_and_embeddings(self):
        images, texts = bench("encode", MODEL, "--tower", "image,text", "--batch", "3", "--tokens", "5", "--save", self.folder, *ONCE)
        self.assertEqual(images["saved"], str(self.folder / "image-3"))
        self.assertEqual(texts["tokens"], 5)
        pixels, embeddings = self.load("image-3.pixels"), self.load("image-3.embeddings")
        self.assertEqual((pixels.dtype, pixels.ndim, len(pixels), len(embeddings)), (np.float32, 4, 3, 3))
        self.assertFalse(np.array_equal(pixels[0], pixels[1]))
        np.testing.assert_array_equal(self.load("text-3x5.row_begin"), [0, 5, 10, 15])
        self.assertEqual(self.load("text-3x5.ids").shape, (15,))
        # The same inputs in a smaller batch give the same bits.
        bench("encode", MODEL, "--batch", "1", "--tokens", "5", "--save", self.folder, *ONCE)
        np.testing.assert_array_equal(self.load("image-1.embeddings")[0], embeddings[0])
        np.testing.assert_array_equal(self.load("text-1x5.embeddings")[0], self.load("text-3x5.embeddings")[0])

    def test_devices_that_are_not_there_are_left_out(self):
        for devices, then in (("cuda:99,cpu", "left out"), ("cuda:99", "the CPU is used")):
            done = subprocess.run([BENCH, "encode", MODEL, "--tower", "image", "--device", devices, *ONCE], capture_output=True, text=True)
            self.assertEqual(done.returncode, 0)
            self.assertRegex(done.stderr, rf'tuwen-bench: device "cuda.*; {then}\n')  # without a driver none has a number
            self.assertEqual([json.loads(line)["device"] for line in done.stdout.splitlines()], ["cpu"])

    def test_demo_names_the_model_of_the_source_tree(self):
        place = ROOT / "demo" / "model"
        if (place / "config.json").exists():
            self.assertEqual(bench("load", "demo", *ONCE)[0]["model"], str(place))
        else:
            message = bench("load", "demo", *ONCE, status=1)
            self.assertIn(f"demo: expected the demo model in {place}, found no config.json", message)

    def test_mixed_lengths(self):
        model = self.folder / "tiny"  # which takes texts of 64 tokens
        subprocess.run([sys.executable, "-B", ROOT / "scripts/make_checkpoint.py", "--preset", "tiny", model], check=True,
                       stdout=subprocess.DEVNULL)
        record, = bench("encode", model, "--tower", "text", "--batch", "64", "--tokens", "8..32", "--save", self.folder, *ONCE)
        self.assertEqual((record["batch"], record["tokens"]), (64, "8..32"))
        lengths = np.diff(self.load("text-64x8..32.row_begin"))
        self.assertEqual((lengths.min(), lengths.max(), lengths.sum()), (8, 32, 1249))
        for wrong in ("32..8", "0..4", "5..x"):
            bench("encode", MODEL, "--tower", "text", "--tokens", wrong, *ONCE, status=2)

    def test_records_say_what_was_measured_on_what(self):
        for record in bench("encode", MODEL, "--batch", "2", "--tokens", "5", "--precision", "f32,bf16,int8", *ONCE):
            for field in ("bench tower batch tokens threads precision isa median_ms p95_ms items_per_s gflops peak_share times_floor floor_ms "
                          "cosine commit compiler cpu cpu_flags checkpoint").split():
                self.assertIn(field, record)
            self.assertRegex(record["checkpoint"], "^head\\+tail\\+size:[0-9a-f]{16}$")
            self.assertAlmostEqual(record["floor_ms"], max(record["floor_flops_ms"], record["floor_weights_ms"]))
            self.assertAlmostEqual(record["times_floor"], record["median_ms"] / record["floor_ms"])

    def test_a_profile_adds_up(self):
        for how in (["--profile"], ["--profile", "ops"], ["--profile", "layers"]):
            for precision in ("f32", "int8"):
                *parts, whole = bench("encode", MODEL, "--tower", "text", "--tokens", "5", "--precision", precision, *how, *ONCE)
                self.assertEqual((whole["bench"], whole["what"]), ("profile", "whole"))
                self.assertAlmostEqual(whole["ms"], whole["wall_ms"], delta=0.02 * whole["wall_ms"])
                self.assertAlmostEqual(sum(p["ms"] for p in parts), whole["ms"])
                self.assertAlmostEqual(sum(p["share"] for p in parts), 1)
                for p in parts:
                    kinds = ("compute_ms", "bandwidth_ms", "imbalance_ms", "barrier_ms", "between_ms")
                    self.assertAlmostEqual(sum(p[k] for k in kinds), p["ms"])
                    self.assertGreaterEqual(min(p[k] for k in kinds), 0)
                names = [p["what"] for p in parts]
                self.assertEqual(len(names), len(set(names)))
                if how[-1] == "layers":
                    self.assertIn("layer 0", names)
                else:
                    self.assertTrue(any(n.startswith("linear ") and n.endswith(precision) for n in names), names)
        self.assertIn("--profile", bench("encode", MODEL, "--profile", "rows", *ONCE, status=2))

    def test_threads(self):
        records = bench("threads", MODEL, "--rounds", "1", *ONCE)
        self.assertEqual({r["tower"] for r in records}, {"image", "text"})
        for r in records:
            self.assertAlmostEqual(r["ratio"], r["median_ms"] / r["undisturbed_median_ms"])

    def test_texts_of_a_file(self):
        file = self.folder / "texts.txt"
        file.write_text("一只猫\n\n两只狗在海边\n", encoding="utf-8")
        record, = bench("tokenize", MODEL, "--texts", file, *ONCE)
        self.assertEqual((record["texts"], record["tokens"] >= 6), (3, True))
        file.write_text("")
        self.assertIn("no line in", bench("tokenize", MODEL, "--texts", file, *ONCE, status=1))


if __name__ == "__main__":
    unittest.main()
