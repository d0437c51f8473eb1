"""scripts/gpu_check on machines without a card, and on one whose compiler, card and programs are fakes: what it asks them, what it
keeps, what it says when they fail. Without numpy the part with models is left out."""
import importlib.machinery
import importlib.util
import json
import os
import pathlib
import stat
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "gpu_check"
sys.path.insert(0, str(ROOT / "scripts"))
sys.dont_write_bytecode = True
loader = importlib.machinery.SourceFileLoader("gpu_check", str(SCRIPT))
gpu_check = importlib.util.module_from_spec(importlib.util.spec_from_loader("gpu_check", loader))
loader.exec_module(gpu_check)
import gpu_report  # noqa: E402

CARD = """case "$*" in
  *compute_cap*) echo 'NVIDIA H100 80GB HBM3, 9.0, 580.1, 81559, 1980, 2619, 700.00' ;;
  *) echo '1980, 50, 300' ;;
esac"""
# Makes what is asked for a copy of the fake of its name.
CMAKE = """case "$1" in
  -S) mkdir -p "$4/tests"; echo "$@" > "$4/configured" ;;
  --build) for last; do :; done
    case $last in
      test_gpu) cp "$FAKES/test_gpu" "$2/tests/test_gpu" ;;
      tuwen_bench) cp "$FAKES/bench" "$2/tuwen-bench" ;;
    esac ;;
esac"""
CASES = """case "$1" in
  --list-test-names-only) printf 'cuda: a case, of two\\ncard case\\n' ;;
  'cuda: a case\\, of two') echo '{"check": "linear", "share_of_permitted": 0.25}'
    echo '{"check": "softmax", "share_of_permitted": null}' ;;
  'card case') echo 'card.cpp:1: FAILED' ; exit $CARD_CASE ;;
  *) echo "No tests ran for $1"; exit 5 ;;
esac"""
BENCH = """device=cuda:0
for argument; do [ "$previous" = --device ] && device=$argument; previous=$argument; done
echo '{"bench": "encode", "tower": "image", "batch": 1, "tokens": 197, "precision": "bf16", "device": "'$device'", "median_ms": 0.5,
 "gflops": 70000.0, "cosine": 0.9999}' | tr -d '\\n'; echo
echo 'item 0 alone differs from itself in a batch' >&2
exit 1"""


class Machine:
    """A folder that is all of PATH but the system's own tools."""

    def __init__(self, folder, **programs):
        self.folder = pathlib.Path(folder)
        for name, body in programs.items():
            path = self.folder / name.replace("_", "-") if name == "nvidia_smi" else self.folder / name
            path.write_text(f"#!/bin/sh\n{body}\n")
            path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def check(self, *arguments, **environment):
        return subprocess.run([sys.executable, SCRIPT, self.folder / "out", "--work", self.folder / "work", "--models", "tiny", *arguments],
                              capture_output=True, text=True, timeout=300,
                              env={"PATH": f"{self.folder}:/usr/bin:/bin", "CUDA_HOME": str(self.folder / "none"),
                                   "FAKES": str(self.folder), "CARD_CASE": "0", "PYTHONDONTWRITEBYTECODE": "1", **environment})

    def records(self, kind):
        lines = (self.folder / "out" / "records.jsonl").read_text().splitlines()
        return [r for r in map(json.loads, lines) if r["kind"] == kind]


class WithoutCard(unittest.TestCase):
    def check(self, said, **programs):
        with tempfile.TemporaryDirectory() as folder:
            machine = Machine(folder, **programs)
            done = machine.check()
            self.assertEqual(done.returncode, 77, done.stderr)
            self.assertIn(said, done.stderr)
            self.assertEqual(len(done.stderr.splitlines()), 1)
            self.assertFalse((machine.folder / "out").exists())

    @unittest.skipIf(os.path.exists("/usr/bin/nvcc"), "there is an nvcc that cannot be hidden")
    def test_no_compiler(self):
        self.check("there is no nvcc", nvidia_smi=CARD)

    @unittest.skipIf(os.path.exists("/usr/bin/nvidia-smi"), "there is a driver that cannot be hidden")
    def test_no_driver(self):
        self.check("there is no NVIDIA driver", nvcc="")

    def test_broken_driver(self):
        self.check("couldn't communicate with the driver", nvcc="",
                   nvidia_smi="echo \"NVIDIA-SMI couldn't communicate with the driver\"; exit 9")

    def test_no_card(self):
        self.check("knows no card", nvcc="", nvidia_smi="echo 'No devices were found'")


class WithFakes(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def machine(self, **programs):
        return Machine(self.folder.name, **{"nvcc": "", "nvidia_smi": CARD, "cmake": CMAKE, "test_gpu": CASES, "bench": BENCH, **programs})

    def statuses(self, machine):
        return {r["step"]: r["status"] for r in machine.records("step")}

    def test_what_is_kept(self):
        machine = self.machine()
        done = machine.check("--minutes", "2")
        models = importlib.util.find_spec("numpy") is not None
        self.assertEqual(done.returncode, 1 if models else 0, done.stderr)  # the fake of tuwen-bench fails
        steps = self.statuses(machine)
        self.assertEqual([steps[s] for s in ("configure", "build test_gpu", "build tuwen-bench", "operations and towers")], ["passed"] * 4)
        self.assertIn("-DTUWEN_CUDA_ARCHITECTURES=90a-real", (machine.folder / "work" / "build" / "configured").read_text())
        self.assertEqual([(r["check"], r["share"]) for r in machine.records("check")], [("linear", 0.25), ("softmax", None)])
        self.assertEqual(machine.records("machine")[0]["name"], "NVIDIA H100 80GB HBM3")
        text = (machine.folder / "out" / "summary.md").read_text()
        self.assertIn("| linear | 0.25 |", text)
        self.assertIn("| softmax | infinite |", text)
        self.assertEqual(steps["sanitizers"], "left out")
        if models:
            record = machine.records("encode")[0]  # came before the program failed
            self.assertEqual((record["engine"], record["preset"], record["median_ms"]), ("tuwen", "tiny", 0.5))
            self.assertEqual(steps["bf16, tiny"], "failed")
            for tower in ("image", "text"):  # one does not keep the other from being measured
                self.assertIn(f"tiny {tower} bf16: item 0 alone differs from itself in a batch", machine.records("step")[-1]["text"])
            self.assertIn("| tiny | image | 197 | 1 | bf16 | tuwen | 0.500 |", text)

    def test_a_case_fails(self):
        machine = self.machine()
        self.assertEqual(machine.check("--minutes", "2", CARD_CASE="1").returncode, 1)
        self.assertEqual(self.statuses(machine)["operations and towers"], "failed")
        case, = (r for r in machine.records("case") if r["status"] == "failed")
        self.assertEqual(case["case"], "card case")
        self.assertIn("card.cpp:1: FAILED", case["why"])

    def test_no_build(self):
        machine = self.machine(cmake="[ $1 = --build ] && { echo 'x.cu(3): error: expected a ;'; exit 1; }; exit 0")
        self.assertEqual(machine.check("--minutes", "2").returncode, 1)
        self.assertEqual(self.statuses(machine), {"configure": "passed", "build test_gpu": "failed"})
        self.assertIn("expected a ;", machine.records("step")[1]["text"])

    def test_time_runs_out(self):
        machine = self.machine(cmake="[ $1 = --build ] && sleep 40; exit 0")
        self.assertEqual(machine.check("--minutes", "0.1").returncode, 1)
        self.assertEqual(self.statuses(machine)["build test_gpu"], "cut")


class EarlyLaunch(unittest.TestCase):
    def run_with(self, embeddings):
        """What the step says where an engine's embeddings are these bytes."""
        with tempfile.TemporaryDirectory() as folder:
            check = object.__new__(gpu_check.Check)
            check.inputs, asked = pathlib.Path(folder), []

            def bench(preset, tower, batches, precision, device, save, engine):
                asked.append((tower, engine))
                for batch in batches:
                    (save / f"{gpu_check.stem(tower, batch)}.embeddings.npy").write_bytes(embeddings[engine])

            check.bench, check.checkpoint = bench, lambda preset: None
            try:
                return asked, check.early_launch("tiny", ("image", "text"), "bf16", (1,))
            except gpu_check.Failed as why:
                return asked, str(why)

    def test_embeddings(self):
        turns = ["tuwen", "tuwen, early launch", "tuwen"]
        same = self.run_with(dict.fromkeys(turns, b"1"))
        self.assertEqual(same, ([(tower, engine) for tower in ("image", "text") for engine in turns], "the same embeddings"))
        other = self.run_with({turns[0]: b"1", turns[1]: b"2"})[1]
        self.assertEqual(other, "other embeddings: image-1, tuwen, early launch; text-1x52, tuwen, early launch")

    def test_environment(self):
        with tempfile.TemporaryDirectory() as folder:
            results = gpu_report.Results(pathlib.Path(folder))
            self.addCleanup(results.lines.close)
            self.addCleanup(results.log.close)
            check = gpu_check.Check(results, pathlib.Path(folder) / "work", 1)
            for engine, value in (("tuwen", "0"), ("tuwen, early launch", "1")):
                self.assertEqual(check.execute(["printenv", "TUWEN_CUDA_EARLY_LAUNCH"], 10, gpu_check.ENGINES[engine])[1], f"{value}\n")


class Summary(unittest.TestCase):
    def test_ratios(self):
        about = {"kind": "encode", "preset": "p", "tower": "image", "tokens": 197, "batch": 8, "precision": "bf16"}
        rows = gpu_report.encode_rows([
            {**about, "engine": "tuwen", "median_ms": 1.9, "gflops": 1000.0, "cosine": 0.9998},
            {**about, "engine": "tuwen", "median_ms": 2.1},
            {**about, "engine": "torch eager", "median_ms": 3.0, "resident_ms": 2.5},
            {**about, "engine": "tuwen", "plan": "fast", "median_ms": 1.5},
            {**about, "engine": "torch compile", "error": "none"}])
        self.assertEqual([r[5] for r in rows], ["tuwen", "torch eager", "tuwen, fast plan"])
        self.assertEqual(rows[0][6:11], ["2.000", "10.0 %", "4,000", "1.0", ""])
        self.assertEqual(rows[1][6:12], ["3.000", "", "2,667", "", "1.50", "2.500"])
        self.assertEqual(rows[2][6:11], ["1.500", "", "5,333", "", "0.75"])

    def test_architectures(self):
        self.assertEqual([gpu_check.architecture(c) for c in ("8.0", "8.9", "9.0", "12.0")], ["80-real", "89-real", "90a-real", "120-real"])

    def test_patterns(self):
        self.assertEqual(gpu_check.pattern("a, b [c]"), "a\\, b \\[c]")


if __name__ == "__main__":
    unittest.main()
