"""The steps of the image processor on arrays [height, width, channels] that the compiled path does not take."""
from __future__ import annotations

import numpy as np

from . import _native


def resize(image: np.ndarray, height: int, width: int, edges: tuple[int, int] | None, resample: int) -> np.ndarray:
    """As through Pillow: on 8 bits. Floats that are whole numbers from 0 to 255 become bytes and stay bytes; those from
    0 to 1 are cut to bytes and come back as float32."""
    scaled = _fits_unit_range(image)
    if scaled:
        image = (image * 255).astype(np.float32)
    if image.shape[2] not in (1, 3):
        raise ValueError(f"images: expected 1 or 3 channels to resize, got {image.shape[2]}")
    pixels = np.ascontiguousarray(image.astype(np.uint8))
    channels = pixels.shape[2]
    out = _native.preprocess(
        [_native.Image.from_pixels(pixels)],
        size=None if edges else (height, width), edges=edges, resample=resample, channels_last=True, threads=1,
    )[0][..., :channels].astype(np.uint8)
    return (out * (1 / 255)).astype(np.float32) if scaled else out


def _fits_unit_range(image: np.ndarray) -> bool:
    if image.dtype == np.uint8:
        return False
    low, high = image.min(), image.max()
    if np.allclose(image, image.astype(int)):
        if low >= 0 and high <= 255:
            return False
        limit = 255
    else:
        if low >= 0 and high <= 1:
            return True
        limit = 1
    raise ValueError(
        f"The image to be converted to a PIL image contains values outside the range [0, {limit}], got [{low}, {high}] "
        "which cannot be converted to uint8."
    )


def center_crop(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Zeros are added around a smaller picture; the result always has the size."""
    rows, columns = image.shape[:2]
    top, left = (rows - height) // 2, (columns - width) // 2
    if top >= 0 and left >= 0 and top + height <= rows and left + width <= columns:
        return image[top : top + height, left : left + width]
    full_rows, full_columns = max(rows, height), max(columns, width)
    pad_top, pad_left = -((rows - full_rows) // 2), -((columns - full_columns) // 2)
    padded = np.zeros((full_rows, full_columns, image.shape[2]), image.dtype)
    padded[pad_top : pad_top + rows, pad_left : pad_left + columns] = image
    top, left = top + pad_top, left + pad_left
    return padded[top : top + height, left : left + width]


def rescale(image: np.ndarray, factor: float) -> np.ndarray:
    return (image * float(factor)).astype(np.float32)


def normalize(image: np.ndarray, mean: list[float], std: list[float]) -> np.ndarray:
    """Floats keep their type, other numbers become float32."""
    if not np.issubdtype(image.dtype, np.floating):
        image = image.astype(np.float32)
    with np.errstate(divide="ignore", invalid="ignore"):
        return (image - np.array(mean, image.dtype)) / np.array(std, image.dtype)
