"""The items of a large job in shards: which there are, and reading one. Any machine that sees the files reads the same."""
from __future__ import annotations

import hashlib
import json
import os
from typing import Any, Iterator

PICTURES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".dib")


def plan(source: str, shard_size: int, columns: list[str]) -> tuple[list[dict[str, Any]], str]:
    """The shards of a folder of pictures or of parquet (a file, or a folder of them), and a digest of what they are of.

    A shard is a plain dictionary; `items` says how many it has. With `columns` the source is parquet."""
    if not os.path.exists(source):
        raise FileNotFoundError(f"{source}: there is no such file or folder")
    shards = list(_of_parquet(source, shard_size, columns) if columns else _of_folder(source, shard_size))
    if not shards:
        raise ValueError(f"{source}: expected {'rows' if columns else 'pictures (' + ', '.join(PICTURES) + ')'}, found none")
    for number, shard in enumerate(shards):
        shard["shard"] = number
    digest = hashlib.sha256()
    for shard in shards:
        digest.update(json.dumps(shard, sort_keys=True).encode())
    return shards, digest.hexdigest()


def read(shard: dict[str, Any], columns: list[str], id_column: str | None) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Each item's id and values, in order: {"path": a picture's file} under its path below the folder, or a row's values
    of these columns under its `id_column`; without one, under its number."""
    if "file" in shard:
        for row, values in _read_rows(shard, [*columns, *([id_column] if id_column else [])]):
            yield (values[id_column] if id_column else row), values
        return
    for path in map(_bytes_of, shard["paths"]):
        # An id has to go into any file format; the name of a file may be any bytes.
        yield path.decode("utf-8", "backslashreplace"), {"path": os.path.join(shard["root"], os.fsdecode(path))}


def describe(shard: dict[str, Any]) -> str:
    """Where its items are, for a message."""
    if "file" in shard:
        return f"rows {shard['row']} to {shard['row'] + shard['items'] - 1}, in {shard['file']}"
    first, last = (_bytes_of(shard["paths"][i]).decode("utf-8", "backslashreplace") for i in (0, -1))
    return f"{first} to {last}, {shard['items']} pictures below {shard['root']}"


def _bytes_of(path: str) -> bytes:
    return path.encode("latin-1")


def _of_folder(root: str, shard_size: int) -> Iterator[dict[str, Any]]:
    root = os.path.abspath(root)
    found: list[tuple[bytes, int, int]] = []

    def visit(folder: bytes) -> None:
        with os.scandir(os.path.join(os.fsencode(root), folder)) as entries:
            for entry in entries:
                path = os.path.join(folder, entry.name)
                if entry.name.startswith(b"."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    visit(path)
                elif entry.is_file() and entry.name.lower().endswith(tuple(ending.encode() for ending in PICTURES)):
                    about = entry.stat()
                    found.append((path, about.st_size, about.st_mtime_ns))

    visit(b"")
    found.sort()
    for begin in range(0, len(found), shard_size):
        part = found[begin:begin + shard_size]
        # Names are bytes; as latin-1 they pass through JSON and Arrow unharmed.
        yield {"root": root, "paths": [path.decode("latin-1") for path, _, _ in part], "items": len(part),
               "versions": [f"{size} {modified}" for _, size, modified in part]}


def _parquet() -> Any:
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise ImportError("parquet needs pyarrow: pip install pyarrow, or pip install \"tuwen[ray]\"") from error
    return pyarrow.parquet


def _of_parquet(source: str, shard_size: int, columns: list[str]) -> Iterator[dict[str, Any]]:
    """Slices of row groups, which are what a parquet file can be read in."""
    parquet, source = _parquet(), os.path.abspath(source)
    paths = [source]
    if os.path.isdir(source):
        paths = [os.path.join(source, name) for name in sorted(os.listdir(source))
                 if name.endswith(".parquet") and not name.startswith((".", "_"))]
    row = 0
    for path in paths:
        about = os.stat(path)
        with parquet.ParquetFile(path) as file:
            missing = [column for column in columns if column not in file.schema_arrow.names]
            if missing:
                raise ValueError(f"{path}: columns: expected {missing[0]!r}, found {file.schema_arrow.names}")
            sizes = [file.metadata.row_group(g).num_rows for g in range(file.metadata.num_row_groups)]
        for group, size in enumerate(sizes):
            for begin in range(0, size, shard_size):
                items = min(shard_size, size - begin)
                yield {"file": path, "group": group, "begin": begin, "row": row + begin, "items": items,
                       "version": f"{about.st_size} {about.st_mtime_ns}"}
            row += size


def _read_rows(shard: dict[str, Any], columns: list[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    begin, end, at = shard["begin"], shard["begin"] + shard["items"], 0
    with _parquet().ParquetFile(shard["file"]) as file:
        for batch in file.iter_batches(batch_size=256, row_groups=[shard["group"]], columns=list(dict.fromkeys(columns))):
            first, last = max(begin, at), min(end, at + batch.num_rows)
            if first < last:
                for offset, values in enumerate(batch.slice(first - at, last - first).to_pylist()):
                    yield shard["row"] + first - begin + offset, values
            at += batch.num_rows
            if at >= end:
                return
