from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import mien


@pytest.fixture
def folder(tmp_path: Path, astronaut: np.ndarray) -> Path:
    """Five face crops, two of them in a folder below, and one broken file."""
    folder = tmp_path / "images"
    (folder / "below").mkdir(parents=True)
    for i in range(5):
        Image.fromarray(astronaut[40 + i : 200, 150:300]).save(folder / ("below" if i > 2 else "") / f"{i}.png")
    (folder / "bad.png").write_bytes(b"no image")
    return folder


@pytest.fixture(scope="session")
def recognizer() -> mien.Recognizer:
    """In single precision, as collections are predicted."""
    return mien.load(threads=1, precision="float32")
