"""The files of a tokenizer: found, changed by options, written, and given to the compiled part."""
from __future__ import annotations

import json
import os
from typing import Any

from ._hub import find_directory
from ._native import Processor

NAMES = ("vocab.txt", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")
CONFIG = "tokenizer_config.json"
SPECIAL_TOKENS = ("unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
DEFAULTS = {
    "do_lower_case": True,
    "unk_token": "[UNK]",
    "sep_token": "[SEP]",
    "pad_token": "[PAD]",
    "cls_token": "[CLS]",
    "mask_token": "[MASK]",
    "tokenize_chinese_chars": True,
    "strip_accents": None,
    "clean_up_tokenization_spaces": True,
}
UNLIMITED = int(1e30)  # what files say for "any number of tokens"


def read_directory(name_or_path: str | os.PathLike[str], **where: Any) -> dict[str, bytes]:
    """The content of what is there. A single vocab.txt counts as a directory that holds it."""
    path = os.fspath(name_or_path)
    if os.path.isfile(path):
        name = "tokenizer.json" if path.endswith(".json") else "vocab.txt"
        return {name: _read(path)}
    directory = find_directory(path, **where)
    files = {name: _read(os.path.join(directory, name)) for name in NAMES if os.path.isfile(os.path.join(directory, name))}
    if "vocab.txt" not in files and "tokenizer.json" not in files:
        raise OSError(f"Can't load tokenizer for '{path}': {directory} has neither vocab.txt nor tokenizer.json")
    return files


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def config_of(files: dict[str, bytes]) -> dict[str, Any]:
    """tokenizer_config.json, with the special tokens that the companion file names."""
    config: dict[str, Any] = {}
    for name in ("special_tokens_map.json", CONFIG):
        if name in files:
            try:
                content = json.loads(files[name])
            except ValueError as error:
                raise OSError(f"{name} is not a valid JSON file: {error}") from error
            if not isinstance(content, dict):
                raise OSError(f"{name}: expected a JSON object")
            config.update(content)
    return config


def load(files: dict[str, bytes], config: dict[str, Any]) -> Processor:
    """The compiled part reads a directory, so it gets one for as long as that takes."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="tuwen-") as directory:
        write(directory, {**files, CONFIG: to_json(config), "preprocessor_config.json": b"{}"})
        return Processor(directory)


def write(directory: str | os.PathLike[str], files: dict[str, bytes]) -> list[str]:
    paths = []
    for name, content in files.items():
        paths.append(os.path.join(directory, name))
        with open(paths[-1], "wb") as file:
            file.write(content)
    return paths


def to_json(content: dict[str, Any]) -> bytes:
    return (json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode("utf-8")


def spelling(token: Any) -> str | None:
    """A special token as files have it: text, or an object whose content is the text."""
    return token["content"] if isinstance(token, dict) else token
