"""What processors return: dictionaries with attributes, and among them BatchFeature."""
from __future__ import annotations

from collections import UserDict
from typing import Any

import numpy as np

from ._frameworks import TensorType, framework_of, is_tensor, is_torch_tensor, to_framework, to_numpy


class Batch(UserDict):
    """Values by name that are attributes, too; what is pickled is the values."""

    def __getattr__(self, item: str) -> Any:
        if item == "data" or item.startswith("__"):
            raise AttributeError(item)
        try:
            return self.data[item]
        except KeyError:
            raise AttributeError(item) from None

    def __getstate__(self) -> dict[str, Any]:
        return {"data": self.data}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def keys(self) -> Any:
        return self.data.keys()

    def values(self) -> Any:
        return self.data.values()

    def items(self) -> Any:
        return self.data.items()

    def to(self, *args: Any, **kwargs: Any) -> Any:
        """Moves torch tensors, and converts the floating-point ones where a dtype is given."""
        import torch

        device = kwargs.get("device")
        dtype = next((arg for arg in args if isinstance(arg, torch.dtype)), kwargs.get("dtype"))
        if device is None and args and not isinstance(args[0], torch.dtype):
            device = args[0]
            if not isinstance(device, (str, int, torch.device)):
                raise ValueError(f"Attempting to cast a BatchFeature to type {device}. This is not supported.")
        for key, value in self.data.items():
            if is_torch_tensor(value):
                self.data[key] = value.to(device, dtype) if torch.is_floating_point(value) else value.to(device)
        return self


class BatchFeature(Batch):
    """Named batches. `tensor_type` makes arrays or tensors of the lists."""

    def __init__(self, data: dict[str, Any] | None = None, tensor_type: str | TensorType | None = None) -> None:
        super().__init__(data)
        self.convert_to_tensors(tensor_type=tensor_type)

    def __getitem__(self, item: str) -> Any:
        if isinstance(item, str):
            return self.data[item]
        raise KeyError("Indexing with integers is not available when using Python based feature extractors")

    def convert_to_tensors(self, tensor_type: str | TensorType | None = None) -> BatchFeature:
        framework = framework_of(tensor_type)
        if framework is None:
            return self
        for key, value in self.data.items():
            if is_tensor(value) and not isinstance(value, np.ndarray):
                continue
            self.data[key] = stacked(key, value, framework)
        return self


def stacked(key: str, value: Any, framework: str) -> Any:
    """One array of a list of equal shapes."""
    try:
        if isinstance(value, (list, tuple)) and value and is_tensor(value[0]):
            array = np.stack([to_numpy(item) for item in value])
        else:
            array = np.asarray(value)
        if array.dtype == object and framework != "np":
            raise ValueError("ragged")
        return to_framework(array, framework)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"Unable to create tensor: the items of `{key}` do not have one shape; pad or resize them to the same "
            "length with 'padding=True' or do_resize."
        ) from error
