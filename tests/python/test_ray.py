"""Large jobs: shards, what survives a kill, and Ray's workers. What needs Ray or pyarrow is skipped where they are not."""
import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import zlib

import numpy as np
import pytest

import tuwen
from tuwen import _shards
from tuwen._shard_files import ShardFolder

try:
    import ray
except ImportError:
    ray = None
try:
    import pyarrow
    import pyarrow.parquet
except ImportError:
    pyarrow = None
needs_pyarrow = pytest.mark.skipif(pyarrow is None, reason="pyarrow is not installed: pip install pyarrow")
needs_ray = pytest.mark.skipif(ray is None or pyarrow is None, reason="Ray Data is not installed: pip install \"ray[data]\"")


def png(seed, side=12):
    rows = b"".join(b"\0" + np.random.RandomState(seed * side + y).bytes(3 * side) for y in range(side))
    chunk = lambda name, data: struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))  # noqa: E731
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def contents(folder):
    return {path.name: path.read_bytes() for path in pathlib.Path(folder).iterdir() if path.name != ".lock"}


@pytest.fixture
def pictures(tmp_path):
    """60 pictures in folders, of which one is broken; and files that are no pictures by their names."""
    folder = tmp_path / "pictures"
    for seed in range(60):
        path = folder / f"{seed % 3}" / f"图 {seed:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(seed) if seed != 31 else b"no picture")
    for name in (".hidden.png", "notes.txt", "1/.git/x.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(png(0))
    return folder


@pytest.fixture
def table(tmp_path):
    """47 rows in three row groups, of pictures, texts and ids; a picture and a text are missing."""
    rows = {
        "picture": [png(seed) if seed != 5 else None for seed in range(47)],
        "caption": ["一 b" * (seed % 9) if seed != 40 else None for seed in range(47)],
        "key": [f"k{seed}" for seed in range(47)],
    }
    path = tmp_path / "pairs.parquet"
    pyarrow.parquet.write_table(pyarrow.table(rows), path, row_group_size=20)
    return path


# ---- without Ray


def test_without_ray_the_message_says_what_to_install():
    code = "import sys; sys.modules['ray'] = None; import tuwen; import tuwen.ray"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "ImportError: tuwen.ray needs Ray Data, which is not installed: pip install \"tuwen[ray]\""


def test_the_shards_of_a_folder_have_every_picture_once(pictures):
    shards, digest = _shards.plan(str(pictures), 7, [])
    assert [shard["items"] for shard in shards] == [7] * 8 + [4]
    items = [item for shard in json.loads(json.dumps(shards)) for item in _shards.read(shard, ["path"], None)]
    assert [identity for identity, _ in items] == sorted(f"{seed % 3}/图 {seed:02d}.png" for seed in range(60))
    assert all(values["path"] == str(pictures / identity) for identity, values in items)
    assert _shards.plan(str(pictures), 7, [])[1] == digest
    (pictures / "0" / "new.jpg").write_bytes(b"")
    assert _shards.plan(str(pictures), 7, [])[1] != digest


def test_names_that_are_no_text(pictures):
    name = os.fsencode(pictures) + b"/\xff\xfe.png"
    with open(name, "wb") as file:
        file.write(png(1))
    shards, _ = _shards.plan(str(pictures), 100, [])
    identity, values = list(_shards.read(json.loads(json.dumps(shards[0])), ["path"], None))[-1]
    assert identity == "\\xff\\xfe.png" and os.fsencode(values["path"]) == name


def test_a_source_without_items(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        _shards.plan(str(tmp_path / "nowhere"), 7, [])
    with pytest.raises(ValueError, match="expected pictures .*found none"):
        _shards.plan(str(tmp_path), 7, [])


@needs_pyarrow
@pytest.mark.parametrize("size", [1, 3, 20, 1000])
def test_the_shards_of_parquet_have_every_row_once(table, size):
    shards, _ = _shards.plan(str(table), size, ["caption"])
    assert sum(shard["items"] for shard in shards) == 47 and max(shard["items"] for shard in shards) <= size
    rows = [item for shard in shards for item in _shards.read(shard, ["caption"], None)]
    assert [row for row, _ in rows] == list(range(47))
    assert [values["caption"] for _, values in rows] == pyarrow.parquet.read_table(table)["caption"].to_pylist()
    named = [identity for shard in shards for identity, _ in _shards.read(shard, ["caption"], "key")]
    assert named == [f"k{seed}" for seed in range(47)]


@needs_pyarrow
def test_a_folder_of_parquet(table, tmp_path):
    folder = tmp_path / "many"
    folder.mkdir()
    for name in ("b.parquet", "a.parquet", "_metadata.parquet", "readme.txt"):
        shutil.copy(table, folder / name)
    shards, _ = _shards.plan(str(folder), 16, ["key"])
    assert [row for shard in shards for row, _ in _shards.read(shard, ["key"], None)] == list(range(94))
    assert [os.path.basename(shard["file"])[0] for shard in shards] == ["a"] * 5 + ["b"] * 5
    with pytest.raises(ValueError, match="a.parquet: columns: expected 'text', found .*caption"):
        _shards.plan(str(folder), 16, ["text"])


def test_a_shard_appears_whole_or_not_at_all(tmp_path, monkeypatch):
    folder = ShardFolder(str(tmp_path / "out"), "npy")
    folder.begin({"a": 1}, False).close()
    rows = np.arange(6, dtype=np.float32).reshape(3, 2)
    folder.write(4, {"x": rows}, {"id": ["a", "b", "c"], "x_error": [None, "why", None]})
    assert folder.has(4) and not folder.has(3)
    assert np.array_equal(np.load(tmp_path / "out" / "part-00004.x.npy"), rows)
    lines = (tmp_path / "out" / "part-00004.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [{"id": "a"}, {"id": "b", "x_error": "why"}, {"id": "c"}]

    before, replace = contents(folder.path), os.replace

    def stopped_before_the_last(source, place):
        if place.endswith(".jsonl"):
            raise KeyboardInterrupt
        replace(source, place)

    monkeypatch.setattr(os, "replace", stopped_before_the_last)
    with pytest.raises(KeyboardInterrupt):
        folder.write(5, {"x": rows}, {"id": ["a", "b", "c"]})
    assert not folder.has(5) and contents(folder.path).keys() == before.keys() | {"part-00005.x.npy"}
    monkeypatch.undo()
    folder.write(5, {"x": rows + 1}, {"id": ["a", "b", "c"]})
    assert folder.has(5) and np.load(tmp_path / "out" / "part-00005.x.npy")[0, 0] == 1


def test_a_folder_belongs_to_one_job_and_one_run(tmp_path):
    folder = ShardFolder(str(tmp_path / "out"), "npy")
    with folder.begin({"model": "a"}, False):
        with pytest.raises(ValueError, match="another run is writing it"):
            folder.begin({"model": "a"}, False)
    (tmp_path / "out" / ".tmp-left").write_bytes(b"of a killed one")
    folder.write(0, {"x": np.zeros((1, 1), np.float32)}, {"id": [1]})
    folder.begin({"model": "a"}, False).close()
    assert folder.has(0) and not (tmp_path / "out" / ".tmp-left").exists()
    with pytest.raises(ValueError, match="model: expected 'b', found 'a'.*restart"):
        folder.begin({"model": "b"}, False)
    assert folder.has(0)
    folder.begin({"model": "b"}, True).close()
    assert not folder.has(0)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "part-00000.parquet").write_bytes(b"somebody's")
    with pytest.raises(ValueError, match="expected an empty folder"):
        ShardFolder(str(tmp_path / "other"), "parquet").begin({}, False)
    assert folder.claim("isa", "one") == "one" and folder.claim("isa", "two") == "one"


def test_attempts_at_a_shard_are_counted_within_a_run(tmp_path):
    folder = ShardFolder(str(tmp_path / "out"), "npy")
    me = f"{socket.gethostname()} {os.getpid()}"
    with folder.begin({}, False):
        assert [len(folder.note_attempt(shard)) for shard in (7, 7, 8)] == [1, 2, 1]
        assert folder.note_attempt(7) == [me] * 3
    with folder.begin({}, False):
        assert folder.note_attempt(7) == [me]


@needs_pyarrow
def test_a_message_says_which_items_a_shard_has(pictures, table):
    assert _shards.describe(_shards.plan(str(pictures), 7, [])[0][1]) == f"0/图 21.png to 0/图 39.png, 7 pictures below {pictures}"
    assert _shards.describe(_shards.plan(str(table), 16, ["key"])[0][2]) == f"rows 20 to 35, in {table}"


# ---- with Ray


@pytest.fixture(scope="module")
def cluster():
    ray.init(num_cpus=3, include_dashboard=False, log_to_driver=False, configure_logging=False)
    ray.data.DataContext.get_current().enable_progress_bars = False
    yield
    ray.shutdown()


def features_of(folder):
    """id -> features, or the reason why there are none."""
    rows = {}
    for path in sorted(pathlib.Path(folder).glob("part-*.parquet")):
        for row in pyarrow.parquet.read_table(path).to_pylist():
            assert row["id"] not in rows
            rows[row["id"]] = row["image_features"] or row["image_features_error"]
    return rows


@needs_ray
def test_features_of_a_folder(cluster, base, pictures, tmp_path):
    from tuwen.ray import write_features

    done = write_features(base, str(pictures), str(tmp_path / "out"), workers=2, threads=1, shard_size=7)
    assert done == {"shards": 9, "items": 60, "before": 0}
    rows = features_of(tmp_path / "out")
    assert sorted(rows) == sorted(f"{seed % 3}/图 {seed:02d}.png" for seed in range(60))
    assert "expected a JPEG, PNG, WebP or BMP image" in rows.pop("1/图 31.png")
    model, processor = tuwen.ChineseCLIPModel.from_pretrained(base), tuwen.ChineseCLIPProcessor.from_pretrained(base)
    names = sorted(rows)
    plain = model.get_image_features(**processor(images=[str(pictures / name) for name in names], return_tensors="np"))
    plain /= np.linalg.norm(plain, axis=1, keepdims=True)
    assert np.allclose([rows[name] for name in names], plain, atol=1e-6)
    before = contents(tmp_path / "out")
    for options in ({}, {"batch_size": 3, "threads": 2}):
        again = write_features(base, str(pictures), str(tmp_path / "out"), shard_size=7, **options)
        assert again["before"] == 9 and contents(tmp_path / "out") == before
    other = write_features(base, str(pictures), str(tmp_path / "other"), shard_size=7, batch_size=3, threads=2)
    assert other["before"] == 0 and contents(tmp_path / "other") == before
    (pictures / "0" / "new.png").write_bytes(png(99))
    with pytest.raises(ValueError, match="source: expected .*another job"):
        write_features(base, str(pictures), str(tmp_path / "out"), shard_size=7)


@needs_ray
@pytest.mark.parametrize("file_format", ["parquet", "npy"])
def test_pairs_of_parquet(cluster, base, table, tmp_path, file_format):
    from tuwen.ray import write_features

    out = tmp_path / "out"
    write_features(base, str(table), str(out), image="picture", text="caption", id_column="key", format=file_format, shard_size=20,
                   context_length=12)
    if file_format == "parquet":
        assert len(list(out.glob("part-*.parquet"))) == 3
        rows = pyarrow.concat_tables([pyarrow.parquet.read_table(path) for path in sorted(out.glob("part-*.parquet"))]).to_pylist()
    else:
        rows = [json.loads(line) for path in sorted(out.glob("part-*.jsonl")) for line in path.read_text().splitlines()]
        for kind in ("image_features", "text_features"):
            vectors = np.concatenate([np.load(path) for path in sorted(out.glob(f"part-*.{kind}.npy"))])
            for row, vector in zip(rows, vectors):
                row[kind] = None if np.isnan(vector).all() else vector.tolist()
    assert [row["id"] for row in rows] == [f"k{seed}" for seed in range(47)]
    assert [row["id"] for row in rows if row["image_features"] is None] == ["k5"]
    assert [row["id"] for row in rows if row["text_features"] is None] == ["k40"]
    assert rows[5]["image_features_error"] == "expected a picture, found nothing"
    assert rows[40]["text_features_error"] == "expected a text, found NoneType"
    model, tokenizer = tuwen.ChineseCLIPModel.from_pretrained(base), tuwen.BertTokenizer.from_pretrained(base)
    plain = model.get_text_features(**tokenizer(["一 b" * 8], truncation=True, max_length=12, return_tensors="np"))[0]
    assert np.allclose(rows[8]["text_features"], plain / np.linalg.norm(plain), atol=1e-6)


@needs_ray
@pytest.mark.parametrize("file_format", ["parquet", "npy"])
def test_a_killed_worker_changes_nothing(cluster, base, pictures, tmp_path, file_format):
    from tuwen.ray import write_features

    for seed in range(60, 600):
        (pictures / f"{seed}.png").write_bytes(png(seed, 40))
    options = {"workers": 2, "shard_size": 5, "format": file_format}
    write_features(base, str(pictures), str(tmp_path / "whole"), **options)
    reports, killed = [], []

    def kill_some(report):
        reports.append(report)
        if len(reports) % 20 == 1 and len(killed) < 3 and report["pid"] not in killed:
            os.kill(report["pid"], signal.SIGKILL)
            (tmp_path / "killed" / f".tmp-{report['pid']}").write_bytes(b"what it was writing")
            killed.append(report["pid"])

    done = write_features(base, str(pictures), str(tmp_path / "killed"), on_shard=kill_some, **options)
    assert len(killed) >= 2 and len({report["pid"] for report in reports}) > 2  # others took their place
    assert done["items"] == 600 and sorted(report["shard"] for report in reports) == list(range(120))
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


@needs_ray
def test_a_shard_that_ends_its_workers_ends_the_run(cluster, base, pictures, tmp_path):
    from tuwen.ray import write_features

    for seed in range(60, 900):
        (pictures / f"{seed}.png").write_bytes(png(seed, 60))
    out, stop, killed = tmp_path / "out", threading.Event(), []

    def kill_whoever_begins_shard_1():
        while not stop.wait(0.002):
            place = out / ".tmp-attempts-00001"
            workers = [int(line.split()[1]) for line in place.read_text().splitlines()] if place.exists() else []
            if len(workers) > len(killed) and len(killed) < 3:
                os.kill(workers[-1], signal.SIGKILL)
                killed.append(workers[-1])

    killer = threading.Thread(target=kill_whoever_begins_shard_1)
    killer.start()
    try:
        with pytest.raises(Exception, match="shard 1: expected one of 3 workers to finish it.*300 pictures below"):
            write_features(base, str(pictures), str(out), shard_size=300, attempts=3)
    finally:
        stop.set()
        killer.join()
    assert len(killed) == len(set(killed)) == 3
    assert write_features(base, str(pictures), str(out), shard_size=300, attempts=1)["items"] == 900
    with pytest.raises(ValueError, match="attempts: expected at least 1"):
        write_features(base, str(pictures), str(out), attempts=0)


@needs_ray
def test_a_killed_run_goes_on(cluster, base, pictures, tmp_path):
    """Of a run that is a program of its own, Ray included."""
    from tuwen.ray import write_features

    for seed in range(60, 240):
        (pictures / f"{seed}.png").write_bytes(png(seed, 40))
    write_features(base, str(pictures), str(tmp_path / "whole"), workers=2, shard_size=4)
    out = tmp_path / "killed"
    program = [sys.executable, "-m", "tuwen.ray", base, str(pictures), str(out)]
    process = subprocess.Popen([*program, "--shard-size", "4"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and len(list(out.glob("part-*.parquet"))) < 10:
        time.sleep(0.01)
    process.kill()
    process.wait()
    before = len(list(out.glob("part-*.parquet")))
    assert 10 <= before < 60
    done = write_features(base, str(pictures), str(out), workers=2, shard_size=4)
    assert done["items"] == 240 and done["before"] >= before
    assert contents(out) == contents(tmp_path / "whole")
    refused = subprocess.run([*program, "--shard-size", "5"], capture_output=True, text=True)
    assert refused.returncode == 1 and "shard_size: expected 5, found 4" in refused.stderr


@needs_ray
def test_the_encoder_in_a_pipeline(cluster, base, pictures):
    from tuwen.ray import Encoder

    data = ray.data.from_items([{"bytes": png(seed), "title": "一 b"} for seed in range(9)] + [{"bytes": b"", "title": "二"}])
    encoded = data.map_batches(Encoder, fn_constructor_kwargs={"model": base, "image": "bytes", "text": "title"},
                               compute=ray.data.ActorPoolStrategy(size=1), batch_size=4).take_all()
    assert sum(row["image_features_error"] is None for row in encoded) == 9
    assert all(abs(np.linalg.norm(row["text_features"]) - 1) < 1e-5 for row in encoded)


@needs_ray
def test_workers_that_compute_otherwise_are_refused(cluster, base, pictures, tmp_path):
    from tuwen.ray import ShardWriter, model_digest

    folder = ShardFolder(str(tmp_path / "out"), "npy")
    folder.begin({}, False).close()
    assert folder.claim("isa", "abacus") == "abacus"
    arguments = {"folder": folder, "image": "path", "text": None, "id_column": None, "batch_size": 4, "attempts": 5}
    with pytest.raises(ValueError, match="isa: expected .*found abacus.*TUWEN_ISA"):
        ShardWriter(base, model_digest(base), **arguments)
    with pytest.raises(ValueError, match="expected the files that the job was begun with"):
        ShardWriter(base, "another", **arguments)
