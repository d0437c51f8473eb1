"""Pictures as callers have them: files, PIL, arrays of either layout, tensors."""
from __future__ import annotations

import os
import sys
from enum import Enum, IntEnum
from typing import Any, Iterable

import numpy as np

from ._frameworks import is_tensor, to_numpy
from ._native import Image


class ChannelDimension(str, Enum):
    """Where an array has its channels."""

    FIRST = "channels_first"
    LAST = "channels_last"
    NONE = "none"


class PILImageResampling(IntEnum):
    """Pillow's filters by Pillow's numbers."""

    NEAREST = 0
    LANCZOS = 1
    BILINEAR = 2
    BICUBIC = 3
    BOX = 4
    HAMMING = 5


def load_image(path: str | os.PathLike[str]) -> np.ndarray:
    """The pixels of a JPEG, PNG, WebP or BMP file: uint8 [height, width, 3], those of Pillow's convert("RGB")."""
    return np.array(Image.read(os.fspath(path)).pixels)


def is_path(image: Any) -> bool:
    return isinstance(image, (str, os.PathLike))


def is_pil(image: Any) -> bool:
    """Without importing Pillow: who hands in such an image has done that."""
    module = sys.modules.get("PIL.Image")
    return module is not None and isinstance(image, module.Image)


def is_decoded(image: Any) -> bool:
    """A picture that knows what its sides are, other than an array."""
    return is_path(image) or is_pil(image) or isinstance(image, Image)


def is_valid_image(image: Any) -> bool:
    return is_decoded(image) or is_tensor(image)


def list_of_images(images: Any) -> list[Any]:
    """One picture becomes a list of one, an array [batch, ...] a list of its pictures."""
    if isinstance(images, (list, tuple)) and images and is_valid_image(images[0]):
        return list(images)
    if isinstance(images, (list, tuple)):
        if not images:
            raise IndexError("images: the list is empty")
        raise ValueError(_INVALID)
    if is_decoded(images):
        return [images]
    if is_tensor(images):
        array = to_numpy(images)
        if array.ndim == 4:
            return list(array)
        if array.ndim in (2, 3):
            return [array]
        raise ValueError(f"Invalid image shape. Expected either 4 or 3 dimensions, but got {array.ndim} dimensions.")
    raise ValueError(_INVALID)


_INVALID = (
    "Invalid image type. Must be of type PIL.Image.Image, numpy.ndarray, torch.Tensor, tf.Tensor or jax.ndarray, or the "
    "path of a file."
)


def to_array(image: Any, do_convert_rgb: bool) -> np.ndarray:
    if not is_valid_image(image):
        raise ValueError(_INVALID)
    if is_path(image):
        return Image.read(os.fspath(image)).pixels
    if isinstance(image, Image):
        return image.pixels
    if is_pil(image):
        if do_convert_rgb and image.mode != "RGB":
            image = image.convert("RGB")
        return np.asarray(image)
    return to_numpy(image)


def infer_layout(image: np.ndarray) -> ChannelDimension:
    """One or three channels in front, else at the end. An array of one or three rows is misread, as in the reference."""
    if image.ndim != 3:
        raise ValueError(f"Unsupported number of image dimensions: {image.ndim}")
    if image.shape[0] in (1, 3):
        return ChannelDimension.FIRST
    if image.shape[2] in (1, 3):
        return ChannelDimension.LAST
    raise ValueError("Unable to infer channel dimension format")


_SIZE_KEYS = ({"height", "width"}, {"shortest_edge"}, {"shortest_edge", "longest_edge"}, {"longest_edge"})


def size_dict(size: Any, name: str, default_to_square: bool) -> dict[str, int]:
    """A number, a pair (height, width) or a dictionary, as a dictionary of one of the known key sets."""
    if isinstance(size, dict):
        if set(size) not in _SIZE_KEYS:
            raise ValueError(
                f"{name} must have one of the following set of keys: {[sorted(k) for k in _SIZE_KEYS]}, got {list(size)}"
            )
        return dict(size)
    if isinstance(size, (int, np.integer)) and not isinstance(size, bool):
        size = int(size)
        return {"height": size, "width": size} if default_to_square else {"shortest_edge": size}
    if isinstance(size, (list, tuple)) and len(size) == 2:
        return {"height": size[0], "width": size[1]}
    raise ValueError(f"Could not convert {name} input to size dict: {size}")


def as_pixels(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name}: expected a whole number of pixels, got {value!r}")
    return int(value)


def channel_values(value: float | Iterable[float], channels: int, name: str) -> list[float]:
    """One value a channel; a number stands for all."""
    if isinstance(value, Iterable):
        values = [float(v) for v in value]
        if len(values) != channels:
            raise ValueError(f"{name} must have {channels} elements if it is an iterable, got {len(values)}")
        return values
    return [float(value)] * channels
