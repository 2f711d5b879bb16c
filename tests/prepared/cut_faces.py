"""Sets of faces cut out of the example photos."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

import mien
from tests.conftest import EXAMPLES

SIDE = 100  # of RAF-DB's aligned images


def faces(folder: Path, *, width: int = SIDE, height: int = SIDE) -> Path:
    """Eight faces, cut out alike."""
    for i, name in enumerate(("happiness", "neutral") * 4):
        (folder / name).mkdir(parents=True, exist_ok=True)
        with Image.open(EXAMPLES / ("astronaut.jpg" if name == "happiness" else "grace_hopper.jpg")) as photo:
            (face, *_) = mien.predict(photo)
            box = face.box.squared().grown(1.3 + i / 100)
            cut = photo.convert("RGB").crop((round(box.left), round(box.top), round(box.right), round(box.bottom)))
            cut.resize((width, height), Image.Resampling.BICUBIC).save(folder / name / f"{i}.png")
    return folder
