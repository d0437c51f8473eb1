"""What scripts/gpu_check keeps: records as JSON lines, and a summary of them as Markdown tables, both written as they come."""
import json
import pathlib
import statistics
import threading

OPERATIONS = "operations and towers"  # the step without which nothing is good
PARITY = 1e-5  # of normalised f32 embeddings, to the CPU's

ENCODE_HEADER = ["model", "tower", "tokens", "batch", "precision", "engine", "ms", "spread", "items/s", "TFLOP/s", "ratio", "resident ms",
                 "cosine", "SM MHz"]


class Results:
    """Records, kept as they come; the summary is written anew with each."""

    def __init__(self, folder: pathlib.Path):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.records, self.lock = folder, [], threading.Lock()
        self.lines = open(folder / "records.jsonl", "w", encoding="utf-8")
        self.log = open(folder / "log.txt", "w", encoding="utf-8")

    def add(self, kind: str, **record):
        with self.lock:
            self.records.append({"kind": kind, **record})
            print(json.dumps(self.records[-1], ensure_ascii=False), file=self.lines, flush=True)
            temporary = self.folder / "summary.md.part"
            temporary.write_text(summary(self.records), encoding="utf-8")
            temporary.replace(self.folder / "summary.md")

    def note(self, text: str):
        print(text, file=self.log, flush=True)

    def good(self) -> bool:
        """No step failed, and the one that matters most was not cut."""
        steps = {r["step"]: r["status"] for r in self.records if r["kind"] == "step"}
        return "failed" not in steps.values() and steps.get(OPERATIONS) == "passed"


def table(header, rows) -> str:
    plain = lambda cell: str(cell).replace("|", "/").replace("\n", " ")  # noqa: E731
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join([*lines, *("| " + " | ".join(map(plain, row)) + " |" for row in rows)]) + "\n"


def encode_rows(records) -> list:
    """One row a workload and precision: tuwen (the mean of its medians, and how far they lie apart), then each other engine."""
    groups = {}
    for r in records:
        if r["kind"] == "encode" and "median_ms" in r:
            workload = (r["preset"], r["tower"], str(r["tokens"]), r["batch"], r["precision"])
            engine = r["engine"] + (", fast plan" if r.get("plan") == "fast" else "")
            groups.setdefault(workload, {}).setdefault(engine, []).append(r)
    rows = []
    for (preset, tower, tokens, batch, precision), engines in groups.items():
        mine = [r["median_ms"] for r in engines.get("tuwen", [])]
        for engine, runs in engines.items():
            times = [r["median_ms"] for r in runs]
            mean = statistics.mean(times)
            spread = f"{100 * (max(times) - min(times)) / mean:.1f} %" if len(times) > 1 else ""
            tflops = [r["gflops"] / 1e3 for r in runs if r.get("gflops")]
            ratio = f"{mean / statistics.mean(mine):.2f}" if mine and engine != "tuwen" else ""
            cosine = min((r["cosine"] for r in runs if r.get("cosine") is not None), default=None)
            resident = [r["resident_ms"] for r in runs if r.get("resident_ms")]
            clock = [r["sm_mhz"] for r in runs if r.get("sm_mhz")]
            rows.append([preset, tower, tokens, batch, precision, engine, f"{mean:.3f}", spread, f"{batch / mean * 1e3:,.0f}",
                         f"{statistics.mean(tflops):.1f}" if tflops else "", ratio, f"{resident[0]:.3f}" if resident else "",
                         f"{cosine:.6f}" if cosine is not None else "", f"{clock[0]:.0f}" if clock else ""])
    return rows


def summary(records) -> str:
    def rows(kind, *keys):
        return [[r[key] for key in keys] for r in records if r["kind"] == kind]

    sections = [
        ("Steps", "", ["step", "", "s", "what was found"], rows("step", "step", "status", "seconds", "text")),
        ("Cases of test_gpu", "", ["case", "", "s", "why"], rows("case", "case", "status", "seconds", "why")),
        ("Operations and towers", "The largest error as a share of what is permitted.", ["what", "share"],
         [[what, "infinite" if share is None else f"{share:.3g}"] for what, share in rows("check", "check", "share")]),
        ("A model of true size", f"f32 embeddings, the largest difference to the CPU's; {PARITY} is permitted.",
         ["preset", "inputs", "difference"], [[*about, f"{d:.2e}"] for *about, d in rows("parity", "preset", "inputs", "difference")]),
        ("compute-sanitizer", "", ["tool", "", "s", "what it said"], rows("sanitizer", "tool", "status", "seconds", "text")),
        ("Encoding", "Host memory to host memory. `ratio`: the engine's time by tuwen's, above 1 tuwen is faster. `early launch`: with"
         " TUWEN_CUDA_EARLY_LAUNCH=1. `resident ms`: the"
         " engine on inputs that lie on the card. `cosine`: of the worst item to the CPU's f32 (tuwen without a batch there: of the"
         " first item).", ENCODE_HEADER, encode_rows(records)),
    ]
    text = "# GPU check\n\n"
    for r in records:
        if r["kind"] == "machine":
            text += "".join(f"- {key}: {value}\n" for key, value in r.items() if key != "kind")
    for title, note, header, body in sections:
        if body:
            text += f"\n## {title}\n\n" + (f"{note}\n\n" if note else "") + table(header, body)
    return text
