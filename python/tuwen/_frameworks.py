"""Tensors of other frameworks, which are only ever imported when one is asked for or was handed in."""
from __future__ import annotations

import sys
from enum import Enum
from typing import Any

import numpy as np

_NAMES = {"pt": ("torch", "PyTorch"), "tf": ("tensorflow", "TensorFlow"), "jax": ("jax", "JAX"), "mlx": ("mlx", "MLX")}


class TensorType(str, Enum):
    """What `return_tensors` takes, beside the strings themselves."""

    PYTORCH = "pt"
    TENSORFLOW = "tf"
    NUMPY = "np"
    JAX = "jax"
    MLX = "mlx"


def framework_of(return_tensors: str | TensorType | None) -> str | None:
    """"np", "pt" ... or None. ValueError for an unknown name, ImportError for a framework that is not installed."""
    if return_tensors is None:
        return None
    try:
        name = TensorType(return_tensors).value
    except ValueError:
        raise ValueError(
            f"{return_tensors} is not a valid TensorType, please select one of {[t.value for t in TensorType]}"
        ) from None
    if name != "np":
        module, title = _NAMES[name]
        if not _is_installed(module):
            raise ImportError(
                f"Unable to convert output to {title} tensors format, {title} is not installed: return_tensors="
                f'"{name}" needs the package {module}; return_tensors="np" needs none.'
            )
    return name


def _is_installed(module: str) -> bool:
    if module in sys.modules:
        return True
    from importlib.util import find_spec

    return find_spec(module) is not None


def to_framework(array: np.ndarray, framework: str) -> Any:
    """Without a copy where the framework can do that."""
    if framework == "np":
        return array
    if framework == "pt":
        import torch

        return torch.from_numpy(np.ascontiguousarray(array))
    if framework == "tf":
        import tensorflow

        return tensorflow.convert_to_tensor(array)
    if framework == "mlx":
        import mlx.core

        return mlx.core.array(array)
    import jax.numpy

    return jax.numpy.asarray(array)


def is_torch_tensor(value: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def is_tensor(value: Any) -> bool:
    """An array of any framework."""
    return isinstance(value, np.ndarray) or is_torch_tensor(value) or hasattr(value, "__dlpack__")


def to_numpy(value: Any) -> np.ndarray:
    """An array over the same memory where that is on the CPU and of a type that NumPy has, else a copy."""
    if isinstance(value, np.ndarray):
        return value
    if is_torch_tensor(value):
        import torch

        value = value.detach()
        if value.device.type != "cpu":
            value = value.cpu()
        if value.dtype == torch.bfloat16:
            value = value.float()
        return value.resolve_conj().resolve_neg().numpy()
    if isinstance(value, (list, tuple)) and any(is_torch_tensor(item) for item in value):
        return np.asarray([to_numpy(item) for item in value])
    if hasattr(value, "__array__"):
        return np.asarray(value)
    if hasattr(value, "__dlpack__"):
        return np.from_dlpack(value)
    return np.asarray(value)
