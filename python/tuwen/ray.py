"""Features of many pictures and texts by Ray Data, with one model a worker.

    from tuwen.ray import write_features
    write_features("OFA-Sys/chinese-clip-vit-base-patch16", "pictures/", "features/", workers=8, threads=4)

or `python -m tuwen.ray MODEL SOURCE OUT`. Ray does the scheduling; `Encoder` is for pipelines of one's own.
"""
from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import os
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Iterator

import numpy as np

try:
    import ray
    import ray.data
    import ray.exceptions
except ImportError as error:
    raise ImportError("tuwen.ray needs Ray Data, which is not installed: pip install \"tuwen[ray]\"") from error

from . import _shards
from ._hub import find_directory
from ._native import Image, __version__
from ._shard_files import FORMATS, ShardFolder
from .modeling import ChineseCLIPModel
from .processing import ChineseCLIPProcessor

IMAGE, TEXT = "image_features", "text_features"
_BLOCKS = 1000  # tasks that Ray has to keep in mind; of more shards several are one task


class Encoder:
    """An actor class for `Dataset.map_batches(Encoder, fn_constructor_kwargs={"model": ..., "image": "bytes"}, ...)`.

    Adds `image_features` of the column `image` (a picture file's content or path, or pixels) and `text_features` of the
    column `text`: float32, of length 1. What cannot be read gets NaN, and the reason in `..._error`."""

    def __init__(
        self, model: str, *, image: str | None = None, text: str | None = None, dtype: str = "float32", threads: int = 1,
        context_length: int = 52,
    ) -> None:
        if image is None and text is None:
            raise ValueError("Encoder: expected a column for image, for text or for both")
        self.image, self.text, self.context_length = image, text, context_length
        self.model = ChineseCLIPModel.from_pretrained(model, dtype=dtype, threads=threads)
        self.processor = ChineseCLIPProcessor.from_pretrained(model)
        self.pool = ThreadPoolExecutor(threads)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        out = dict(batch)
        if self.image is not None:
            out[IMAGE], out[f"{IMAGE}_error"] = self.encode_images(batch[self.image])
        if self.text is not None:
            out[TEXT], out[f"{TEXT}_error"] = self.encode_texts(batch[self.text])
        return out

    def encode_images(self, images: Any) -> tuple[np.ndarray, np.ndarray]:
        """Decoded and resized on as many threads as encode."""
        return self.encode_pixels(list(self.pool.map(self.pixels_of, images)))

    def encode_pixels(self, pictures: list[Any]) -> tuple[np.ndarray, np.ndarray]:
        """Of what pixels_of() gave for each."""
        return self._rows(pictures, lambda good: self.model.get_image_features(np.stack(good)))

    def encode_texts(self, texts: Any) -> tuple[np.ndarray, np.ndarray]:
        checked = [text if isinstance(text, str) else _Unusable(f"expected a text, found {type(text).__name__}") for text in texts]
        return self._rows(checked, self._text_features)

    def _text_features(self, texts: list[str]) -> np.ndarray:
        tokens = self.processor.tokenizer(texts, padding=True, truncation=True, max_length=self.context_length, return_tensors="np")
        return self.model.get_text_features(**tokens)

    def pixels_of(self, image: Any) -> Any:
        """A picture as the model takes it, or why there is none. Other failures of a disk than a file that is not there
        are not the picture's: they are thrown."""
        if isinstance(image, dict):  # as the library datasets keeps pictures in parquet
            image = image.get("path") if image.get("bytes") is None else image["bytes"]
        if image is None:
            return _Unusable("expected a picture, found nothing")
        try:
            if isinstance(image, (str, os.PathLike)):
                with open(image, "rb") as file:
                    image = file.read()
            if isinstance(image, bytes):
                image = Image.decode(image)
            return self.processor.image_processor(image, return_tensors="np")["pixel_values"][0]
        except (FileNotFoundError, PermissionError, ValueError) as error:
            return _Unusable(str(error))

    def _rows(self, items: list[Any], encode: Callable[[list[Any]], np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        errors = np.array([item.reason if isinstance(item, _Unusable) else None for item in items], dtype=object)
        good = [item for item in items if not isinstance(item, _Unusable)]
        rows = np.full((len(items), self.model.config.projection_dim), np.nan, np.float32)
        if good:
            features = encode(good).astype(np.float64)
            rows[errors == None] = features / np.linalg.norm(features, axis=1, keepdims=True)  # noqa: E711
        return rows, errors


class _Unusable:
    def __init__(self, reason: str) -> None:
        self.reason = reason


class ShardWriter:
    """Encodes whole shards and writes each to a file of its own; one that is there already is left as it is."""

    def __init__(
        self, model: str, digest: str, folder: ShardFolder, image: str | None, text: str | None, id_column: str | None,
        batch_size: int, attempts: int, **options: Any,
    ) -> None:
        if model_digest(model) != digest:
            raise ValueError(f"{model}: expected the files that the job was begun with, found others on {socket.gethostname()}")
        self.encoder = Encoder(model, image=image, text=text, **options)
        isa = self.encoder.model._session.isa
        claimed = folder.claim("isa", isa)
        if claimed != isa:
            raise ValueError(f"{folder.path}/isa: expected {isa}, the kernels of {socket.gethostname()}, found {claimed}: features "
                             "would differ in their last bits. TUWEN_ISA names the same for all workers")
        self.folder, self.id_column, self.batch_size, self.attempts = folder, id_column, batch_size, attempts

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        reports = [self._write(json.loads(job)) for job in batch["job"]]
        return {key: np.array([report[key] for report in reports]) for key in reports[0]}

    def _write(self, shard: dict[str, Any]) -> dict[str, Any]:
        number = shard["shard"]
        if not self.folder.has(number):
            before = self.folder.note_attempt(number)[:-1]
            if len(before) >= self.attempts:
                raise RuntimeError(f"{self.folder.path}: shard {number}: expected one of {self.attempts} workers to finish it, found "
                                   f"that all ended (host, pid: {', '.join(before)}). It is {_shards.describe(shard)}")
            ids, arrays, errors = [], {}, {}
            for some, encoded in self._encode(shard):
                ids += some
                for key, values in encoded.items():
                    (errors if key.endswith("_error") else arrays).setdefault(key, []).append(values)
            self.folder.write(number, {key: np.concatenate(rows) for key, rows in arrays.items()},
                              {"id": ids, **{key: np.concatenate(rows).tolist() for key, rows in errors.items()}})
        return {"shard": number, "items": shard["items"], "host": socket.gethostname(), "pid": os.getpid()}

    def _encode(self, shard: dict[str, Any]) -> Iterator[tuple[list[Any], dict[str, np.ndarray]]]:
        """In batches; the pictures of the next are being read meanwhile."""
        encoder = self.encoder
        items = _shards.read(shard, [column for column in (encoder.image, encoder.text) if column], self.id_column)
        ahead = None
        while batch := list(itertools.islice(items, self.batch_size)):
            pictures = [encoder.pool.submit(encoder.pixels_of, values[encoder.image]) for _, values in batch if encoder.image]
            if ahead is not None:
                yield self._finish(*ahead)
            ahead = batch, pictures
        if ahead is not None:
            yield self._finish(*ahead)

    def _finish(self, batch: list[Any], pictures: list[Any]) -> tuple[list[Any], dict[str, np.ndarray]]:
        out: dict[str, np.ndarray] = {}
        if self.encoder.image is not None:
            out[IMAGE], out[f"{IMAGE}_error"] = self.encoder.encode_pixels([picture.result() for picture in pictures])
        if self.encoder.text is not None:
            out[TEXT], out[f"{TEXT}_error"] = self.encoder.encode_texts([values[self.encoder.text] for _, values in batch])
        return [identity for identity, _ in batch], out


def write_features(
    model: str,
    source: str,
    out: str,
    *,
    image: str | None = None,
    text: str | None = None,
    id_column: str | None = None,
    format: str = "parquet",  # noqa: A002
    dtype: str = "float32",
    workers: int = 1,
    threads: int = 1,
    shard_size: int = 1024,
    batch_size: int = 32,
    context_length: int = 52,
    attempts: int = 5,
    restart: bool = False,
    on_shard: Callable[[dict[str, Any]], None] | None = None,
) -> dict[str, int]:
    """Features of the pictures below a folder, or of the columns `image` and `text` of parquet, into the folder `out`.

    Each of `workers` processes loads the model once and has `threads` threads. A shard of `shard_size` items is a file
    that appears whole or not at all, so the same call goes on after a stop of any kind, and the finished files have the
    bytes of an undisturbed run. A shard that `attempts` workers have died over ends the run. `on_shard` is told of each shard as it is done. Returns how many shards and items there
    are, and how many shards were there before. Model, source and `out` are paths that every machine sees."""
    of_folder = image is None and text is None
    columns = [] if of_folder else [column for column in (image, text, id_column) if column]
    if of_folder and id_column is not None:
        raise ValueError("id_column: is for parquet; name its columns with image or text")
    if min(workers, threads, shard_size, batch_size, attempts) < 1:
        raise ValueError("workers, threads, shard_size, batch_size and attempts: expected at least 1")
    directory = os.path.abspath(find_directory(model))
    digest = model_digest(directory)
    shards, content = _shards.plan(source, shard_size, columns)
    folder = ShardFolder(out, format)
    job = {
        "tuwen": __version__, "model": digest, "image": "path" if of_folder else image, "text": text,
        "id_column": id_column, "format": format, "dtype": dtype, "shard_size": shard_size,
        "context_length": context_length if text else None, "source": content, "shards": len(shards),
    }
    with folder.begin(job, restart):
        left = [shard for shard in shards if not folder.has(shard["shard"])]
        if left:
            writer = {
                "model": directory, "digest": digest, "folder": folder, "image": job["image"], "text": text, "id_column": id_column,
                "batch_size": batch_size, "attempts": attempts, "dtype": dtype, "threads": threads, "context_length": context_length,
            }
            data = ray.data.from_items([{"job": json.dumps(shard)} for shard in left], override_num_blocks=min(len(left), _BLOCKS))
            done = data.map_batches(ShardWriter, batch_size=1, fn_constructor_kwargs=writer, num_cpus=threads,
                                    compute=ray.data.ActorPoolStrategy(size=min(workers, len(left))))
            for report in done.iter_rows():
                if on_shard is not None:
                    on_shard({key: value.item() if isinstance(value, np.generic) else value for key, value in report.items()})
        folder.remove_unfinished()
    missing = [shard["shard"] for shard in shards if not folder.has(shard["shard"])]
    if missing:
        raise RuntimeError(f"{folder.path}: expected shards 0 to {len(shards) - 1}, found none for {missing[:5]}")
    return {"shards": len(shards), "items": sum(shard["items"] for shard in shards), "before": len(shards) - len(left)}


def model_digest(directory: str) -> str:
    """Of the files of a model directory that decide what it computes."""
    digest = hashlib.sha256()
    for name in sorted(os.listdir(directory)):
        if name.endswith((".json", ".txt", ".safetensors", ".bin")):
            with open(os.path.join(directory, name), "rb") as file:
                content = hashlib.sha256()
                while block := file.read(1 << 20):
                    content.update(block)
            digest.update(f"{name} {content.hexdigest()}\n".encode())
    return digest.hexdigest()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tuwen.ray", description="Features of many pictures and texts on Ray workers.")
    parser.add_argument("model", help="a directory, or a model id in the local cache")
    parser.add_argument("source", help="a folder of pictures; with --image or --text: parquet, a file or a folder of them")
    parser.add_argument("out", help="folder for the shards; the same command goes on where it stopped")
    parser.add_argument("--image", help="column with picture files: bytes, or {bytes, path}")
    parser.add_argument("--text", help="column with texts")
    parser.add_argument("--id", dest="id_column", help="column that names the rows (default: their numbers)")
    parser.add_argument("--format", choices=FORMATS, default="parquet")
    parser.add_argument("--dtype", choices=("float32", "bfloat16", "int8"), default="float32")
    parser.add_argument("--workers", type=int, default=1, help="processes, each with the model")
    parser.add_argument("--threads", type=int, default=1, help="threads of each, and CPUs that Ray counts for it")
    parser.add_argument("--shard-size", type=int, default=1024, help="items a file")
    parser.add_argument("--batch-size", type=int, default=32, help="items encoded at once; changes no number")
    parser.add_argument("--context-length", type=int, default=52, help="tokens that a text is cut to")
    parser.add_argument("--attempts", type=int, default=5, help="workers that may die over one shard before the run ends")
    parser.add_argument("--restart", action="store_true", help="begin anew where another job was begun")
    options = vars(parser.parse_args(arguments))
    try:
        result = write_features(
            **options, on_shard=lambda report: print(json.dumps(report), file=sys.stderr, flush=True)
        )
    except (OSError, ValueError, ImportError, ray.exceptions.RayError) as error:
        print(f"tuwen.ray: {error}", file=sys.stderr)
        return 1
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    # Workers find the classes by the module's name, which __main__ is not.
    from tuwen.ray import main as run

    sys.exit(run())
