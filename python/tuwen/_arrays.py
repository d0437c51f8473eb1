"""What callers hand to the models, as arrays that the compiled part takes; and back."""
from __future__ import annotations

from typing import Any

import numpy as np

from ._frameworks import is_torch_tensor, to_numpy


def integers(value: Any, name: str) -> np.ndarray | None:
    """int64 without gaps, without a copy where it is that already."""
    if value is None:
        return None
    array = _array(value, name)
    if array.dtype.kind not in "iu" and array.size > 0:
        raise TypeError(f"{name}: expected whole numbers, got {array.dtype}")
    return np.asarray(array, dtype=np.int64, order="C")


def floats(value: Any, name: str) -> np.ndarray | None:
    """float32 without gaps, without a copy where it is that already."""
    if value is None:
        return None
    array = _array(value, name)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name}: expected numbers, got {array.dtype}")
    return np.asarray(array, dtype=np.float32, order="C")


def _array(value: Any, name: str) -> np.ndarray:
    if isinstance(value, (str, bytes)):
        raise TypeError(f"{name}: expected an array, got {type(value).__name__}")
    try:
        array = to_numpy(value)
    except ValueError as error:
        raise ValueError(f"{name}: rows have different lengths; pad them") from error
    if array.dtype == object:
        raise TypeError(f"{name}: expected an array of numbers, got {type(value).__name__} of objects; pad ragged rows")
    return array


def binary_mask(value: Any) -> np.ndarray | None:
    """A 2-D mask of nothing but zeros and ones as int64, else None."""
    array = to_numpy(value)
    if array.ndim != 2 or array.dtype == object:
        return None
    if array.dtype == np.int64:
        return np.ascontiguousarray(array)
    ones = array == 1
    return ones.astype(np.int64) if (ones | (array == 0)).all() else None


def any_torch(*values: Any) -> bool:
    """Whether one of them, or of the values inside tuples, is a torch tensor."""
    return any(
        is_torch_tensor(value) or (isinstance(value, (tuple, list)) and any_torch(*value)) for value in values
    )


def returned(value: Any, as_torch: bool) -> Any:
    """Arrays as they are, or as tensors over the same memory; tuples of them too."""
    if not as_torch or value is None:
        return value
    if isinstance(value, tuple):
        return tuple(returned(item, True) for item in value)
    import torch

    return torch.from_numpy(value) if isinstance(value, np.ndarray) else torch.tensor(value)
