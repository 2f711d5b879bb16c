"""Crops of a real face, each changed a little, for tests that go from images to predictions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

PHOTO = Path(__file__).parents[2] / "examples/grace_hopper.jpg"


def write_crop(path: Path, *, seed: int) -> None:
    """A crop around the face, shifted and brightened by `seed`."""
    rng = np.random.default_rng(seed)
    with Image.open(PHOTO) as photo:
        x, y = (start + int(shift) for start, shift in zip((140, 130), rng.integers(-8, 8, 2), strict=True))
        crop = photo.convert("RGB").crop((x, y, x + 250, y + 250)).resize((120, 120))
    path.parent.mkdir(parents=True, exist_ok=True)
    crop.point(lambda value: value * rng.uniform(0.8, 1.2)).save(path)
