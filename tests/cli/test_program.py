"""The program as a whole: help, wrong command lines, output that cannot be written; info and selftest."""
import json
import os
import subprocess
import unittest

from command_line import CLI, EMBEDDING, MODEL, TOKENS, CommandLine, run


class Program(CommandLine):
    def test_help_and_version(self):
        self.assertIn(b"similarity", run("--help").stdout)
        self.assertRegex(run("--version").stdout.decode(), r"^tuwen \d+\.\d+\.\d+\n$")
        for command in ("info", "similarity", "classify", "embed", "tokenize", "drift"):
            text = run(command, "--help").stdout.decode()
            for option in ("MODEL", "--threads", "--precision", "--quiet"):
                self.assertIn(option, text, command)

    def test_wrong_command_lines(self):
        image = str(self.apple)
        for arguments in (
            [], ["frobnicate"], ["info"], ["info", MODEL, "--no-such-option"], ["similarity", MODEL],
            ["similarity", MODEL, "--image", image], ["similarity", MODEL, "--text", "a"],
            ["tokenize", MODEL], ["tokenize", MODEL, "--text", "a", "--threads", "0"],
            ["tokenize", MODEL, "--text", "a", "--threads", "two"],
            ["tokenize", MODEL, "--text", "a", "--precision", "f8"],
            ["classify", MODEL, "--image", image],
            ["classify", MODEL, "--image", image, "--label", "a", "--labels", "f"],
            ["classify", MODEL, "--image", image, "--label", "a", "--top", "0"],
            ["classify", MODEL, "--image", image, "--label", "a", "--template", "no place"],
            ["embed", MODEL, "--text", "a"], ["embed", MODEL, "--out", self.path("x.npy")],
            ["embed", MODEL, "--text", "a", "--image", image, "--out", self.path("x.npy")],
            ["embed", MODEL, "--text", "a", "--out", self.path("x.csv")],
            ["embed", MODEL, "--text", "a", "--patches", "--out", self.path("x.npy")],
            ["embed", MODEL, "--text", "a", "--batch", "0", "--out", self.path("x.npy")],
            ["drift"], ["drift", MODEL, "--precision", "f32"], ["drift", MODEL, "--precision", "bf16,f8"],
            ["drift", MODEL, "--precision="], ["drift", MODEL, "--image", image, "--images", "f"],
            ["drift", MODEL, "--text", "a", "--texts", "f"],
        ):
            with self.subTest(arguments):
                self.fails(*arguments, status=2)

    def test_what_is_wrong_with_a_command_line(self):
        image, out = str(self.apple), self.path("x.npy")
        for arguments, says in (
            (["frobnicate", MODEL], ["frobnicate", "similarity, classify"]),
            (["--frobnicate", "info", MODEL], ["--frobnicate"]),
            (["tokenize", MODEL, "--txt", "a"], ["--txt", "--text is required"]),
            (["info", MODEL, "--depth", "3"], ["not understood: --depth 3"]),
            (["embed", MODEL, "--text", "--out", out], ["--text", "a value is missing", "--text=--out"]),
            (["embed", MODEL, "--image", image, "--batch", "--out", out], ["--batch", "a value is missing"]),
            (["tokenize", MODEL, "--text", "a", "--threads", "4096"], ["--threads", "1 to 1024"]),
            (["embed", "", "--text", "a", "--out", out], ["MODEL", "empty"]),
            (["embed", MODEL, "--texts", "", "--out", out], ["--texts", "empty"]),
            (["embed", MODEL, "--images=", "--out", out], ["--images", "empty"]),
            (["classify", MODEL, "--image", image, "--labels", ""], ["--labels", "empty"]),
            (["classify", MODEL, "--image", "", "--label", "a"], ["--image", "empty"]),
        ):
            with self.subTest(arguments):
                self.fails(*arguments, status=2, says=says)

    def test_info(self):
        info = json.loads(run("info", MODEL, "--json").stdout)
        self.assertEqual(info["model"], MODEL)
        self.assertEqual(info["embedding_size"], EMBEDDING)
        self.assertEqual(info["vision"]["tokens"], TOKENS)
        self.assertEqual(info["text"]["vocabulary"], 64)
        text = run("info", MODEL).stdout.decode()
        self.assertIn("18x18 pixels", text)

    def test_selftest(self):
        report = json.loads(run("selftest", "--json").stdout)
        kernels = {c["isa"] for c in report["checks"]}
        self.assertIn("reference", kernels)
        operations = {c["operation"] for c in report["checks"]}
        self.assertEqual(len(report["checks"]), len(kernels) * len(operations))
        self.assertTrue(all(c["passed"] and c["worst"] <= 1 and not c["detail"] for c in report["checks"]))
        self.assertTrue(any(c["worst"] > 0 for c in report["checks"] if c["isa"] != "reference"))
        text = run("selftest", "--isa", "reference", "--seed", "7").stdout.decode()
        self.assertIn(f"{len(operations)} of {len(operations)} checks passed", text)
        self.assertIn("layer_norm", text)
        self.fails("selftest", "--isa", "sse9", says=["sse9", "reference"])
        self.fails("selftest", "--seed", "x", status=2, says=["--seed"])

    def test_a_directory_that_is_no_model(self):
        self.fails("info", self.path("nowhere"), says=["nowhere"])
        empty = self.dir / "empty"
        empty.mkdir(exist_ok=True)
        self.fails("similarity", str(empty), "--image", str(self.apple), "--text", "a", says=["config.json"])

    def test_output_that_cannot_be_written(self):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([CLI, "tokenize", MODEL, "--text", "a"], stdout=full, stderr=subprocess.PIPE, timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"standard output", done.stderr)

    def test_the_instruction_set_of_the_environment(self):
        arguments = ["similarity", MODEL, "--image", str(self.grey), "--text", "一", "--json"]
        plain = json.loads(run(*arguments).stdout)
        reference = json.loads(run(*arguments, env={**os.environ, "TUWEN_ISA": "reference"}).stdout)
        self.assertAlmostEqual(plain["logits_per_image"][0][0], reference["logits_per_image"][0][0], delta=1e-3)
        self.fails(*arguments, env={**os.environ, "TUWEN_ISA": "abacus"}, says=["TUWEN_ISA", "abacus", "reference"])


if __name__ == "__main__":
    unittest.main()
