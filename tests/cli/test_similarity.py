"""tuwen similarity: numbers, and pictures and texts that cannot be had."""
import json
import math
import unittest

from command_line import MODEL, CommandLine, run


class Similarity(CommandLine):
    def test_similarity(self):
        images, texts = [str(self.apple), str(self.grey)], ["一", "b c", ""]
        result = json.loads(run("similarity", MODEL, "--image", *images, "--text", *texts, "--json").stdout)
        self.assertEqual(list(result), ["model", "images", "texts", "logits_per_image", "probs"])
        self.assertEqual((result["images"], result["texts"]), (images, texts))
        for logits, probs in zip(result["logits_per_image"], result["probs"], strict=True):
            self.assertEqual((len(logits), len(probs)), (3, 3))
            total = sum(math.exp(l) for l in logits)
            for l, p in zip(logits, probs):
                self.assertAlmostEqual(p, math.exp(l) / total, delta=1e-6)
        # Full precision: what is printed is a float32 to the last bit.
        alone = json.loads(run("similarity", MODEL, "--image", images[1], "--text", *texts, "--json").stdout)
        self.assertEqual(alone["logits_per_image"][0], result["logits_per_image"][1])

        text = run("similarity", MODEL, "--image", *images, "--text", *texts, "--threads", "1").stdout.decode()
        lines = text.splitlines()
        self.assertEqual(len(lines), 2 * 4)
        self.assertEqual(lines[0], images[0])
        for line, p in zip(lines[1:4], result["probs"][0]):
            self.assertAlmostEqual(float(line.split("%")[0]), 100 * p, delta=1e-4)

    def test_a_device_that_is_missing(self):
        arguments = ["similarity", MODEL, "--image", str(self.apple), "--text", "一", "--json"]
        on_cpu = run(*arguments, "--device", "cpu")
        self.assertEqual(on_cpu.stderr, b"")
        missing = run(*arguments, "--device", "cuda:999999")  # no machine has it
        self.assertEqual(missing.stdout, on_cpu.stdout)
        said = missing.stderr.decode()
        self.assertRegex(said, r'^tuwen: device "cuda.*; the CPU is used\n$')
        self.assertEqual(said.count("\n"), 1)
        self.fails(*arguments, "--device", "abacus", says=["device", '"cuda:0"', "abacus"])

    def test_pictures_that_cannot_be_read(self):
        broken = self.dir / "broken.png"
        broken.write_bytes(self.apple.read_bytes()[:500])
        self.fails("similarity", MODEL, "--image", self.path("nothing.png"), "--text", "a", says=["nothing.png"])
        self.fails("similarity", MODEL, "--image", str(broken), "--text", "a", says=["truncated", "broken.png"])
        self.fails("similarity", MODEL, "--image", __file__, "--text", "a", says=["test_similarity.py"])
        listing = "\n".join([str(self.apple)] * 20 + [str(broken), self.path("nothing.png")] + [str(self.grey)] * 9)
        for threads in "1", "4":  # the first in the list, whoever meets it first
            self.fails("embed", MODEL, "--images", "-", "--threads", threads, "--out", self.path("bad.npy"),
                       says=["truncated", "broken.png"], stdin=listing.encode())

    def test_text_too_long(self):
        self.fails("similarity", MODEL, "--image", str(self.grey), "--text", "a", "b " * 100,
                   says=["text[1]", "at most 20 tokens"])

    def test_a_text_that_is_too_long_is_found_in_a_long_list(self):
        texts = ["a"] * 700
        texts[600] = "b " * 100
        listing = self.dir / "long.txt"
        listing.write_text("\n".join(texts))
        for place, arguments in (("text[600]", ["embed", MODEL, "--texts", str(listing), "--out", self.path("x.npy")]),
                                 ("label[600] in template[0]", ["classify", MODEL, "--image", str(self.grey), "--labels", str(listing)])):
            message = self.fails(*arguments, says=[place, "at most 20 tokens", "found 102"])
            self.assertNotIn("options.", message)  # which are the library's

    def test_hostile_text(self):
        texts = ["\x1b[2J", "\"\\\n\t", "\x7f"]
        result = json.loads(run("similarity", MODEL, "--image", str(self.grey), "--text", *texts, "--json").stdout)
        self.assertEqual(result["texts"], texts)
        self.assertNotIn(b"\x1b", run("similarity", MODEL, "--image", str(self.grey), "--text", *texts).stdout)
        done = run("tokenize", MODEL, "--json", "--text", b"a\xff\xc3b")
        self.assertEqual(json.loads(done.stdout.decode("utf-8"))["texts"], ["a\ufffd\ufffdb"])


if __name__ == "__main__":
    unittest.main()
