"""Model ids in the local Hugging Face cache. Nothing is downloaded."""
from __future__ import annotations

import os
import re

_MODEL_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")
_COMMIT = re.compile(r"[0-9a-f]{40}")


def cache_directory() -> str:
    """Where huggingface_hub keeps its files, by the same variables."""
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if os.environ.get(variable):
            return os.path.expanduser(os.environ[variable])
    home = os.environ.get("HF_HOME")
    if not home:
        home = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.join("~", ".cache"), "huggingface")
    return os.path.join(os.path.expanduser(home), "hub")


def find_directory(
    name_or_path: str | os.PathLike[str], cache_dir: str | None = None, revision: str | None = None, subfolder: str = ""
) -> str:
    """The directory of a path, of a model id, or of the demo model ("demo"; "./demo" is a directory of that name).
    OSError says which command downloads what is not there."""
    name = os.fspath(name_or_path)
    if name == "demo":
        return os.path.join(_demo_directory(), subfolder)
    if os.path.isdir(name):
        return os.path.join(name, subfolder)
    if not _MODEL_ID.fullmatch(name) or os.path.exists(name):
        raise OSError(f"{name!r} is neither a directory nor a model id such as \"OFA-Sys/chinese-clip-vit-base-patch16\"")
    revision = revision or "main"
    cache = cache_dir or cache_directory()
    repository = os.path.join(cache, "models--" + name.replace("/", "--"))
    commit = _commit_of(repository, revision)
    snapshot = os.path.join(repository, "snapshots", commit) if commit else ""
    if snapshot and os.path.isdir(snapshot):
        return os.path.join(snapshot, subfolder)
    wanted = "" if revision == "main" else f" --revision {revision}"
    raise OSError(
        f"{name} is not in the local cache ({cache}), and tuwen downloads nothing. This does, once:\n"
        f"    huggingface-cli download {name}{wanted}\n"
        "or give the path of a directory that holds its files."
    )


def _demo_directory() -> str:
    package = os.path.dirname(os.path.abspath(__file__))
    place = os.path.join(package, "demo")
    # In a build folder the files of the package are links into the source tree.
    if os.path.exists(os.path.join(package, "..", "..", "CMakeCache.txt")):
        place = os.path.normpath(os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "demo", "model"))
    if os.path.exists(os.path.join(place, "config.json")):
        return place
    raise OSError(
        f"demo: expected the demo model in {place}, found no config.json there; give the path or the id of another model, or "
        "make this one (docs/demo-model.md)"
    )


def _commit_of(repository: str, revision: str) -> str | None:
    if _COMMIT.fullmatch(revision):
        return revision
    reference = os.path.normpath(os.path.join(repository, "refs", revision))
    if not reference.startswith(os.path.join(repository, "refs") + os.sep):
        return None
    try:
        with open(reference, encoding="ascii") as file:
            return file.read().strip()
    except (OSError, UnicodeDecodeError):
        return None
