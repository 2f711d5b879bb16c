"""Fabricated copies of data sets: real names and layouts, a few generated images."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image


def image(path: Path, *, seed: int = 0, side: int = 48, grey: bool = False) -> None:
    """A small image of smooth random colour; its own for each seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(image_bytes(path.suffix, seed=seed, side=side, grey=grey))


def image_bytes(suffix: str = ".png", *, seed: int = 0, side: int = 48, grey: bool = False) -> bytes:
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    image = Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)
    file = io.BytesIO()
    (image.convert("L") if grey else image).save(
        file, {".jpg": "JPEG", ".png": "PNG", ".tiff": "TIFF", ".bmp": "BMP"}[suffix.lower()]
    )
    return file.getvalue()


def text(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def images(top: Path, *names: str, side: int = 48) -> None:
    """Several images, each with its own content."""
    for seed, name in enumerate(names):
        image(top / name, seed=seed, side=side)


def pixel_line(emotion: int, usage: str, *, seed: int = 0) -> str:
    """A row of fer2013.csv: emotion,pixels,Usage."""
    pixels = np.random.default_rng(seed).integers(0, 256, 48 * 48)
    return f"{emotion},{' '.join(map(str, pixels))},{usage}"
