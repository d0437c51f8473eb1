"""Where the package and the test data are. The package is the one that Python finds: of the build tree by PYTHONPATH, or installed."""
import importlib.util
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
DATA = pathlib.Path(__file__).resolve().parent.parent / "data"
HAVE_TORCH = importlib.util.find_spec("torch") is not None
HAVE_PIL = importlib.util.find_spec("PIL") is not None


@pytest.fixture(scope="session")
def data():
    return DATA


@pytest.fixture(scope="session")
def base():
    """A tiny model directory with everything in it."""
    return str(DATA / "models" / "base")


@pytest.fixture(scope="session")
def tensors():
    """"pt" where torch is installed, else "np"."""
    return "pt" if HAVE_TORCH else "np"
