"""A folder of finished shards: each appears whole or not at all, whoever writes it, and however often."""
from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
from typing import Any, Callable

import numpy as np

FORMATS = ("parquet", "npy")
_JOB = "job.json"


class ShardFolder:
    """`part-00000.parquet`, or `part-00000.NAME.npy` of each array with `part-00000.jsonl` of all else."""

    def __init__(self, path: str, file_format: str) -> None:
        if file_format not in FORMATS:
            raise ValueError(f"format: expected one of {FORMATS}, found {file_format!r}")
        self.path = os.path.abspath(path)
        self.format = file_format

    def _name(self, shard: int, ending: str) -> str:
        return os.path.join(self.path, f"part-{shard:05d}.{ending}")

    def has(self, shard: int) -> bool:
        return os.path.exists(self._name(shard, "parquet" if self.format == "parquet" else "jsonl"))

    def write(self, shard: int, arrays: dict[str, np.ndarray], columns: dict[str, list[Any]]) -> None:
        """`arrays` of float32 rows; `columns` of as many values. The bytes depend on these alone."""
        if self.format == "parquet":
            self._put(self._name(shard, "parquet"), lambda file: _write_parquet(file, arrays, columns))
            return
        for name, rows in arrays.items():
            self._put(self._name(shard, f"{name}.npy"), lambda file, rows=rows: np.save(file, rows))
        lines = [json.dumps({key: values[i] for key, values in columns.items() if values[i] is not None}, ensure_ascii=False,
                            default=str) + "\n" for i in range(len(next(iter(columns.values()))))]
        # Last: with it the shard is there.
        self._put(self._name(shard, "jsonl"), lambda file: file.write("".join(lines).encode()))

    def note_attempt(self, shard: int) -> list[str]:
        """Who has begun to write a shard in this run, the caller at the end: lines "host pid"."""
        place = os.path.join(self.path, f".tmp-attempts-{shard:05d}")
        with open(place, "a+", encoding="utf-8") as file:
            file.write(f"{socket.gethostname()} {os.getpid()}\n")
            file.flush()
            file.seek(0)
            return file.read().splitlines()

    def claim(self, name: str, value: str) -> str:
        """What a file says that the first who comes writes."""
        place = os.path.join(self.path, name)
        temporary = self._temporary(place)
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(value + "\n")
        try:
            os.link(temporary, place)
        except FileExistsError:
            pass
        finally:
            os.unlink(temporary)
        with open(place, encoding="utf-8") as file:
            return file.read().strip()

    def begin(self, job: dict[str, Any], restart: bool) -> Any:
        """Makes this the folder of `job`, or finds that it is, and returns a lock to be kept open. Throws ValueError for
        the folder of another job, and where another run has the lock."""
        os.makedirs(self.path, exist_ok=True)
        lock = open(os.path.join(self.path, ".lock"), "w", encoding="utf-8")  # noqa: SIM115
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.close()
            raise ValueError(f"{self.path}: another run is writing it") from error
        place = os.path.join(self.path, _JOB)
        self.remove_unfinished()
        if restart:
            self._remove(lambda name: name.startswith("part-") or name in (_JOB, "isa"))
        if os.path.exists(place):
            with open(place, encoding="utf-8") as file:
                _check_same(place, json.load(file), job)
        else:
            others = [name for name in os.listdir(self.path) if name.startswith("part-")]
            if others:
                raise ValueError(f"{self.path}: expected an empty folder, found {sorted(others)[0]} and no {_JOB}")
            self._put(place, lambda file: file.write((json.dumps(job, indent=2) + "\n").encode()))
        return lock

    def remove_unfinished(self) -> None:
        """What writers left that were killed. Only while nobody writes whose work still counts."""
        self._remove(lambda name: name.startswith(".tmp-"))

    def _remove(self, chosen: Callable[[str], bool]) -> None:
        for name in os.listdir(self.path):
            if chosen(name):
                with contextlib.suppress(FileNotFoundError):  # a writer that is about to end may be quicker
                    os.unlink(os.path.join(self.path, name))

    def _temporary(self, place: str) -> str:
        unique = f"{socket.gethostname()}-{os.getpid()}-{os.urandom(4).hex()}"
        return os.path.join(self.path, f".tmp-{unique}-{os.path.basename(place)}")

    def _put(self, place: str, write: Callable[[Any], Any]) -> None:
        temporary = self._temporary(place)
        try:
            with open(temporary, "wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, place)
        except BaseException:
            if os.path.exists(temporary):
                os.unlink(temporary)
            raise


def _check_same(place: str, found: dict[str, Any], job: dict[str, Any]) -> None:
    for key in [*job, *found]:
        if found.get(key) != job.get(key):
            raise ValueError(f"{place}: {key}: expected {job.get(key)!r}, found {found.get(key)!r}: the folder was begun by "
                             "another job; restart=True removes what it has done")


def _write_parquet(file: Any, arrays: dict[str, np.ndarray], columns: dict[str, list[Any]]) -> None:
    import pyarrow
    import pyarrow.parquet

    table = {key: pyarrow.array(values, pyarrow.string() if key.endswith("_error") else None) for key, values in columns.items()}
    for name, rows in arrays.items():
        flat = pyarrow.array(rows.reshape(-1), pyarrow.float32())
        error = columns.get(f"{name}_error")
        missing = None if error is None else pyarrow.array([text is not None for text in error])
        table[name] = pyarrow.FixedSizeListArray.from_arrays(flat, rows.shape[1], mask=missing)
    pyarrow.parquet.write_table(pyarrow.table(table), file)
