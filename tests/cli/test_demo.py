"""`demo` in the place of a model directory."""
import json
import os
import shutil
import subprocess
import unittest

from command_line import CLI, MODEL, ROOT, CommandLine, run


class Demo(CommandLine):
    def demo_tree(self, name):
        """A folder with a copy of the program in bin/."""
        tree = self.dir / name
        (tree / "bin").mkdir(parents=True)
        shutil.copy2(CLI, tree / "bin" / "tuwen")
        return tree

    def test_demo_names_the_installed_model(self):
        tree = self.demo_tree("installed")
        shutil.copytree(MODEL, tree / "share" / "tuwen" / "demo")
        (tree / "demo").mkdir()  # a directory called demo is not what the word means
        program, question = tree / "bin" / "tuwen", ("tokenize", "--text", "苹果", "--json")
        done = subprocess.run([program, *question, "demo"], cwd=tree, capture_output=True, check=True)
        self.assertEqual(json.loads(done.stdout)["model"], str(tree / "share" / "tuwen" / "demo"))
        link = tree / "link"  # the place of the program counts, not how it was called
        link.symlink_to(program)
        self.assertEqual(subprocess.run([link, *question, "demo"], capture_output=True, check=True).stdout, done.stdout)
        other = subprocess.run([program, *question, "./demo"], cwd=tree, capture_output=True)
        self.assertEqual(other.returncode, 1)
        self.assertIn(b"./demo", other.stderr)

    def test_demo_that_is_not_there(self):
        tree = self.demo_tree("bare")
        done = subprocess.run([tree / "bin" / "tuwen", "info", "demo"], capture_output=True)
        self.assertEqual(done.returncode, 1)
        message = done.stderr.decode()
        self.assertTrue(message.startswith("tuwen: demo: "), message)
        self.assertIn(f"{tree / 'share' / 'tuwen' / 'demo'}, found no config.json", message)

    def test_demo_is_in_the_source_tree_of_a_build_folder(self):
        place = str(ROOT / "demo" / "model")
        self.assertEqual(json.loads(run("tokenize", "demo", "--text", "猫", "--json").stdout)["model"], place)

    def test_demo_model_is_small(self):
        self.assertLess(sum(f.stat().st_size for f in (ROOT / "demo" / "model").iterdir()), 12_000_000)

    def test_demo_model_agrees_with_the_reference(self):
        # scripts/make_goldens.py --model demo/model --embeddings-only: three of its pictures and five texts
        goldens = os.path.join(os.environ["TUWEN_TEST_DATA"], "verify", "demo.safetensors")
        report = json.loads(run("verify", "demo", "--goldens", goldens, "--precision", "f32,bf16,int8", "--json").stdout)
        for precision in report["precisions"]:
            stages = {s["stage"]: s for s in precision["stages"]}
            self.assertEqual(list(stages), ["token ids", "pixels", "text.embeds", "image.embeds", "probabilities"])
            self.assertTrue(all(s["passed"] for s in stages.values()), precision)
            self.assertEqual((stages["text.embeds"]["values"], stages["image.embeds"]["values"]), (5 * 128, 3 * 128))
            if precision["precision"] == "f32":
                self.assertLessEqual(max(stages[s]["error"] for s in ("text.embeds", "image.embeds")), 1e-5)

    def test_demo_model_knows_its_pictures(self):
        pictures = {"apple": "红苹果", "cat": "猫脸", "taxi": "出租车", "umbrella": "雨伞", "dog-and-pizza": "狗脸和披萨"}
        files = [str(ROOT / "demo" / "pictures" / f"{name}.png") for name in pictures]
        for precision in ("f32", "bf16", "int8"):
            answer = json.loads(run("similarity", "demo", "--image", *files, "--text", *pictures.values(), "--json",
                                    "--precision", precision).stdout)
            best = [row.index(max(row)) for row in answer["probs"]]
            self.assertEqual(best, list(range(len(files))), precision)


if __name__ == "__main__":
    unittest.main()
