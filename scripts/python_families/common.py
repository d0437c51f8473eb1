"""How a case is run in both packages and compared. Nothing here imports either of them."""

import inspect

import numpy as np

FAMILIES = {}


def family(name, weight=1.0):
    """Registers case(rng, broken): raises Mismatch where the packages differ. With `broken` it changes one option for
    tuwen alone, and a mismatch is what is expected of most cases."""

    def register(case):
        FAMILIES[name] = (case, weight)
        return case

    return register


class Mismatch(Exception):
    pass


class Outcome:
    """What a call returned or raised."""

    def __init__(self, call):
        self.value = self.error = None
        try:
            self.value = call()
        except BaseException as error:  # the reference's tokenizer raises a BaseException of its own
            if isinstance(error, (KeyboardInterrupt, SystemExit)):
                raise
            self.error = error


# What the reference raises -> what tuwen may raise instead: a broadcast that fails, a Rust panic.
INSTEAD = {"RuntimeError": ("ValueError", "IndexError", "TypeError"), "PanicException": ("ValueError",), "Exception": ("ValueError",)}


def both(reference, ours, what):
    """Runs both; returns the two values, or None when both raised a fitting exception."""
    expected, found = Outcome(reference), Outcome(ours)
    if expected.error is None and found.error is None:
        return expected.value, found.value
    if expected.error is None or found.error is None:
        raise Mismatch(f"{what}: the reference gave {expected.error or 'a value'!r}, tuwen {found.error or 'a value'!r}")
    wanted = type(expected.error).__name__
    known = [cls.__name__ for cls in type(found.error).__mro__]
    if wanted not in known and not any(name in known for name in INSTEAD.get(wanted, ())):
        raise Mismatch(f"{what}: the reference raised {expected.error!r}, tuwen {found.error!r}")
    return None


def plain(value):
    """Tensors and arrays as arrays, enumerations as their values, at any depth."""
    if hasattr(value, "detach"):
        return value.detach().numpy()
    if isinstance(value, dict) or hasattr(value, "items"):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def same(expected, found, what):
    """Equality of structure, types of arrays, and every number."""
    expected, found = plain(expected), plain(found)
    if isinstance(expected, dict):
        if not isinstance(found, dict) or list(sorted(expected)) != list(sorted(found)):
            raise Mismatch(f"{what}: keys {sorted(expected)} and {sorted(found)}")
        for key in expected:
            same(expected[key], found[key], f"{what}.{key}")
    elif isinstance(expected, list) and isinstance(found, list):
        if len(expected) != len(found):
            raise Mismatch(f"{what}: {len(expected)} and {len(found)} items")
        for i, (a, b) in enumerate(zip(expected, found)):
            same(a, b, f"{what}[{i}]")
    elif isinstance(expected, np.ndarray):
        if isinstance(found, np.ndarray) and expected.size == found.size == 0 and expected.shape == found.shape:
            return  # torch makes floats of nothing
        if not isinstance(found, np.ndarray) or expected.dtype != found.dtype or expected.shape != found.shape:
            kind = (found.dtype, found.shape) if isinstance(found, np.ndarray) else type(found)
            raise Mismatch(f"{what}: {expected.dtype} {expected.shape} and {kind}")
        if expected.dtype == object:
            return same(list(expected), list(found), what)
        if not np.array_equal(expected, found, equal_nan=expected.dtype.kind == "f"):
            raise Mismatch(f"{what}: {np.count_nonzero(expected != found)} of {expected.size} numbers differ")
    elif expected != found:
        raise Mismatch(f"{what}: {expected!r:.200} and {found!r:.200}")


class Closeness:
    """The largest |ours - reference| / (1 + |reference|) that was seen."""

    limit = 2e-5
    largest = 0.0
    by_double = 0  # cases that only the reference in double settled


class TooFar(Mismatch):
    """Numbers further apart than the limit."""


def close(expected, found, what):
    """Equality of structure, and numbers within the limit."""
    expected, found = plain(expected), plain(found)
    if isinstance(expected, dict):
        if list(expected) != list(found):
            raise Mismatch(f"{what}: keys {list(expected)} and {list(found)}")
        for key in expected:
            close(expected[key], found[key], f"{what}.{key}")
    elif isinstance(expected, list):
        if not isinstance(found, list) or len(expected) != len(found):
            raise Mismatch(f"{what}: {len(expected)} items and {len(found) if isinstance(found, list) else type(found)}")
        for i, (a, b) in enumerate(zip(expected, found)):
            close(a, b, f"{what}[{i}]")
    elif expected is None or found is None:
        if expected is not found:
            raise Mismatch(f"{what}: {type(expected)} and {type(found)}")
    else:
        a, b = np.asarray(expected, np.float64), np.asarray(found, np.float64)
        if a.shape != b.shape:
            raise Mismatch(f"{what}: shapes {a.shape} and {b.shape}")
        if a.size == 0:
            return
        distance = np.abs(a - b) / (1 + np.abs(a))
        largest = float(np.nanmax(np.where(np.isnan(a) & np.isnan(b), 0, np.where(np.isnan(distance), np.inf, distance))))
        if largest > Closeness.limit:
            raise TooFar(f"{what}: differs by {largest:.2e} (1 + |reference|)")
        Closeness.largest = max(Closeness.largest, largest)


def pick(rng, *choices):
    return choices[int(rng.integers(len(choices)))]


def maybe(rng, probability=0.5):
    return bool(rng.random() < probability)


def accepts(function, name):
    return name in inspect.signature(function).parameters
