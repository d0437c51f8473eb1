"""tuwen embed: the files that it writes, what stops it, and the progress bar."""
import json
import math
import os
import pathlib
import pty
import resource
import signal
import subprocess
import time
import unittest

from command_line import CLI, EMBEDDING, MODEL, TOKENS, WIDTH, CommandLine, as_float32, read_npy, run


class Embed(CommandLine):
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
