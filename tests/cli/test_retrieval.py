"""tuwen features, retrieve and recall: the files of Chinese-CLIP's evaluation tools, and what happens when things go wrong."""
import base64
import json
import pathlib
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import zlib

import numpy

from command_line import CLI, EMBEDDING, MODEL, run, size_of

try:
    import lmdb
except ImportError:
    lmdb = None


def png(random, width, height):
    """A picture of noise, without a library."""
    rows = b"".join(b"\0" + random.bytes(3 * width) for _ in range(height))
    chunk = lambda name, data: struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def recall_of(reference, predictions):
    """Percentages of queries with one of their answers among the first 1, 5, 10, and their mean."""
    hits = [sum(bool(set(answers) & set(predictions[query][:k])) for query, answers in reference.items()) / len(reference)
            for k in (1, 5, 10)]
    return [h * 100 for h in hits] + [sum(hits) / 3.0 * 100]


class Retrieval(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.dir = pathlib.Path(cls.folder.name)
        random = numpy.random.default_rng(20)
        cls.ids = [int(i) for i in random.permutation(1000)[:60]]
        cls.pictures = [png(random, int(random.integers(8, 60)), int(random.integers(8, 60))) for _ in cls.ids]
        cls.tsv = cls.dir / "test_imgs.tsv"
        encoders = base64.b64encode, base64.urlsafe_b64encode
        cls.tsv.write_bytes(b"".join(b"%d\t%s\n" % (i, encoders[n % 2](p)) for n, (i, p) in enumerate(zip(cls.ids, cls.pictures))))
        cls.texts = cls.dir / "test_texts.jsonl"
        words = ["一", "二", "三", "a", "b", "“c”", "D", "一二", "[SEP]"]
        cls.text_lines = [{"text_id": 7 * n, "text": " ".join(random.choice(words, 5)),
                           "image_ids": [int(i) for i in random.choice(cls.ids, int(random.integers(1, 4)), replace=False)]}
                          for n in range(90)]
        cls.texts.write_text("".join(json.dumps(line, ensure_ascii=n % 2 == 0) + "\n" for n, line in enumerate(cls.text_lines)))
        cls.images_out, cls.texts_out = cls.dir / "i.jsonl", cls.dir / "t.jsonl"
        run("features", MODEL, "--images", cls.tsv, "--out", cls.images_out)
        run("features", MODEL, "--texts", cls.texts, "--out", cls.texts_out)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def write(self, name, data):
        path = self.dir / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    def fails(self, *arguments, status=1, says=()):
        message = run(*arguments, status=status).stderr.decode()
        for part in says:
            self.assertIn(part, message)

    # ---- features

    def test_lines_are_those_of_json_dumps(self):
        run("features", MODEL, "--images", self.tsv, "--out", self.dir / "i.npy")
        rows, ids = numpy.load(self.dir / "i.npy"), numpy.load(self.dir / "i.ids.npy")
        self.assertEqual((rows.dtype, rows.shape, ids.dtype), (numpy.float32, (60, EMBEDDING), numpy.int64))
        self.assertEqual(ids.tolist(), self.ids)
        expected = "".join(json.dumps({"image_id": i, "feature": row.tolist()}) + "\n" for i, row in zip(self.ids, rows))
        self.assertEqual(self.images_out.read_text(), expected)
        for line in self.texts_out.read_text().splitlines():
            row = json.loads(line)
            self.assertEqual(line, json.dumps({"text_id": row["text_id"], "feature": numpy.float32(row["feature"]).tolist()}))
            self.assertAlmostEqual(sum(v * v for v in row["feature"]), 1, delta=1e-5)

    def test_features_are_those_of_embed(self):
        files = [self.write(f"{n}.png", p) for n, p in enumerate(self.pictures[:5])]
        run("embed", MODEL, "--image", *files, "--out", self.dir / "e.npy")
        rows = [json.loads(line)["feature"] for line in self.images_out.read_text().splitlines()[:5]]
        self.assertTrue(numpy.array_equal(numpy.load(self.dir / "e.npy"), numpy.float32(rows)))

    def test_texts_are_prepared_as_the_evaluation_tools_do(self):
        a = self.write("a.jsonl", json.dumps({"text_id": 1, "text": "“A” " + "b " * 30}) + "\n")
        b = self.write("b.jsonl", json.dumps({"text_id": 1, "text": "\"a\" " + "b " * 7}) + "\n")
        for path in (a, b):
            run("features", MODEL, "--texts", path, "--context-length", "12", "--out", path.with_suffix(".out.jsonl"))
        self.assertEqual(a.with_suffix(".out.jsonl").read_bytes(), b.with_suffix(".out.jsonl").read_bytes())
        self.fails("features", MODEL, "--texts", a, "--out", self.dir / "x.jsonl", says=["a.jsonl:1: text 1", "at most 20 tokens"])

    def test_shards_are_the_whole(self):
        whole = b""
        for n in range(1, 8):
            run("features", MODEL, "--images", self.tsv, "--out", self.dir / f"s{n}.jsonl", "--shard", f"{n}/7", "--batch", "3")
            whole += (self.dir / f"s{n}.jsonl").read_bytes()
        self.assertEqual(whole, self.images_out.read_bytes())
        for shard in ("0/7", "8/7", "1", "1/", "a/b", "1/2/3"):
            self.fails("features", MODEL, "--images", self.tsv, "--out", self.dir / "x.jsonl", "--shard", shard, status=2, says=["--shard"])

    def test_goes_on_after_a_kill(self):
        long = self.write("long.tsv", b"".join(b"%d\t%s\n" % (n, base64.b64encode(self.pictures[n % 60])) for n in range(3000)))
        for ending in ("jsonl", "npy"):
            whole, out = self.dir / f"whole.{ending}", self.dir / f"killed.{ending}"
            command = ["features", MODEL, "--images", str(long), "--batch", "2", "--threads", "1", "--out"]
            run(*command, whole)
            partial, kills = pathlib.Path(f"{out}.partial"), 0
            for _ in range(4):
                before = size_of(partial)
                process = subprocess.Popen([CLI, *command, str(out)])
                while process.poll() is None and size_of(partial) <= before + 3000:
                    time.sleep(0.002)
                process.send_signal(signal.SIGKILL)
                if process.wait() == -signal.SIGKILL:
                    kills += 1
                    self.assertFalse(out.exists())
            self.assertGreater(kills, 0)
            with partial.open("ab") as file:  # a row that was begun
                file.write(b'{"image_id": 1, "feat' if ending == "jsonl" else b"\x01\x02\x03")
            self.fails(*command, out, "--context-length", "9", "--shard", "1/2", says=["another job", "--restart"])
            run(*command, out)
            self.assertEqual(out.read_bytes(), whole.read_bytes())
            self.assertFalse(partial.exists() or pathlib.Path(f"{partial}.job").exists())

    def test_goes_on_after_an_error(self):
        lines = self.tsv.read_bytes().splitlines(keepends=True)
        broken = self.write("broken.tsv", b"".join(lines[:40]) + b"5000\t" + base64.b64encode(b"no picture") + b"\n" + b"".join(lines[40:]))
        self.fails("features", MODEL, "--images", broken, "--batch", "4", "--out", self.dir / "x.jsonl", says=["broken.tsv:41: image 5000"])
        self.assertEqual((self.dir / "x.jsonl.partial").read_bytes(), b"".join(self.images_out.read_bytes().splitlines(keepends=True)[:40]))
        broken.write_bytes(b"".join(lines))
        self.fails("features", MODEL, "--images", broken, "--out", self.dir / "x.jsonl", says=["another job"])
        run("features", MODEL, "--images", broken, "--out", self.dir / "x.jsonl", "--restart")
        self.assertEqual((self.dir / "x.jsonl").read_bytes(), self.images_out.read_bytes())

    def test_bad_input(self):
        good = base64.b64encode(self.pictures[0])
        for data, says in (
            (b"1\t" + good + b"\n\n", ["x.tsv:2: line"]), (b"one\t" + good, ["x.tsv:1: line", "integer id"]),
            (good, ["x.tsv:1: line"]), (b"1\t" + good + b"\n1\t" + good, ["x.tsv:2: image 1", "line 1"]),
            (b"1\t" + good[:-1] + b"*\n", ["x.tsv:1: image 1", "character"]), (b"1\t" + good + b"AAA\n", ["x.tsv:1: image 1", "base64"]),
            (b"1\t\n", ["x.tsv:1: image 1"]),
        ):
            with self.subTest(data[:20]):
                self.fails("features", MODEL, "--images", self.write("x.tsv", data), "--out", self.dir / "bad.jsonl", "--restart", says=says)
        for data, says in (
            ('{"text_id": 1, "text": "a"}\n{"text_id"', ["x.jsonl:2: line", "JSON object"]), ("[]", ["x.jsonl:1: line"]),
            ('{"text": "a"}', ["x.jsonl:1: text_id", "no such key"]), ('{"text_id": "1", "text": "a"}', ["x.jsonl:1: text_id", "integer"]),
            ('{"text_id": 1}', ["x.jsonl:1: text"]), ('{"text_id": 1, "text": "a"}\n' * 2, ["x.jsonl:2: text 1", "line 1"]),
        ):
            with self.subTest(data):
                self.fails("features", MODEL, "--texts", self.write("x.jsonl", data), "--out", self.dir / "bad.jsonl", "--restart", says=says)
        self.assertFalse((self.dir / "bad.jsonl").exists())
        self.fails("features", MODEL, "--images", self.dir / "none.tsv", "--out", self.dir / "bad.jsonl", says=["none.tsv"])
        self.fails("features", MODEL, "--images", self.tsv, "--out", self.dir / "bad.csv", status=2, says=["bad.csv"])
        self.fails("features", MODEL, "--out", self.dir / "bad.jsonl", status=2, says=["--lmdb"])

    @unittest.skipIf(lmdb is None, "Python's lmdb is not here")
    def test_lmdb(self):
        with lmdb.open(str(self.dir / "imgs"), map_size=1 << 26) as database, database.begin(write=True) as transaction:
            for i, picture in zip(self.ids, self.pictures):
                transaction.put(str(i).encode(), base64.urlsafe_b64encode(picture))
            transaction.put(b"num_images", b"60")
        out, sorted_out = self.dir / "db.jsonl", self.dir / "sorted.jsonl"
        run("features", MODEL, "--lmdb", self.dir / "imgs", "--out", out)
        run("features", MODEL, "--images", self.tsv, "--key-order", "--out", sorted_out)
        self.assertEqual(out.read_bytes(), sorted_out.read_bytes())
        self.assertEqual([json.loads(l)["image_id"] for l in out.read_text().splitlines()], sorted(self.ids, key=str))
        with lmdb.open(str(self.dir / "imgs")) as database, database.begin(write=True) as transaction:
            transaction.put(b"num_images", b"61")
        self.fails("features", MODEL, "--lmdb", self.dir / "imgs", "--out", out, says=["num_images", "61"])

    # ---- retrieve and recall

    def test_retrieve_and_recall(self):
        features = {}
        for name, path in (("image", self.images_out), ("text", self.texts_out)):
            rows = [json.loads(line) for line in path.read_text().splitlines()]
            features[name] = [r[f"{name}_id"] for r in rows], numpy.array([r["feature"] for r in rows])
        predictions = {}
        for of, query, answer in (("texts", "text", "image"), ("images", "image", "text")):
            out = self.dir / f"{of}.pred.jsonl"
            run("retrieve", "--of", of, "--image-feats", self.images_out, "--text-feats", self.texts_out, "--out", out)
            scores = numpy.float32(features[query][1] @ features[answer][1].T)  # texts that are alike tie
            lines = out.read_text().splitlines()
            self.assertEqual(len(lines), len(scores))
            predictions[of] = {}
            for line, query_id, row in zip(lines, features[query][0], scores):
                found = json.loads(line)
                self.assertEqual(line, json.dumps({f"{query}_id": query_id, f"{answer}_ids": found[f"{answer}_ids"]}))
                ids = found[f"{answer}_ids"]
                at = [features[answer][0].index(i) for i in ids]
                self.assertEqual(len(set(ids)), 10)
                best = numpy.sort(row)[::-1][:10]
                self.assertTrue(numpy.allclose(row[at], best, atol=3e-7), (row[at], best))
                predictions[of][query_id] = ids
        reference = {line["text_id"]: line["image_ids"] for line in self.text_lines}
        inverted = {}
        for text, images in reference.items():
            for image in images:
                inverted.setdefault(image, []).append(text)
        out, out_tr, written = self.dir / "r.json", self.dir / "r.tr.json", self.dir / "test_texts.tr.jsonl"
        done = run("recall", "--reference", self.texts, "--text-to-image", self.dir / "texts.pred.jsonl", "--image-to-text",
                   self.dir / "images.pred.jsonl", "--out", out, "--out-tr", out_tr, "--write-inverted", written, "--json")
        report = json.loads(done.stdout)
        for key, file, truth, found in (("text_to_image", out, reference, predictions["texts"]),
                                        ("image_to_text", out_tr, inverted, predictions["images"])):
            r1, r5, r10, mean = recall_of(truth, found)
            self.assertEqual([report[key][k] for k in ("r1", "r5", "r10", "mean_recall")], [r1, r5, r10, mean])
            self.assertGreater(r10, 0)
            self.assertEqual(file.read_text(), json.dumps({"success": True, "score": mean, "scoreJson": {
                "score": mean, "mean_recall": mean, "r1": r1, "r5": r5, "r10": r10}}))
        self.assertEqual(written.read_text(), "".join(json.dumps({"image_id": i, "text_ids": t}) + "\n" for i, t in inverted.items()))
        again = run("recall", "--reference-tr", written, "--image-to-text", self.dir / "images.pred.jsonl", "--json")
        self.assertEqual(json.loads(again.stdout)["image_to_text"], report["image_to_text"])

    def test_equal_scores_keep_the_order_of_the_file(self):
        images = self.write("same.jsonl", "".join(json.dumps({"image_id": i, "feature": [0.5, 1e-05]}) + "\n" for i in (9, 3, 7)))
        text = self.write("one.jsonl", json.dumps({"feature": [1, 0], "text_id": 4}) + "\n")
        run("retrieve", "--image-feats", images, "--text-feats", text, "--top-k", "2", "--out", self.dir / "two.jsonl")
        self.assertEqual((self.dir / "two.jsonl").read_text(), '{"text_id": 4, "image_ids": [9, 3]}\n')

    def test_bad_features_and_predictions(self):
        out = self.dir / "none.jsonl"
        good = self.write("g.jsonl", '{"image_id": 1, "feature": [1, 2]}\n')
        for line, says in (('{"text_id": 1}', ["f.jsonl:1: feature"]), ('{"text_id": 1, "feature": [1, "a"]}', ["f.jsonl:1: feature[1]"]),
                           ('{"text_id": 1, "feature": [1]}', ["expected 2 numbers", "found 1"]), ("{", ["f.jsonl:1: line"]),
                           ('{"text_id": 1, "feature": [1, 2]}\n{"text_id": 2, "feature": [1, 2, 3]}', ["f.jsonl:2: feature"])):
            with self.subTest(line):
                self.fails("retrieve", "--image-feats", good, "--text-feats", self.write("f.jsonl", line), "--out", out, says=says)
        self.assertFalse(out.exists())
        reference = self.write("ref.jsonl", '{"text_id": 1, "image_ids": [5]}\n')
        for line, says in (('{"text_id": 2, "image_ids": [0,1,2,3,4,5,6,7,8,9]}', ["p.jsonl: text_id", "none for 1"]),
                           ('{"text_id": 1, "image_ids": [0]}', ["p.jsonl:1: image_ids", "found 1"]),
                           ('{"text_id": 1, "image_ids": [0,0,2,3,4,5,6,7,8,9]}', ["p.jsonl:1: image_ids", "0 twice"]),
                           ('{"text_id": 1, "image_ids": [0,1,2,3,4,5,6,7,8,"9"]}', ["p.jsonl:1: image_ids[9]", "integer"]),
                           ('{"image_id": 1}', ["p.jsonl:1: text_id"])):
            with self.subTest(line):
                result = self.dir / "failed.json"
                self.fails("recall", "--reference", reference, "--text-to-image", self.write("p.jsonl", line), "--out", result, says=says)
                failed = json.loads(result.read_text())
                self.assertEqual((failed["success"], failed["score"], failed["scoreJson"]), (False, 0, {}))
                self.assertEqual(failed["errorDetail"], failed["errorMsg"])
        self.fails("recall", "--reference", reference, status=2, says=["--text-to-image"])

    # ---- zero-shot

    def test_folders_lists_cache_and_predictions(self):
        labels, templates = ["一", "二", "a"], ["{}", "b {}"]
        label_file, template_file = self.write("labels.txt", "\n".join(labels)), self.write("templates.txt", "\n".join(templates))
        classes = []
        for c, name in enumerate(("000", "001", "010")):
            (self.dir / "val" / name).mkdir(parents=True)
            for n in range(3 + c):
                (self.dir / "val" / name / f"{n}.png").write_bytes(self.pictures[10 * c + n])
                classes.append((10 * c + n, c))
        cache, out = self.dir / "classes.bin", self.dir / "val.json"
        base = ["classify", MODEL, "--labels", label_file, "--templates", template_file, "--cache", cache, "--json"]
        command = base + ["--folders", self.dir / "val", "--predictions", out, "--dataset", "数据", "--model-name", "CN-CLIP-x"]
        report = json.loads(run(*command).stdout)
        images = numpy.float32([json.loads(line)["feature"] for line in self.images_out.read_text().splitlines()])
        run("embed", MODEL, "--text", *[t.replace("{}", l) for l in labels for t in templates], "--out", self.dir / "w.npy")
        weights = numpy.load(self.dir / "w.npy").reshape(3, 2, EMBEDDING).mean(1)
        weights /= numpy.linalg.norm(weights, axis=1, keepdims=True)
        logits = 100.0 * images[[n for n, _ in classes]].astype(float) @ weights.T
        expected = numpy.exp(logits) / numpy.exp(logits).sum(1, keepdims=True)
        right = sum(int(row.argmax() == c) for row, (_, c) in zip(expected, classes))
        self.assertEqual((report["images"], report["top1"], report["top5"]), (12, 100.0 * right / 12, 100.0))
        text = out.read_text()
        written = json.loads(text)
        self.assertEqual(json.dumps(written), text)
        self.assertTrue(numpy.allclose(written["predictions"][0], expected, atol=2e-5))
        self.assertEqual((written["dataset_name"], written["model_name"], written["rnd_seeds"]), ("数据", "CN-CLIP-x", [123]))
        kept = cache.read_bytes()
        self.assertEqual(json.loads(run(*command).stdout), report)
        for damaged in (kept[:-5], kept[:100] + bytes([kept[100] ^ 1]) + kept[101:], b""):
            cache.write_bytes(damaged)
            self.assertEqual(json.loads(run(*command).stdout), report)
            self.assertEqual(cache.read_bytes(), kept)
        run("classify", MODEL, "--label", "b", "--cache", cache, "--image", self.dir / "val/000/0.png")
        self.assertNotEqual(cache.read_bytes(), kept)
        listing = self.write("list.tsv", "".join(f"{self.dir}/val/{('000', '001', '010')[c]}/{n - 10 * c}.png\t{labels[c] if c else 0}\n" for n, c in classes))
        self.assertEqual(json.loads(run(*base, "--list", listing).stdout), report)
        index = self.write("index.json", "[4, 0]")
        run(*command, "--index", index)
        self.assertEqual(json.loads(out.read_text())["predictions"][0], [written["predictions"][0][i] for i in (4, 0)])
        self.fails(*command, "--index", self.write("index.json", "[12]"), says=["index.json: list[0]", "0 to 11"])
        self.fails(*base, "--list", self.write("list.tsv", "a.png\tz\n"), says=["list.tsv:1: label", "'z'"])
        self.fails("classify", MODEL, "--label", "a", "--folders", self.dir / "val", says=["expected 1", "found 3"])
        self.fails(*base[:6], "--folders", self.dir / "val", "--cache", label_file, says=["labels.txt", "another file"])


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])
