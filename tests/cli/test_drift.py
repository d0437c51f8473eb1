"""tuwen drift and calibration: what lower precisions change."""
import json
import unittest

from command_line import MODEL, CommandLine, run


class Drift(CommandLine):
    def check_difference(self, difference, least):
        self.assertGreaterEqual(1, difference["mean_cosine"])
        self.assertGreaterEqual(difference["mean_cosine"] + 1e-12, difference["worst_cosine"])
        self.assertGreater(difference["worst_cosine"], least)
        self.assertTrue(0 < difference["relative_error"] < 0.5, difference)

    def test_drift(self):
        result = json.loads(run("drift", MODEL, "--json").stdout)
        self.assertEqual(list(result), ["model", "reference", "images", "texts", "precisions"])
        self.assertEqual([p["precision"] for p in result["precisions"]], ["bf16", "int8"])
        for precision in result["precisions"]:
            for kind, first in (("image", "vision.pre_layernorm"), ("text", "text.embeddings")):
                tower = first.split(".")[0]
                layers = precision[kind]["layers"]
                self.assertEqual([l["name"] for l in layers],
                                 [first] + [f"{tower}.layers.{i}.{half}" for i in range(2) for half in ("attention", "output")])
                for layer in layers[1:]:
                    self.check_difference(layer, 0.95)
                embedding = precision[kind]["embedding"]
                self.check_difference(embedding, 0.95)
                self.assertEqual(len(embedding["cosines"]), len(result[kind + "s"]))
                self.assertEqual(min(embedding["cosines"]), embedding["worst_cosine"])
            changes = precision["probabilities"]
            self.assertTrue(0 < changes["mean_change"] <= changes["largest_change"] <= 1, changes)
            self.assertLessEqual(changes["first_changed"], len(result["images"]))
        self.assertLess(result["precisions"][0]["text"]["embedding"]["relative_error"],
                        result["precisions"][1]["text"]["embedding"]["relative_error"])
        # The text tower's first matrix is a sum of table rows, which no precision rounds.
        self.assertEqual(result["precisions"][1]["text"]["layers"][0]["relative_error"], 0)

        text = run("drift", MODEL, "--threads", "1").stdout.decode()
        for part in ("bf16: cosine", "int8: cosine", "vision.layers.1.output", "text embedding", "largest change"):
            self.assertIn(part, text)

    def test_drift_of_given_inputs(self):
        images, texts = [str(self.apple), str(self.grey)], ["一", "b c"]
        (self.dir / "pictures.txt").write_text("\n".join(images))
        given = ["--image", *images, "--text", *texts]
        result = json.loads(run("drift", MODEL, "--precision", "int8", *given, "--json").stdout)
        self.assertEqual((result["images"], result["texts"]), (images, texts))
        self.assertEqual([p["precision"] for p in result["precisions"]], ["int8"])
        listed = ["--images", self.path("pictures.txt"), "--texts", "-"]
        self.assertEqual(json.loads(run("drift", MODEL, "--precision", "int8,int8", *listed, "--json",
                                        stdin="\n".join(texts).encode()).stdout), result)
        # What it says of probabilities is what similarity shows.
        probs = [json.loads(run("similarity", MODEL, *given, "--precision", p, "--json").stdout)["probs"]
                 for p in ("f32", "int8")]
        changes = [abs(a - b) for rows in zip(*probs) for a, b in zip(*rows)]
        said = result["precisions"][0]["probabilities"]
        self.assertAlmostEqual(said["largest_change"], max(changes), delta=1e-6)
        self.assertAlmostEqual(said["mean_change"], sum(changes) / len(changes), delta=1e-6)

    def test_calibration(self):
        (self.dir / "calibration.txt").write_text("\n".join([str(self.apple), str(self.grey)]))
        lists = ["--calibrate-images", self.path("calibration.txt"), "--calibrate-texts", "-"]
        base = ["similarity", MODEL, "--image", str(self.apple), "--text", "一", "b", "--json"]

        def logits(*more, **options):
            return json.loads(run(*base, "--precision", "int8", *more, **options).stdout)["logits_per_image"][0]

        def drift(*more, **options):
            result = json.loads(run("drift", MODEL, *more, "--json", **options).stdout)
            return {p["precision"]: p for p in result["precisions"]}

        plain = logits()
        given = logits(*lists, stdin="a b\n一 二".encode())
        self.assertNotEqual(given, plain)
        self.assertEqual(given, logits(*lists, "--threads", "1", stdin="a b\n一 二".encode()))
        for a, b in zip(plain, given):
            self.assertAlmostEqual(a, b, delta=5)
        plain, given = drift(), drift(*lists, stdin=b"a b")
        self.assertEqual(plain["bf16"], given["bf16"])
        self.assertNotEqual(plain["int8"], given["int8"])

        for precision in ("f32", "bf16"):
            self.fails(*base, "--precision", precision, *lists, status=2, says=["--calibrate-images", "int8"])
        self.fails(*base, "--calibrate-texts", "-", status=2, says=["--calibrate-texts", "int8"])
        self.fails(*base, "--precision", "int8", "--calibrate-images", "", status=2, says=["--calibrate-images", "empty"])
        self.fails(*base, "--precision", "int8", "--calibrate-texts", self.path("none.txt"), says=["none.txt"])
        self.fails(*base, "--precision", "int8", "--calibrate-texts", "-", says=["no texts"])
        self.fails(*base, "--precision", "int8", "--calibrate-images", "-", stdin=b"\n", says=["no pictures"])
        self.fails(*base, "--precision", "int8", "--calibrate-images", "-", stdin=b"nothing.png", says=["nothing.png"])

    def test_drift_of_what_cannot_be_had(self):
        self.fails("drift", self.path("nowhere"), says=["nowhere"])
        self.fails("drift", MODEL, "--image", self.path("nothing.png"), says=["nothing.png"])
        self.fails("drift", MODEL, "--text", "a", "b " * 100, says=["text[1]", "at most 20 tokens"])
        self.fails("drift", MODEL, "--texts", self.path("none.txt"), says=["none.txt"])
        (self.dir / "no lines.txt").write_bytes(b"")
        self.fails("drift", MODEL, "--images", self.path("no lines.txt"), says=["no lines.txt", "no pictures"])
        self.fails("drift", MODEL, "--texts", self.path("no lines.txt"), says=["no lines.txt", "no texts"])


if __name__ == "__main__":
    unittest.main()
