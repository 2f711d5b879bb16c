"""Corruptions that the quality flags are calibrated with.

Blur and motion are those of evaluation, at severities around the limits. Four are not there, and why: `shrink`
leaves the image small, which is what `small` measures, while evaluation's "resolution" enlarges it again;
`underexpose` adds sensor noise, which evaluation's "dark" does not; `overexpose` and `fade` have no counterpart.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image

from mien.evaluation.corruptions import CORRUPTIONS as EVALUATED
from mien.evaluation.corruptions import Corruption, FaceRegion

NOISE = 3.0  # standard deviation of an underexposed image's noise, in grey levels of 255


def shrink(image: np.ndarray, region: FaceRegion, side_px: float, _rng: np.random.Generator) -> np.ndarray:
    """Resized until the face has this side; a smaller face stays as it is."""
    scale = min(1.0, side_px / region.side_px)
    height, width = image.shape[:2]
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS))


def underexpose(image: np.ndarray, _region: FaceRegion, gain: float, rng: np.random.Generator) -> np.ndarray:
    """Times `gain`, with sensor noise."""
    return _levels(image * gain + rng.normal(0, NOISE, (*image.shape[:2], 1)))


def overexpose(image: np.ndarray, _region: FaceRegion, gain: float, _rng: np.random.Generator) -> np.ndarray:
    """Times `gain`, clipped."""
    return _levels(image.astype(float) * gain)


def fade(image: np.ndarray, _region: FaceRegion, contrast: float, _rng: np.random.Generator) -> np.ndarray:
    """Contrast times `contrast` around mid grey, as fog does."""
    return _levels((image.astype(float) - 127.5) * contrast + 127.5)


def _levels(values: np.ndarray) -> np.ndarray:
    return np.rint(values).clip(0, 255).astype(np.uint8)


def _named(*values: float) -> dict[str, float]:
    return {f"{value:g}": value for value in values}


CORRUPTIONS: dict[str, Corruption] = {
    "shrink": Corruption(name="shrink", severities=_named(34, 26, 20, 14), apply=shrink),
    "blur": replace(EVALUATED["blur"], severities=_named(0.02, 0.035, 0.055, 0.08)),
    "motion": replace(EVALUATED["motion"], severities=_named(0.07, 0.12, 0.18, 0.28)),
    "underexpose": Corruption(name="underexpose", severities=_named(0.3, 0.15, 0.08, 0.04), apply=underexpose),
    "overexpose": Corruption(name="overexpose", severities=_named(2.0, 3.0, 4.5, 7.0), apply=overexpose),
    "fade": Corruption(name="fade", severities=_named(0.3, 0.15, 0.08, 0.04), apply=fade),
}
