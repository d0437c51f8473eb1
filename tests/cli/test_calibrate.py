"""tuwen calibrate: the file it writes, the models made by that, its report, and what it refuses."""
import json
import shutil
import unittest

from command_line import MODEL, CommandLine, run


class Calibrate(CommandLine):
    def setUp(self):
        self.dir.joinpath("texts.txt").write_text("一只猫\n海边的日落\n红色的苹果放在桌上\n", encoding="utf-8")
        self.dir.joinpath("pictures.txt").write_text(f"{self.apple}\n{self.grey}\n", encoding="utf-8")
        self.inputs = ["--images", self.path("pictures.txt"), "--texts", self.path("texts.txt")]
        self.lists = ["--calibrate-images", self.path("pictures.txt"), "--calibrate-texts", self.path("texts.txt")]
        self.scales = self.path("scales.safetensors")

    def embed(self, name, precision, *how):
        out = self.path(name)
        run("embed", MODEL, "--text", "一只猫", "一只狗", "--out", out, "--precision", precision, *how)
        with open(out, "rb") as file:
            return file.read()

    def test_the_file_stands_for_the_inputs(self):
        report = json.loads(run("calibrate", MODEL, *self.inputs, "--out", self.scales, "--json").stdout)
        self.assertEqual([p["precision"] for p in report["precisions"]], ["int8", "fp8"])
        for precision in report["precisions"]:
            for kind, count in (("image", 2), ("text", 3)):
                self.assertEqual(precision[kind]["layers"], [])
                self.assertEqual(len(precision[kind]["embedding"]["cosines"]), count)
                self.assertTrue(0.9 < precision[kind]["embedding"]["worst_cosine"] < 1)
        again = self.path("again.safetensors")
        run("calibrate", MODEL, "--out", again, "--image", self.apple, self.grey, "--text", "一只猫", "海边的日落", "红色的苹果放在桌上")
        self.assertEqual(self.dir.joinpath("again.safetensors").read_bytes(), self.dir.joinpath("scales.safetensors").read_bytes())
        for precision in ("int8", "fp8"):
            kept = self.embed("kept.npy", precision, "--calibration", self.scales)
            self.assertEqual(kept, self.embed("seen.npy", precision, *self.lists))
            self.assertNotEqual(kept, self.embed("built-in.npy", precision))
        text = run("calibrate", MODEL, "--out", again).stdout.decode()
        self.assertIn("text embedding", text)
        self.assertNotIn("layers", text)

    def test_what_is_refused(self):
        run("calibrate", MODEL, "--out", self.scales)
        embed = ["embed", MODEL, "--text", "一", "--out", self.path("x.npy")]
        self.fails(*embed, "--calibration", self.scales, status=2, says=["--calibration", "int8 and fp8"])
        self.assertEqual(run(*embed, "--precision", "fp8", "--calibration", self.scales, *self.lists, status=2).stdout, b"")
        self.fails(*embed, "--precision", "fp8", "--calibration", self.path("none"), says=["none"])
        other = self.dir / "other"
        shutil.copytree(MODEL, other)
        with open(other / "model.safetensors", "r+b") as file:  # one weight has another sign
            size = int.from_bytes(file.read(8), "little")
            first = json.loads(file.read(size))["text_model.encoder.layer.0.attention.self.query.weight"]["data_offsets"][0]
            file.seek(8 + size + first + 3)
            sign = file.read(1)[0] ^ 0x80
            file.seek(-1, 1)
            file.write(bytes([sign]))
        self.fails("embed", other, "--text", "一", "--out", self.path("x.npy"), "--precision", "fp8", "--calibration",
                   self.scales, says=["scales.safetensors", "another model"])
        cut = self.path("cut.safetensors")
        shutil.copy(self.scales, cut)
        with open(cut, "r+b") as file:
            file.truncate(5000)
        self.fails(*embed, "--precision", "int8", "--calibration", cut, says=["cut.safetensors"])
        run("calibrate", MODEL, status=2)
        self.fails("calibrate", MODEL, "--out", self.path("no/folder.safetensors"), says=["no/folder"])
        self.fails("calibrate", MODEL, "--image", self.path("no.png"), "--out", self.scales, says=["no.png"])
        self.assertFalse(self.dir.joinpath("x.npy").exists())


if __name__ == "__main__":
    unittest.main()
