"""tuwen index and tuwen search as a user drives them: what is kept, what survives, what is refused, what is found."""
import fcntl
import html.parser
import json
import os
import pathlib
import random
import shutil
import signal
import struct
import subprocess
import tempfile
import time
import unittest
import urllib.parse
import zlib

from command_line import CLI, MODEL, run, size_of

MODELS = pathlib.Path(MODEL).parent


def png(seed, side=24):
    """A picture of its own for each seed."""
    chance = random.Random(seed)
    colours = [bytes(chance.randrange(256) for _ in range(3)) for _ in range(4)]
    rows = b"".join(b"\0" + b"".join(colours[x // 6 * 5 // 3 % 4 if y < 9 else (x + y) // 11 % 4] for x in range(side))
                    for y in range(side))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def settle(path):
    """As if it had been written an hour ago: what has just been written is read again."""
    os.utime(path, (time.time() - 3600,) * 2)


class Page(html.parser.HTMLParser):
    """Images and text of a page; every element has to be closed in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.images, self.text = [], [], ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        if tag == "img":
            self.images.append(dict(attributes))
        elif tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag

    def handle_data(self, data):
        self.text += data


class Search(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.dir = pathlib.Path(folder.name).resolve()
        self.photos, self.out = self.dir / "照片", str(self.dir / "photos.index")
        (self.photos / "a" / "b").mkdir(parents=True)
        for i in range(20):
            self.write(["", "a", "a/b"][i % 3] + f"/{i}.png", i)

    def write(self, name, seed):
        path = self.photos / name.lstrip("/") if isinstance(name, str) else os.path.join(os.fsencode(self.photos), name)
        with open(path, "wb") as file:
            file.write(png(seed))
        settle(path)
        return path

    def index(self, *more, **options):
        return json.loads(run("index", str(self.photos), "--model", MODEL, "--out", self.out, "--json", *more, **options).stdout)

    def fails(self, *arguments, status=1, says=()):
        message = run(*arguments, status=status).stderr.decode()
        self.assertTrue(message.startswith("tuwen: "), message)
        for part in says:
            self.assertIn(part, message)

    def search(self, *arguments):
        return json.loads(run("search", self.out, *arguments, "--json").stdout)["results"]

    def counts(self, report):
        return {k: report[k] for k in ("pictures", "vectors", "encoded", "unchanged", "recognised", "removed")}

    def check_whole(self):
        """The index is the one that is made from nothing, to the last byte."""
        fresh = str(self.dir / "fresh.index")
        run("index", str(self.photos), "--model", MODEL, "--out", fresh, "-q")
        self.assertEqual(pathlib.Path(self.out).read_bytes(), pathlib.Path(fresh).read_bytes())
        os.remove(fresh)
        self.assertEqual(sorted(p.name for p in self.dir.iterdir() if p.name.startswith("photos.index")), ["photos.index"])

    def test_only_what_is_new_is_computed(self):
        first = self.index()
        self.assertEqual(self.counts(first), dict(pictures=20, vectors=20, encoded=20, unchanged=0, recognised=0, removed=0))
        again = self.index()
        self.assertEqual(self.counts(again), dict(pictures=20, vectors=20, encoded=0, unchanged=20, recognised=0, removed=0))
        os.rename(self.photos / "0.png", self.photos / "a" / "renamed.png")
        shutil.copy2(self.photos / "3.png", self.photos / "copy.PNG")
        os.remove(self.photos / "6.png")
        self.write("9.png", 1000)
        (self.photos / "12.png").touch()
        settle(self.photos / "12.png")
        report = self.index()
        self.assertEqual(self.counts(report), dict(pictures=20, vectors=19, encoded=1, unchanged=16, recognised=3, removed=2))
        self.check_whole()

    def test_content_decides(self):
        self.index()
        path = self.photos / "0.png"
        data = bytearray(path.read_bytes())
        other = bytearray(png(0))
        path.write_bytes(other)  # the same bytes at another time
        self.assertEqual(self.counts(self.index())["encoded"], 0)
        # Changed at once after that, with size and time as they were: what is that fresh is read again.
        status = path.stat()
        other[-1] ^= 0xFF
        path.write_bytes(other)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        self.assertEqual(len(data), path.stat().st_size)
        report = self.index()
        self.assertEqual((report["encoded"] + len(report["skipped"]), report["unchanged"]), (1, 19))

    def test_a_folder_that_moved(self):
        self.index()
        moved = self.dir / "moved"
        self.photos.rename(moved)
        self.photos = moved
        self.assertEqual(self.index()["unchanged"], 20)
        self.assertTrue(self.search("一")[0]["path"].startswith(str(moved) + "/"))
        other = self.dir / "other"
        other.mkdir()
        self.fails("index", str(other), "--model", MODEL, "--out", self.out, says=["folder", str(moved)])

    def test_what_cannot_be_read(self):
        (self.photos / "broken.jpg").write_bytes(b"no picture")
        (self.photos / "copy of broken.jpg").write_bytes(b"no picture")
        (self.photos / "empty.png").write_bytes(b"")
        (self.photos / "empty too.png").write_bytes(b"")
        (self.photos / "animation.gif").write_bytes(b"GIF89a")
        (self.photos / "nowhere.png").symlink_to("nothing")
        (self.photos / "notes.txt").write_text("not a picture, and not named like one")
        (self.photos / ".hidden.png").write_bytes(png(50))
        with open(self.photos / "large.png", "wb") as file:
            file.truncate(1 << 36)
        names = ["animation.gif", "broken.jpg", "copy of broken.jpg", "empty too.png", "empty.png", "large.png", "nowhere.png"]
        for _ in range(2):
            report = self.index()
            self.assertEqual([s["path"] for s in report["skipped"]], names)
            self.assertTrue(all(s["reason"] for s in report["skipped"]))
            self.assertEqual((report["pictures"], report["recognised"]), (20, 0))
        message = run("index", str(self.photos), "--model", MODEL, "--out", self.out).stderr.decode()
        self.assertEqual(message.count("skipped"), len(names), message)
        self.fails("index", str(self.dir / "nothing"), "--model", MODEL, "--out", self.out, says=["nothing"])

    def test_a_folder_that_cannot_be_listed(self):
        """Its pictures stay; root, who may list everything, tries it as nobody."""
        self.dir.chmod(0o777)
        who = {"user": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
        try:
            run("info", MODEL, **who)
        except (AssertionError, PermissionError):
            self.skipTest("the program or the model is not for everybody")
        closed = self.photos / "a"
        self.index()
        os.chmod(self.out, 0o644)
        closed.chmod(0)
        try:
            report = self.index(**who)
        finally:
            closed.chmod(0o755)
        self.assertEqual([s["path"] for s in report["skipped"]], ["a"])
        self.assertEqual((report["pictures"], report["removed"], report["encoded"]), (20, 0, 0))

    def test_killed_at_any_moment(self):
        for i in range(20, 400):
            self.write(f"{i}.png", i)
        command = [CLI, "index", str(self.photos), "--model", MODEL, "--out", self.out, "-q"]
        chance, killed, left = random.Random(1), 0, set()
        for attempt in range(25):
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(chance.random() * 0.12)
            process.kill()
            killed += process.wait() == -signal.SIGKILL
            left |= {p.name.split("-")[0] for p in self.dir.iterdir() if p.name.startswith("photos.index")}
            if os.path.exists(self.out):
                self.search("一")  # whole, whichever one it is
                os.remove(self.out)
        self.assertGreater(killed, 5)
        self.assertIn("photos.index.journal", left)
        self.assertEqual(self.index()["pictures"], 400)
        self.check_whole()

    def test_a_journal_cut_anywhere(self):
        self.index()
        whole = pathlib.Path(self.out).read_bytes()
        journal = self.dir / "photos.index.journal"
        records = self.journal_of_a_killed_run()
        for cut in [*range(0, 60), *range(60, len(records), 97), len(records)]:
            if os.path.exists(self.out):
                os.remove(self.out)
            journal.write_bytes(records[:cut])
            report = self.index()
            self.assertEqual(pathlib.Path(self.out).read_bytes(), whole, cut)
            self.assertFalse(journal.exists())
        self.assertLess(report["encoded"], 20)  # of the last one something was kept
        damaged = bytearray(records)
        damaged[len(records) // 2] ^= 1
        os.remove(self.out)
        journal.write_bytes(damaged)
        self.index()
        self.assertEqual(pathlib.Path(self.out).read_bytes(), whole)
        os.remove(self.out)
        journal.write_bytes(records)
        self.fails("search", self.out, "一", says=["not finished"])
        self.fails("index", str(self.photos), "--model", MODEL, "--precision", "bf16", "--out", self.out, says=["journal", "precision"])

    def journal_of_a_killed_run(self):
        """The bytes that a run has left that was killed after its first records."""
        elsewhere = str(self.dir / "elsewhere.index")
        journal = pathlib.Path(elsewhere + ".journal")
        for _ in range(200):
            process = subprocess.Popen([CLI, "index", str(self.photos), "--model", MODEL, "--out", elsewhere, "--threads", "1"],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            while process.poll() is None:
                if size_of(journal) > 2000:
                    process.kill()
                    break
            process.wait()
            if size_of(journal) > 2000:
                return journal.read_bytes()
            if os.path.exists(elsewhere):
                os.remove(elsewhere)
        self.fail("no run was killed between its first record and its end")

    def test_interrupted(self):
        for i in range(20, 3000):
            self.write(f"{i}.png", i % 700)
        process = subprocess.Popen([CLI, "index", str(self.photos), "--model", MODEL, "--out", self.out],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        journal = self.dir / "photos.index.journal"
        while process.poll() is None and size_of(journal) <= 20000:
            pass
        process.send_signal(signal.SIGINT)
        message = process.communicate(timeout=60)[1].decode()
        if process.returncode == 1:  # else it was quicker
            self.assertIn("interrupted", message)
            self.assertTrue(self.search("一"))
        self.assertEqual(self.index()["pictures"], 3000)
        self.check_whole()

    def test_one_at_a_time(self):
        with open(self.out + ".journal", "wb") as journal:
            fcntl.flock(journal, fcntl.LOCK_EX)
            self.fails("index", str(self.photos), "--model", MODEL, "--out", self.out, says=["another process"])
        self.index()

    def test_another_model(self):
        self.index()
        before = pathlib.Path(self.out).read_bytes()
        changed = self.dir / "changed"
        shutil.copytree(MODEL, changed)
        weights = changed / "model.safetensors"
        data = bytearray(weights.read_bytes())
        data[len(data) // 2] ^= 1
        weights.write_bytes(data)
        steps = self.dir / "steps"
        shutil.copytree(MODEL, steps)
        options = json.loads((steps / "preprocessor_config.json").read_text())
        options["image_mean"][0] += 0.01
        (steps / "preprocessor_config.json").write_text(json.dumps(options))
        for other in (changed, steps):
            self.fails("search", self.out, "一", "--model", str(other), says=["model", str(other), "cannot be compared"])
            self.fails("index", str(self.photos), "--model", str(other), "--out", self.out, says=["model"])
        self.fails("index", str(self.photos), "--model", MODEL, "--precision", "bf16", "--out", self.out, says=["precision", "bf16"])
        self.assertEqual(pathlib.Path(self.out).read_bytes(), before)
        for precision in ("bf16", "int8"):
            out = str(self.dir / precision)
            run("index", str(self.photos), "--model", MODEL, "--precision", precision, "--out", out)
            found = json.loads(run("search", out, "一", "--json", "--top", "1").stdout)["results"][0]
            self.assertAlmostEqual(found["score"], self.search("一")[0]["score"], delta=0.05)
        same = self.dir / "same"
        shutil.copytree(MODEL, same)
        self.assertEqual(self.search("一", "--model", str(same)), self.search("一"))

    def test_damaged_indexes(self):
        self.index()
        good = pathlib.Path(self.out).read_bytes()
        bad, chance = self.dir / "bad.index", random.Random(2)
        cases = [good[:n] for n in (0, 1, 8, 12, 30, 80, len(good) // 2, len(good) - 1)] + [good + b"\0"]
        for _ in range(20):
            data = bytearray(good)
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
            cases.append(bytes(data))
        damaged = ["bad.index: damaged index: ", "; remove it and make it again with tuwen index"]
        for data in cases:
            bad.write_bytes(data)
            self.fails("search", str(bad), "一", says=damaged if data[:12] == good[:len(data)][:12] else ["bad.index"])
        self.fails("index", str(self.photos), "--model", MODEL, "--out", str(bad), says=["bad.index"])
        bad.write_bytes(b"another file")
        self.fails("search", str(bad), "一", says=["bad.index: expected a file that tuwen index has written, found another"])
        bad.write_bytes(good[:8] + b"\2" + good[9:])
        self.fails("search", str(bad), "一", says=["format version: expected 1, found 2; remove it and make it again with tuwen index"])
        self.fails("search", str(self.dir / "none"), "一", says=["none"])
        self.fails("search", str(self.dir), "一", says=["expected a file"])
        self.fails("search", self.out, "b " * 100, says=["text[0]", "at most 20 tokens"])
        self.fails("search", self.out, "--image", str(self.dir / "none.png"), says=["none.png"])
        self.fails("search", self.out, status=2)
        self.fails("search", self.out, "", status=2)
        self.fails("search", self.out, "一", "-0", "--json", status=2)

    def embed(self, *arguments):
        out = self.dir / "e.jsonl"
        run("embed", MODEL, *arguments, "--out", str(out))
        return [json.loads(line)["embedding"] for line in out.read_text().splitlines()]

    def test_ranking(self):
        shutil.copy2(self.photos / "0.png", self.photos / "z.png")
        self.index()
        paths = sorted(str(p) for p in self.photos.rglob("*.png"))
        pictures = dict(zip(paths, self.embed("--image", *paths)))
        (text,), one = self.embed("--text", "一 b"), paths[7]
        length = sum((a + b) ** 2 for a, b in zip(text, pictures[one])) ** 0.5
        both = [(a + b) / length for a, b in zip(text, pictures[one])]
        for arguments, query in ((["一 b"], text), (["--image", one], pictures[one]), (["一 b", "--image", one], both)):
            scores = {p: sum(a * b for a, b in zip(v, query)) for p, v in pictures.items()}
            found = self.search(*arguments, "--top", "100")
            self.assertEqual(sorted(f["path"] for f in found), paths)
            self.assertEqual([f["path"] for f in found], sorted(paths, key=lambda p: (-round(scores[p], 6), p)))
            for f in found:
                self.assertAlmostEqual(f["score"], scores[f["path"]], delta=2e-6)
            self.assertEqual(self.search(*arguments, "--top", "4"), found[:4])
        lines = run("search", self.out, "一 b", "--top", "3").stdout.decode().splitlines()
        self.assertEqual([l.split(None, 1)[1] for l in lines], [f["path"] for f in self.search("一 b", "--top", "3")])

    def test_vectors_are_those_of_embed(self):
        self.index()
        data = pathlib.Path(self.out).read_bytes()
        for path in sorted(self.photos.rglob("*.png"))[:5]:
            (row,) = self.embed("--image", str(path))
            self.assertEqual(data.count(struct.pack(f"<{len(row)}f", *row)), 1)

    def test_odd_names_and_the_page(self):
        names = ["新\n行.png", "a\"b'<i>&.png", "100%#?.png", "空 格.png"]
        odd = [os.fsencode(n) for n in names] + [b"\xff\xfe.png"]
        for i, name in enumerate(odd):
            self.write(name, 100 + i)
        self.assertEqual(self.index()["pictures"], 25)
        self.assertEqual(self.index()["unchanged"], 25)
        page = self.dir / "page.html"
        query = "<b>\"海边\" & 日落"
        out = run("search", self.out, query, "--top", "25", "-0", "--html", str(page)).stdout
        paths = out.split(b"\0")[:-1]
        root = os.fsencode(self.photos) + b"/"
        self.assertEqual({p for p in paths if p.removeprefix(root) in odd}, {root + n for n in odd})
        self.assertEqual([urllib.parse.unquote_to_bytes(f["url"]) for f in self.search(query, "--top", "25")],
                         [b"file://" + p for p in paths])
        text = page.read_text(encoding="utf-8")
        shown = Page(text)
        self.assertEqual(shown.open, [])
        self.assertEqual([urllib.parse.unquote_to_bytes(i["src"]) for i in shown.images], [b"file://" + p for p in paths])
        self.assertTrue(all(i["loading"] == "lazy" for i in shown.images))
        self.assertIn("a\"b'<i>&.png", shown.text)
        self.assertNotIn(str(self.photos), shown.text)  # below the folder; the whole path is in the title
        self.assertIn("图文搜索：" + query, shown.text)
        self.assertNotIn("<i>", text)

    def clustered(self, *more):
        """The report of tuwen index --approximate; without faiss nothing is left to test."""
        done = subprocess.run([CLI, "index", str(self.photos), "--model", MODEL, "--out", self.out, "--json", "--approximate", *more],
                              capture_output=True, timeout=120)
        if b"this build of tuwen makes no clusters" in done.stderr:
            self.assertEqual(done.returncode, 1)
            self.skipTest("built without faiss")
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_approximate_search(self):
        report = self.clustered()
        self.assertEqual((report["encoded"], report["clusters"], report["clustered"]), (20, 9, 20))
        one = str(self.photos / "0.png")
        for arguments in (["一 b"], ["--image", one], ["一 b", "--image", one], ["一", "--top", "100"]):
            self.assertEqual(self.search(*arguments, "--approximate"), self.search(*arguments))
        self.assertEqual(self.search("一", "--approximate", "--probes", "1", "--top", "1")[0].keys(), {"path", "url", "score"})
        page = self.dir / "page.html"
        run("search", self.out, "一", "--approximate", "--top", "3", "--html", str(page))
        self.assertEqual(len(Page(page.read_text(encoding="utf-8")).images), 3)
        self.assertIn("在 20 张图片中", Page(page.read_text(encoding="utf-8")).text)
        self.fails("search", self.out, "一", "--probes", "3", status=2)
        self.fails("search", self.out, "一", "--approximate", "--probes", "0", status=2)

    def test_clusters_of_another_state(self):
        self.index()
        self.fails("search", self.out, "一", "--approximate", says=["photos.index", "no clusters", "tuwen index --approximate"])
        self.fails("search", str(self.dir / "none"), "一", "--approximate", says=["none", "cannot be opened"])
        self.assertEqual(self.clustered()["clustered"], 20)
        clusters = pathlib.Path(self.out + ".clusters")
        first = clusters.read_bytes()
        self.write("new.png", 500)
        self.index()
        self.fails("search", self.out, "一", "--approximate", says=["photos.index.clusters", "another state", "tuwen index --approximate"])
        self.assertEqual(len(self.search("一", "--top", "100")), 21)
        self.assertEqual(self.clustered()["clustered"], 21)
        self.write("newer.png", 501)
        self.assertEqual(self.clustered()["clustered"], 1)
        self.assertEqual(self.search("一", "--approximate"), self.search("一"))
        # What a killed run leaves goes; what is damaged is made anew; the same pictures give the same bytes.
        (self.dir / "photos.index.clusters.partial-999").write_bytes(b"left")
        os.remove(self.photos / "new.png")
        os.remove(self.photos / "newer.png")
        remedy = "; make it again with tuwen index --approximate"
        bad = {first[:n]: ["damaged file of clusters: ", remedy] for n in (0, 7, 8, 11, 12, 27, 28, 100, len(first) - 1)}
        bad[b"another file"] = ["expected a file that tuwen index --approximate has written, found another"]
        bad[first[:8] + b"\2" + first[9:]] = ["format version: expected 1, found 2" + remedy]
        for data, says in bad.items():
            clusters.write_bytes(data)
            self.fails("search", self.out, "一", "--approximate", says=["photos.index.clusters: ", *says])
            self.clustered()
            self.assertEqual(clusters.read_bytes(), first)
        clusters.unlink()
        self.check_whole()

    def test_clusters_of_nothing(self):
        shutil.rmtree(self.photos)
        self.photos.mkdir()
        self.assertEqual(self.clustered()["clusters"], 0)
        self.assertEqual(self.search("一", "--approximate"), [])
        self.write("one.png", 1)
        self.assertEqual(self.clustered()["clusters"], 1)
        self.assertEqual(self.search("一", "--approximate"), self.search("一"))


if __name__ == "__main__":
    unittest.main()
