"""What every engine's script shares: its command line, the inputs, the timing, the record.

A script measures one workload in one precision and prints one JSON record. It gives run() one or more *forms*, each a function
that takes input arrays and returns a function that encodes them; everything but that last call is outside the timing. Where an
engine has several forms (static or dynamic shapes, this graph or that), the fastest is measured; which one that is, is kept in
the cache. Texts of one length come without padding and without a mask. Texts of mixed lengths are sorted by length and cut into
batches, each padded to its own longest text; the best size of these batches is part of the form.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import time
import zlib

import numpy as np


def arguments(description, precisions, modes=("",), add_options=None):
    """Parses the command line and reads the inputs. To be called before the engine is imported: it reads the threads."""
    parser = argparse.ArgumentParser(description=description.split("\n")[0])
    parser.add_argument("model", type=pathlib.Path, help="model directory")
    parser.add_argument("inputs", help="stem of the files that tuwen-bench encode --save wrote, such as folder/image-1")
    parser.add_argument("--cache", type=pathlib.Path, required=True, help="folder for exported and compiled models of this checkpoint")
    parser.add_argument("--precision", choices=precisions, default=precisions[0])
    parser.add_argument("--mode", choices=modes, default=modes[0])
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--calibration", help="stem of inputs to calibrate int8 with")
    parser.add_argument("--warmup", type=int, default=10)
    parser.add_argument("--runs", type=int, default=20, help="samples at least")
    parser.add_argument("--seconds", type=float, default=1.0, help="take samples for at least this long")
    if add_options:
        add_options(parser)
    job = parser.parse_args()
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(job.threads)
    os.environ["TRANSFORMERS_OFFLINE"] = "1"
    job.cache.mkdir(parents=True, exist_ok=True)
    job.config = json.loads((job.model / "config.json").read_text())
    choose_inputs(job, job.inputs)
    return job


def choose_inputs(job, stem):
    job.workload = os.path.basename(stem)
    job.tower = job.workload.split("-")[0]
    job.items, job.checksum = load_inputs(stem)


def load_inputs(stem):
    """A list of arrays, one an item: pixels [3, height, width] f32 or token ids [tokens] i64; and a checksum of them all."""
    if os.path.exists(f"{stem}.pixels.npy"):
        items = list(np.load(f"{stem}.pixels.npy"))
    else:
        begin = np.load(f"{stem}.row_begin.npy")
        items = np.split(np.load(f"{stem}.ids.npy").astype(np.int64), begin[1:-1])
    return items, zlib.crc32(b"".join(item.tobytes() for item in items))


def batches(job, size):
    """Yields (indices of items, input arrays). `size` None: items of equal shape together, nothing padded."""
    order = sorted(range(len(job.items)), key=lambda i: job.items[i].shape[-1])
    if size is None:
        lengths = sorted({item.shape[-1] for item in job.items})
        parts = [[i for i in order if job.items[i].shape[-1] == length] for length in lengths]
    else:
        parts = [order[begin : begin + size] for begin in range(0, len(order), size)]
    for part in parts:
        items = [job.items[i] for i in part]
        if len({item.shape for item in items}) == 1:
            yield part, [np.stack(items)]
            continue
        longest = max(len(item) for item in items)
        ids, mask = np.zeros((2, len(items), longest), np.int64)
        for row, item in enumerate(items):
            ids[row, : len(item)] = item
            mask[row, : len(item)] = 1
        yield part, [ids, mask]


def reference_file(job):
    return job.cache / f"reference-{job.workload}-{job.checksum:08x}.npy"


def worst_cosine(x, y):
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    return float(((x * y).sum(-1) / np.sqrt((x * x).sum(-1) * (y * y).sum(-1))).min())


def encoder(job, prepare, size):
    """A function that encodes all items, in batches of `size`, and returns [items, embedding] in the order of the items."""
    parts = list(batches(job, size))
    steps = [(part, prepare(arrays)) for part, arrays in parts]
    if len(steps) == 1 and steps[0][0] == list(range(len(job.items))):
        return steps[0][1]

    def encode():
        results = [(part, np.asarray(step())) for part, step in steps]
        out = np.empty((len(job.items), results[0][1].shape[-1]), np.float32)
        for part, values in results:
            out[part] = values
        return out

    return encode


def fastest(job, engine, forms, sizes):
    """(name, function) of the form to measure: from the cache, else by trying each."""
    mixed = len({item.shape for item in job.items}) > 1
    sizes = [s for s in sizes if s is None or s < len(job.items)] + [len(job.items)] if mixed else [len(job.items)]
    candidates = {}
    for name, prepare in forms.items():
        for size in sizes:
            label = f"sorted by length, {'equal ones together' if size is None else f'batches of {size}'}" if mixed else ""
            candidates[", ".join(filter(None, (name, label)))] = (prepare, size)
    if len(candidates) == 1:
        (name, (prepare, size)), = candidates.items()
        return name, encoder(job, prepare, size)
    file = job.cache / f"form-{engine}-{job.precision}-{job.workload}-{job.threads}.txt"
    if file.exists() and (name := file.read_text()) in candidates:
        return name, encoder(job, *candidates[name])
    times = {}
    for name, (prepare, size) in candidates.items():
        try:
            encode = encoder(job, prepare, size)
            encode()
        except NotImplementedError:  # this form is not for these inputs
            continue
        start, runs = time.perf_counter(), []
        while len(runs) < (3 if job.seconds > 0 else 1) or (len(runs) < 20 and time.perf_counter() - start < job.seconds / 2):
            begin = time.perf_counter()
            encode()
            runs.append(time.perf_counter() - begin)
        times[name] = min(runs)
        print(f"{engine} {job.precision} {job.workload}: {name}: {times[name] * 1e3:.1f} ms", file=sys.stderr)
    best = min(times, key=times.get)
    if job.seconds > 0:  # else it was only to fill the cache, maybe on a busy machine
        file.write_text(best)
    return best, encoder(job, *candidates[best])


def run(job, engine, version, forms, read_back, sizes=(None, 4, 8, 16, 32), more=dict):
    """Measures the fastest form and prints the record. `read_back()` says in what precision the engine really computes,
    `more()` what else belongs into the record."""
    form, encode = fastest(job, engine, forms, sizes)
    embeddings = np.asarray(encode(), np.float32)
    for _ in range(job.warmup):
        encode()
    samples, start = [], time.perf_counter()
    while len(samples) < job.runs or time.perf_counter() - start < job.seconds:
        begin = time.perf_counter()
        encode()
        samples.append((time.perf_counter() - begin) * 1e3)
    lengths = [item.shape[-1] for item in job.items]
    if job.tower == "image":
        vision = job.config["vision_config"]
        tokens = (lengths[0] // vision.get("patch_size", 32)) ** 2 + 1
    else:
        tokens = lengths[0] if min(lengths) == max(lengths) else job.workload.rsplit("x", 1)[1]
    median = float(np.median(samples))
    reference = reference_file(job)
    record = {
        "bench": "encode", "engine": engine, "version": version, "tower": job.tower, "batch": len(job.items), "tokens": tokens,
        "threads": job.threads, "precision": job.precision, "read_back": read_back(), "form": form, "median_ms": median,
        "mean_ms": float(np.mean(samples)), "sd_ms": float(np.std(samples)), "min_ms": min(samples), "max_ms": max(samples),
        "p95_ms": float(np.percentile(samples, 95)), "p99_ms": float(np.percentile(samples, 99)), "runs": len(samples),
        "items_per_s": len(job.items) / median * 1e3,
        "cosine": worst_cosine(embeddings, np.load(reference)) if reference.exists() else None, "model": str(job.model), **more()}
    print(json.dumps(record, ensure_ascii=False), flush=True)


def onnx_model(job, masked):
    """Stem of the ONNX files of the tower, which are exported once, in a process of its own."""
    name = job.tower + ("-mask" if masked else "")
    folder = job.cache / "onnx"
    if not (folder / f"{name}.exported").exists():
        folder.mkdir(exist_ok=True)
        script = pathlib.Path(__file__).with_name("export_onnx.py")
        subprocess.run([sys.executable, script, job.model, folder, name], check=True, stdout=sys.stderr)
    return folder / name
