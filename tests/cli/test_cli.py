"""The command line as a user drives it: outputs, files, exit statuses, messages."""
import ast
import json
import math
import os
import pathlib
import pty
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
CLI = os.environ["TUWEN_CLI"]
MODEL = os.path.join(os.environ["TUWEN_TEST_DATA"], "models", "base")
VERIFY = os.path.join(os.environ["TUWEN_TEST_DATA"], "verify", "base.safetensors")  # make_goldens.py --model
EMBEDDING, TOKENS, WIDTH = 20, 10, 40


def run(*arguments, stdin=b"", status=0, **options):
    done = subprocess.run([CLI, *arguments], input=stdin, capture_output=True, timeout=120, **options)
    if done.returncode != status:
        raise AssertionError(f"{arguments}: status {done.returncode}, expected {status}\n{done.stdout}\n{done.stderr}")
    return done


def read_npy(path):
    """(shape, rows of floats) of a .npy file of float32."""
    data = pathlib.Path(path).read_bytes()
    assert data[:8] == b"\x93NUMPY\x01\x00", data[:8]
    (length,) = struct.unpack("<H", data[8:10])
    header = ast.literal_eval(data[10 : 10 + length].decode())
    assert (10 + length) % 64 == 0 and header["descr"] == "<f4" and not header["fortran_order"], header
    values = struct.unpack(f"<{(len(data) - 10 - length) // 4}f", data[10 + length :])
    assert len(values) == math.prod(header["shape"]), header
    each = math.prod(header["shape"][1:])
    return header["shape"], [values[i : i + each] for i in range(0, len(values), each)]


def as_float32(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


class CommandLine(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.dir = pathlib.Path(cls.folder.name)
        cls.apple = cls.dir / "苹果.png"
        subprocess.run([sys.executable, ROOT / "scripts/draw_picture.py", cls.apple], check=True)
        cls.grey = cls.dir / "grey.bmp"  # 2x2, 24 bits
        cls.grey.write_bytes(b"BM" + struct.pack("<IHHI", 70, 0, 0, 54) +
                             struct.pack("<IiiHHIIiiII", 40, 2, 2, 1, 24, 0, 16, 0, 0, 0, 0) +
                             (b"\x40" * 6 + b"\0\0") * 2)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def path(self, name):
        return str(self.dir / name)

    def fails(self, *arguments, status=1, says=(), **options):
        done = run(*arguments, status=status, **options)
        message = done.stderr.decode()
        self.assertTrue(message.startswith("tuwen: "), message)
        for part in says:
            self.assertIn(part, message)
        return message

    # ---- help, version, wrong command lines

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

    # ---- info

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

    def test_a_directory_that_is_no_model(self):
        self.fails("info", self.path("nowhere"), says=["nowhere"])
        empty = self.dir / "empty"
        empty.mkdir(exist_ok=True)
        self.fails("similarity", str(empty), "--image", str(self.apple), "--text", "a", says=["config.json"])

    # ---- similarity

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

    def test_pictures_that_cannot_be_read(self):
        broken = self.dir / "broken.png"
        broken.write_bytes(self.apple.read_bytes()[:500])
        self.fails("similarity", MODEL, "--image", self.path("nothing.png"), "--text", "a", says=["nothing.png"])
        self.fails("similarity", MODEL, "--image", str(broken), "--text", "a", says=["truncated", "broken.png"])
        self.fails("similarity", MODEL, "--image", __file__, "--text", "a", says=["test_cli.py"])
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

    # ---- classify

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

    # ---- embed

    def test_embed_files(self):
        texts = ["一", "b", "", "b c d"]
        npy, jsonl = self.path("a.npy"), self.path("a.jsonl")
        run("embed", MODEL, "--text", *texts, "--out", npy)
        shape, rows = read_npy(npy)
        self.assertEqual(shape, (4, EMBEDDING))
        for row in rows:
            self.assertAlmostEqual(sum(v * v for v in row), 1, delta=1e-5)
        run("embed", MODEL, "--text", *texts, "--out", jsonl, "--batch", "1", "--threads", "1")
        lines = [json.loads(line) for line in pathlib.Path(jsonl).read_text().splitlines()]
        self.assertEqual([line["text"] for line in lines], texts)
        for line, row in zip(lines, rows):
            self.assertEqual([as_float32(v) for v in line["embedding"]], list(row))

        listing = self.dir / "texts.txt"
        listing.write_bytes("\n".join(texts).encode() + b"\n")
        run("embed", MODEL, "--texts", str(listing), "--out", self.path("b.npy"))
        self.assertEqual(pathlib.Path(npy).read_bytes(), (self.dir / "b.npy").read_bytes())
        run("embed", MODEL, "--texts", "-", "--out", self.path("c.npy"), stdin=listing.read_bytes())
        self.assertEqual(pathlib.Path(npy).read_bytes(), (self.dir / "c.npy").read_bytes())

    def test_embed_pictures(self):
        images = [str(self.apple), str(self.grey), str(self.apple)]
        run("embed", MODEL, "--image", *images, "--out", self.path("i.npy"), "--batch", "2")
        shape, rows = read_npy(self.path("i.npy"))
        self.assertEqual(shape, (3, EMBEDDING))
        self.assertEqual(rows[0], rows[2])
        listing = "\n".join(images).encode()
        run("embed", MODEL, "--images", "-", "--out", self.path("j.jsonl"), stdin=listing)
        lines = [json.loads(line) for line in (self.dir / "j.jsonl").read_text().splitlines()]
        self.assertEqual([line["image"] for line in lines], images)

        run("embed", MODEL, "--image", *images, "--raw", "--out", self.path("r.npy"))
        for raw, unit in zip(read_npy(self.path("r.npy"))[1], rows):
            length = math.sqrt(sum(v * v for v in raw))
            self.assertGreater(abs(length - 1), 1e-3)
            for r, u in zip(raw, unit):
                self.assertAlmostEqual(r / length, u, delta=1e-6)

        run("embed", MODEL, "--image", *images, "--patches", "--out", self.path("p.npy"), "--batch", "2")
        shape, states = read_npy(self.path("p.npy"))
        self.assertEqual(shape, (3, TOKENS, WIDTH))
        self.assertEqual(states[0], states[2])
        self.assertNotEqual(states[0], states[1])
        run("embed", MODEL, "--image", *images[:1], "--patches", "--out", self.path("p.jsonl"))
        patches = json.loads((self.dir / "p.jsonl").read_text())["patches"]
        self.assertEqual([as_float32(v) for row in patches for v in row], list(states[0]))

    def test_embed_nothing(self):
        run("embed", MODEL, "--texts", "-", "--out", self.path("n.npy"))
        self.assertEqual(read_npy(self.path("n.npy"))[0], (0, EMBEDDING))

    def test_embed_writes_whole_files_only(self):
        out = self.dir / "whole.npy"
        out.write_bytes(b"before")
        self.fails("embed", MODEL, "--image", str(self.apple), self.path("missing.png"), "--batch", "1", "--out", str(out),
                   says=["missing.png"])
        self.assertEqual(out.read_bytes(), b"before")
        self.assertEqual(list(self.dir.glob("whole*")), [out])
        self.fails("embed", MODEL, "--text", "a", "--out", self.path("no/folder/x.npy"), says=["no/folder/x.npy"])
        folder = self.dir / "folder.npy"
        folder.mkdir(exist_ok=True)
        self.fails("embed", MODEL, "--text", "a", "--out", str(folder), says=["folder.npy"])
        large = ["embed", MODEL, "--image", *[str(self.grey)] * 40, "--patches", "--out", self.path("large.npy")]
        self.fails(*large, says=["large.npy", "File too large"],
                   preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)))
        self.assertEqual([p.name for p in self.dir.glob("*partial*")], [])

    def test_embed_interrupted(self):
        out = self.dir / "interrupted.npy"
        listing = ("\n".join([str(self.apple)] * 20000)).encode()
        process = subprocess.Popen([CLI, "embed", MODEL, "--images", "-", "--batch", "1", "--out", str(out)],
                                   stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdin.write(listing)
        process.stdin.close()
        for _ in range(500):
            if list(self.dir.glob("interrupted*")):
                break
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        message = process.stderr.read().decode()
        process.stderr.close()
        self.assertEqual(process.wait(timeout=60), 1, message)
        self.assertIn("interrupted", message)
        self.assertEqual(list(self.dir.glob("interrupted*")), [])

    # ---- demo in the place of a model directory

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
        done = subprocess.run([CLI, "tokenize", "demo", "--text", "猫", "--json"], capture_output=True)
        if os.path.exists(os.path.join(place, "config.json")):
            self.assertEqual(json.loads(done.stdout)["model"], place)
        else:
            self.assertIn(f"expected the demo model in {place}, found", done.stderr.decode())

    @unittest.skipUnless((ROOT / "demo/model/model.safetensors").exists(), "demo/model has no weights")
    def test_demo_model_knows_its_pictures(self):
        pictures = {"apple": "红苹果", "cat": "猫脸", "taxi": "出租车", "umbrella": "雨伞", "dog-and-pizza": "狗脸和披萨"}
        files = [str(ROOT / "demo" / "pictures" / f"{name}.png") for name in pictures]
        for precision in ("f32", "bf16", "int8"):
            answer = json.loads(run("similarity", "demo", "--image", *files, "--text", *pictures.values(), "--json",
                                    "--precision", precision).stdout)
            best = [row.index(max(row)) for row in answer["probs"]]
            self.assertEqual(best, list(range(len(files))), precision)

    # ---- tokenize

    def test_tokenize(self):
        result = json.loads(run("tokenize", MODEL, "--text", "一二", "", "--json").stdout)
        self.assertEqual(list(result), ["model", "texts", "input_ids", "tokens", "offsets"])
        for ids, tokens, offsets in zip(result["input_ids"], result["tokens"], result["offsets"]):
            self.assertEqual((len(ids), tokens[0], tokens[-1]), (len(tokens), "[CLS]", "[SEP]"))
            self.assertEqual(offsets[0], [0, 0])
        self.assertEqual(result["tokens"][1], ["[CLS]", "[SEP]"])
        self.assertEqual(result["offsets"][0][1:-1], [[0, 1], [1, 2]])
        text = run("tokenize", MODEL, "--text", "一二").stdout.decode()
        self.assertIn(" ".join(str(i) for i in result["input_ids"][0]), text)

    def test_texts_are_taken_as_typed(self):
        texts = ["[MASK]", "[a,b]", "{}", "%%", "", "info", "embed", "a,b", "=", "a=b", "'", '"x"', " "]
        result = json.loads(run("tokenize", MODEL, "--json", "--text", *texts).stdout)
        self.assertEqual(result["texts"], texts)
        result = json.loads(run("tokenize", "--json", "--text", *texts, "--", MODEL).stdout)
        self.assertEqual(result["texts"], texts)
        for typed, texts in ((["--text=-5"], ["-5"]), (["--text=--out"], ["--out"]), (["--text=--text="], ["--text="]),
                             (["--text="], [""]), (["--text=", "--json"], [""]), (["--text=", "--text", "a", ""], ["", "a", ""]),
                             (["--text", "-5"], ["-5"]), (["--text", "--no-option"], ["--no-option"])):
            with self.subTest(typed):
                result = json.loads(run("tokenize", MODEL, "--json", *typed).stdout)
                self.assertEqual(result["texts"], texts)

    # ---- drift

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

    # ---- surroundings

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

    def test_progress_bar(self):
        listing = ("\n".join([str(self.apple)] * 20000)).encode()
        (self.dir / "many.txt").write_bytes(listing)
        command = [CLI, "embed", MODEL, "--images", self.path("many.txt"), "--out", self.path("many.npy")]

        def on_terminal(*more):
            """What a terminal shows of the first four seconds."""
            controller, terminal = pty.openpty()
            process = subprocess.Popen([*command, *more], stderr=terminal, stdout=subprocess.DEVNULL)
            time.sleep(4)
            running = process.poll() is None
            process.send_signal(signal.SIGINT)
            process.wait(timeout=60)
            os.close(terminal)
            shown = b""
            try:
                while chunk := os.read(controller, 65536):
                    shown += chunk
            except OSError:
                pass  # how Linux says that the terminal is closed
            os.close(controller)
            self.assertTrue(running, "too quick for a progress bar: enlarge the list")
            return shown

        self.assertRegex(on_terminal(), rb"\[#*\.*\] \d+/20000 images")
        self.assertNotIn(b"20000", on_terminal("-q"))
        done = subprocess.Popen(command, stderr=subprocess.PIPE)
        time.sleep(3)
        done.send_signal(signal.SIGINT)
        self.assertNotIn(b"20000", done.communicate(timeout=60)[1])


if __name__ == "__main__":
    unittest.main()
