"""Images made worse in known amounts: smaller, blurred, shaken, darker, overexposed, in fog.

Amounts are relative to the face, so that sets of different resolution are corrupted alike: `eye` is the distance
between the eye centres in pixels. Every function takes and returns images (H, W, 3) uint8 RGB.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFilter

Spoiler = Callable[[np.ndarray, float, float, np.random.Generator], np.ndarray]
NOISE = 3.0  # standard deviation of a dark image's noise, in grey levels of 255


def smaller(image: np.ndarray, amount: float, eye: float, _rng: np.random.Generator) -> np.ndarray:
    """Until the eyes are `amount` pixels apart; a face that is smaller already stays as it is."""
    height, width = image.shape[:2]
    scale = min(1.0, amount / eye)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS))


def blurred(image: np.ndarray, amount: float, eye: float, _rng: np.random.Generator) -> np.ndarray:
    """Gaussian of standard deviation `amount` eye distances."""
    return np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(float(amount * eye))))


def shaken(image: np.ndarray, amount: float, eye: float, rng: np.random.Generator) -> np.ndarray:
    """Mean along a straight way of `amount` eye distances in a random direction."""
    angle = rng.uniform(0, np.pi)
    steps = np.linspace(-0.5, 0.5, max(3, int(2 * amount * eye) + 1)) * amount * eye
    pil = Image.fromarray(image)
    total = np.zeros(image.shape)
    for step in steps:
        moved = (1, 0, step * np.cos(angle), 0, 1, step * np.sin(angle))
        total += np.asarray(pil.transform(pil.size, Image.Transform.AFFINE, moved, Image.Resampling.BILINEAR))
    return _levels(total / len(steps))


def darker(image: np.ndarray, amount: float, _eye: float, rng: np.random.Generator) -> np.ndarray:
    """Times `amount`, with a camera's noise."""
    return _levels(image * amount + rng.normal(0, NOISE, (*image.shape[:2], 1)))


def overexposed(image: np.ndarray, amount: float, _eye: float, _rng: np.random.Generator) -> np.ndarray:
    """Times `amount`; what is brighter than white is white."""
    return _levels(image.astype(float) * amount)


def foggy(image: np.ndarray, amount: float, _eye: float, _rng: np.random.Generator) -> np.ndarray:
    """Contrast times `amount` around mid grey."""
    return _levels((image.astype(float) - 127.5) * amount + 127.5)


def _levels(values: np.ndarray) -> np.ndarray:
    return np.rint(values).clip(0, 255).astype(np.uint8)


SPOILERS: dict[str, tuple[Spoiler, tuple[float, ...]]] = {
    "smaller": (smaller, (12.0, 9.0, 7.0, 5.0)),
    "blurred": (blurred, (0.06, 0.1, 0.15, 0.22)),
    "shaken": (shaken, (0.2, 0.35, 0.5, 0.8)),
    "darker": (darker, (0.3, 0.15, 0.08, 0.04)),
    "overexposed": (overexposed, (2.0, 3.0, 4.5, 7.0)),
    "foggy": (foggy, (0.3, 0.15, 0.08, 0.04)),
}
