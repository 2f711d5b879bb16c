"""Arrays and Pillow images of any kind as upright RGB uint8 (H, W, 3)."""

from __future__ import annotations

import contextlib

import numpy as np
from PIL import Image, ImageOps

from mien.errors import InputError

_ORIENTATION = 0x0112  # of EXIF
_STRIP_PIXELS = 250_000  # converted at a time: strips that fit the cache and are no new memory each time
_MOST_NEGATIVE = 0.1  # share of the values of an image in single precision
_STEP = 0.99 / 255  # no image of 8 bits, as floats 0..1, has its greatest value below


def rgb_of(image: Image.Image) -> np.ndarray:
    """A Pillow image as RGB uint8 (H, W, 3): upright, any mode, transparency on white."""
    with contextlib.suppress(Exception):  # damaged EXIF must not cost a good image
        if image.getexif().get(_ORIENTATION, 1) != 1:  # it would be copied as well where there is nothing to do
            image = ImageOps.exif_transpose(image)
    pixels = pixels_of(_rgb(image))
    pixels.flags.writeable = False
    return pixels


def pixels_of(image: Image.Image) -> np.ndarray:
    """An RGB image as an array (H, W, 3) uint8, made in strips: at once, it would be copied several times over."""
    array = np.empty((image.height, image.width, 3), np.uint8)
    rows = max(1, _STRIP_PIXELS // image.width)
    for top in range(0, image.height, rows):
        bottom = min(top + rows, image.height)
        array[top:bottom] = np.asarray(image.crop((0, top, image.width, bottom)))
    return array


def _rgb(image: Image.Image) -> Image.Image:
    """Any Pillow mode to RGB."""
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_to_bytes(np.asarray(image, dtype=np.float64))).convert("RGB")
    if "A" in image.getbands() or "transparency" in image.info:
        layered = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layered.size, "white"), layered).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _to_bytes(values: np.ndarray) -> np.ndarray:
    """Grey values of unknown depth to 0..255: the smallest usual range that holds 99.9 % of them is theirs.

    Raises `InputError` where more of them are negative than sharpening leaves.
    """
    values = np.nan_to_num(values, posinf=0.0, neginf=0.0)
    if np.mean(values < 0) > _MOST_NEGATIVE:
        raise InputError(f"the image holds values from {values.min():g} to {values.max():g}; bring them to 0..255")
    values = values.clip(min=0)
    top = float(np.percentile(values, 99.9)) if values.size else 0.0
    full = next((full for full in (1, 255, 1023, 4095, 16383, 65535) if top <= full), top)
    return (values * (255 / full)).clip(max=255).round().astype(np.uint8)


def from_array(array: np.ndarray) -> np.ndarray:
    """An array (H, W), (H, W, 3) or (H, W, 4) of whole numbers 0..255 or floats 0..1; `InputError` for others."""
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim not in (2, 3) or array.shape[2:] not in ((), (3,), (4,)) or 0 in array.shape:
        hint = (
            "; channels come last: x.transpose(1, 2, 0)" if array.ndim == 3 and array.shape[0] in (1, 3, 4) else ""
        )
        hint = "; give one image at a time: x[0], x[1], ..." if array.ndim == 4 else hint
        raise InputError(
            f"the array has shape {array.shape}; give (H, W, 3) RGB, (H, W, 4) RGBA or (H, W) grey{hint}"
        )
    if array.dtype != np.uint8:
        array = _to_uint8(array)
    if array.shape[2:] == (3,):
        return np.ascontiguousarray(array)
    return rgb_of(Image.fromarray(array))


def _to_uint8(array: np.ndarray) -> np.ndarray:
    """Whole numbers 0..255 of another type, or floats 0..1; raises `InputError` with the conversion for others."""
    if array.dtype.kind not in "iuf":
        raise InputError(f"the array holds {array.dtype}; give uint8 RGB, 0..255")
    low, high = float(array.min()), float(array.max())
    if not np.isfinite([low, high]).all():
        raise InputError(
            f"the array holds {array.dtype} with NaN or infinity; first: np.nan_to_num(x, posinf=0, neginf=0)"
        )
    integers = array.dtype.kind in "iu"
    if integers and low >= 0 and (high > 1 or high == 0) and high <= 255 and array.dtype != np.int8:
        return array.astype(np.uint8)
    if not integers and low >= 0 and (high >= _STEP or high == 0) and high <= 1:
        return (255 * array.astype(np.float64)).round().astype(np.uint8)
    if integers and low >= 0 and high <= 1:
        remedy = "they were rounded from 0..1: give those floats; of black and white x.astype('uint8') * 255"
    elif array.dtype == np.int8:
        remedy = "int8 ends at 127: take the image from before it was converted"
    elif low >= 0 and high < _STEP:
        remedy = "x * 255 where it was divided by 255 twice"
    elif integers and low >= 0 and high <= 65535:
        full = next(full for full in (1023, 4095, 16383, 65535) if high <= full)
        remedy = f"(x * (255 / {full})).round().astype('uint8') where {full} is white"
    elif low >= 0 and high <= 255:
        remedy = "x.clip(0, 1) where 1 is white, x.round().astype('uint8') where 255 is"
    else:
        remedy = "bring them to 0..255, and x.astype('uint8'); undo a network's normalisation first"
    raise InputError(f"the array holds {array.dtype} from {low:g} to {high:g}; give uint8 RGB, 0..255: {remedy}")


def is_grey(image: np.ndarray) -> bool:
    """Whether the three channels of (H, W, 3) are the same."""
    return np.array_equal(image[..., 0], image[..., 1]) and np.array_equal(image[..., 1], image[..., 2])
