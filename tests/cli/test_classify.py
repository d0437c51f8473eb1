"""tuwen classify: labels and templates."""
import json
import math
import unittest

from command_line import MODEL, CommandLine, read_npy, run


class Classify(CommandLine):
    def test_classify(self):
        labels = ["一", "二", "三", "a", "b", "c", "d"]
        base = ["classify", MODEL, "--template", "{}", "--image", str(self.apple), str(self.grey)]
        similarity = json.loads(run("similarity", MODEL, *base[4:], "--text", *labels, "--json").stdout)
        result = json.loads(run(*base, "--label", *labels, "--json").stdout)
        for row, expected in zip(result["results"], similarity["probs"], strict=True):
            predictions = row["predictions"]
            self.assertEqual(len(predictions), 5)
            self.assertEqual([p["prob"] for p in predictions], sorted(expected, reverse=True)[:5])
            for p in predictions:
                self.assertEqual(p["prob"], expected[p["index"]])
                self.assertEqual(p["label"], labels[p["index"]])
        listing = self.dir / "labels.txt"
        listing.write_bytes("\r\n".join(labels).encode() + b"\n\n")
        self.assertEqual(run(*base, "--labels", str(listing), "--json").stdout, run(*base, "--label", *labels, "--json").stdout)
        self.assertEqual(run(*base, "--labels", "-", "--json", stdin=listing.read_bytes()).stdout,
                         run(*base, "--label", *labels, "--json").stdout)
        listing.write_bytes(b"\xef\xbb\xbf" + listing.read_bytes())  # a byte order mark, as Windows' editors write it
        self.assertEqual(run(*base, "--labels", str(listing), "--json").stdout, run(*base, "--label", *labels, "--json").stdout)
        self.assertEqual(len(run(*base, "--label", *labels, "--top", "2").stdout.splitlines()), 2 * 3)
        self.fails(*base, "--labels", self.path("none.txt"), says=["none.txt"])
        empty = self.dir / "empty.txt"
        empty.write_bytes(b"\n")
        self.fails(*base, "--labels", str(empty), says=["empty.txt", "no labels"])

    def test_templates(self):
        labels, base = ["一", "二"], ["classify", MODEL, "--image", str(self.apple), "--json", "--label", "一", "二"]

        def probabilities(done):
            rows = json.loads(done.stdout)["results"][0]["predictions"]
            return [p["prob"] for p in sorted(rows, key=lambda p: p["index"])]

        one = probabilities(run(*base, "--template", "a {} b {}"))
        texts = [f"a {label} b {label}" for label in labels]
        expected = json.loads(run("similarity", MODEL, "--image", str(self.apple), "--text", *texts, "--json").stdout)
        self.assertEqual(one, expected["probs"][0])
        # Of several templates the normalised mean of the embeddings counts, computed here from embed's output.
        both = probabilities(run(*base, "--template", "{}", "a {}"))
        out, picture = self.path("t.npy"), self.path("i.npy")
        run("embed", MODEL, "--text", "一", "a 一", "二", "a 二", "--out", out)
        run("embed", MODEL, "--image", str(self.apple), "--out", picture)
        rows, (image,) = read_npy(out)[1], read_npy(picture)[1]
        scale = self.logit_scale()
        logits = []
        for a, b in (rows[:2], rows[2:]):
            mean = [x + y for x, y in zip(a, b)]
            length = math.sqrt(sum(m * m for m in mean))
            logits.append(scale * sum(m * i for m, i in zip(mean, image)) / length)
        total = sum(math.exp(l) for l in logits)
        for p, l in zip(both, logits):
            self.assertAlmostEqual(p, math.exp(l) / total, delta=1e-5)

    def logit_scale(self):
        result = json.loads(run("similarity", MODEL, "--image", str(self.apple), "--text", "一", "--json").stdout)
        out, picture = self.path("s.npy"), self.path("p.npy")
        run("embed", MODEL, "--text", "一", "--out", out)
        run("embed", MODEL, "--image", str(self.apple), "--out", picture)
        (a,), (b,) = read_npy(out)[1], read_npy(picture)[1]
        return result["logits_per_image"][0][0] / sum(x * y for x, y in zip(a, b))


if __name__ == "__main__":
    unittest.main()
