"""tuwen verify: a model against goldens of its checkpoint."""
import json
import math
import os
import pathlib
import shutil
import struct
import unittest

from command_line import MODEL, CommandLine, run

VERIFY = os.path.join(os.environ["TUWEN_TEST_DATA"], "verify", "base.safetensors")  # make_goldens.py --model


class Verify(CommandLine):
    def test_verify(self):
        report = json.loads(run("verify", MODEL, "--goldens", VERIFY, "--precision", "f32,bf16,int8", "--json").stdout)
        self.assertEqual([p["precision"] for p in report["precisions"]], ["f32", "bf16", "int8"])
        for precision in report["precisions"]:
            stages = {s["stage"]: s for s in precision["stages"]}
            self.assertEqual(list(stages)[:3], ["token ids", "pixels", "text.embeddings"])
            self.assertEqual(list(stages)[-1], "probabilities")
            self.assertLessEqual({"text.layers.1.output", "vision.patches", "vision.layers.0.norm1", "image.embeds"}, set(stages))
            self.assertTrue(all(s["passed"] for s in stages.values()))
            self.assertEqual(stages["token ids"]["different"] + stages["pixels"]["different"], 0)
            self.assertGreater(stages["image.embeds"]["to_exact"], 0)
            self.assertEqual(stages["text.embeds"]["limit"] > 0, precision["precision"] == "f32")
            self.assertEqual(stages["text.embeds"]["cosine_limit"] > 0, precision["precision"] != "f32")
        run("verify", MODEL, "--goldens", VERIFY, "--plan", "fast")
        failed = run("verify", MODEL, "--goldens", VERIFY, "--plan", "fast", "--precision", "int8", status=1).stderr.decode()
        self.assertIn("plan fast: expected precision f32", failed)
        run("verify", MODEL, "--goldens", VERIFY, "--plan", "slow", status=2)
        text = run("verify", MODEL, "--goldens", VERIFY).stdout.decode()
        for expected in ("token ids", "image.embeds", "first difference: text.embeddings", "error budget", "layer_norm"):
            self.assertIn(expected, text)

    def test_verify_notices(self):
        # The same checkpoint with one number of one layer changed.
        changed = self.dir / "changed"
        shutil.copytree(MODEL, changed, dirs_exist_ok=True)
        weights = changed / "model.safetensors"
        data = bytearray(weights.read_bytes())
        size = int.from_bytes(data[:8], "little")
        header = json.loads(data[8:8 + size])
        at = 8 + size + header["vision_model.encoder.layers.1.mlp.fc1.bias"]["data_offsets"][0]
        data[at:at + 4] = struct.pack("<f", struct.unpack("<f", data[at:at + 4])[0] + 1)
        weights.write_bytes(data)
        done = run("verify", str(changed), "--goldens", VERIFY, status=1)
        self.assertIn("first outside its limit: vision.layers.1.mlp\n", done.stdout.decode())
        self.assertIn("image.embeds (f32)", done.stderr.decode())
        self.assertNotIn("text.", done.stderr.decode())
        # A reference that is not a number, in front of numbers that agree.
        goldens = pathlib.Path(VERIFY).read_bytes()
        size = int.from_bytes(goldens[:8], "little")
        at = 8 + size + json.loads(goldens[8:8 + size])["image.features"]["data_offsets"][0]
        spoilt = self.dir / "spoilt.safetensors"
        spoilt.write_bytes(goldens[:at] + struct.pack("<f", math.nan) + goldens[at + 4:])
        for precision in ("f32", "bf16"):
            self.fails("verify", MODEL, "--goldens", str(spoilt), "--precision", precision, says=[f"image.features ({precision})"])
        # Other sizes, other files, and none.
        cut = self.dir / "cut.safetensors"
        cut.write_bytes(goldens[:-100])
        self.fails("verify", MODEL, "--goldens", str(cut), says=["cut.safetensors"])
        self.fails("verify", MODEL, "--goldens", os.path.join(MODEL, "model.safetensors"), says=["input_ids", "make_goldens.py"])
        self.fails("verify", MODEL, "--goldens", self.path("none"), says=["none"])
        self.fails("verify", MODEL, "--goldens", VERIFY, "--precision", "f16", status=2, says=["f16"])
        self.fails("verify", MODEL, status=2, says=["--goldens"])
        other = os.path.join(os.environ["TUWEN_TEST_DATA"], "models", "head80_f16")
        self.fails("verify", other, "--goldens", VERIFY)


if __name__ == "__main__":
    unittest.main()
