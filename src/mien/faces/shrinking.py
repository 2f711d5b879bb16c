"""Smaller copies of images without aliasing, in little memory: a strip of the image at a time."""

from __future__ import annotations

import numpy as np
from PIL import Image

_STRIP_PX = 250_000  # of the image that are converted at a time


def shrink(image: np.ndarray, factor: int) -> np.ndarray:
    """Image (H, W, 3) uint8 -> the means of its blocks of `factor` pixels a side; the last ones may be cut off."""
    if factor == 1:
        return image
    height, width = image.shape[:2]
    rows = max(1, _STRIP_PX // (width * factor)) * factor
    strips = [_pil(image[top : top + rows]).reduce(factor) for top in range(0, height, rows)]
    return np.concatenate([np.asarray(strip) for strip in strips])


def resized(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """Image (H, W, 3) uint8 at another size: averaged in blocks, then interpolated for what is left."""
    factor = min(image.shape[1] // width, image.shape[0] // height)
    box = (0.0, 0.0, float(image.shape[1]), float(image.shape[0]))
    if factor > 1:
        image, box = shrink(image, factor), (0.0, 0.0, box[2] / factor, box[3] / factor)
    if image.shape[:2] == (height, width):
        return image
    return np.asarray(_pil(image).resize((width, height), Image.Resampling.BILINEAR, box))


def _pil(image: np.ndarray) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(image))
