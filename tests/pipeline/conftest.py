"""A folder of images for the tests of prediction."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def folder(tmp_path: Path, astronaut: np.ndarray) -> Path:
    """Eight face crops, one broken file, one image without a face."""
    folder = tmp_path / "images"
    folder.mkdir()
    for i in range(8):
        Image.fromarray(astronaut[40 + i : 200, 150:300]).save(folder / f"{i}.png")
    (folder / "bad.png").write_bytes(b"no image")
    Image.new("RGB", (64, 64)).save(folder / "none.png")
    return folder
