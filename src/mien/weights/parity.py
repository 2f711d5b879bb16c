"""Real faces on which two forms of a network must agree: noise alone says little about where a network works.

`faces.jpg` holds two faces of 112 pixels beside each other, aligned by the template "face": those of the photos in
`examples/`, both in the public domain. Each is taken as it is, flipped, dark, and blurred and grey.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from mien.preprocess import Preprocess

FILE = Path(__file__).with_name("faces.jpg")


def parity_faces(inputs: Preprocess) -> np.ndarray:
    """Eight faces (8, 3, S, S) float32 as a network with these inputs wants them."""
    with Image.open(FILE) as image:
        side = image.height
        faces = [image.crop((x, 0, x + side, side)) for x in range(0, image.width, side)]
    size = (inputs.size_px, inputs.size_px)
    small = max(8, side // 4)
    versions = [
        version.convert("RGB").resize(size, Image.Resampling.BILINEAR)
        for face in faces
        for version in (
            face,
            face.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
            face.point(lambda value: value * 0.3),
            face.convert("L").resize((small, small)),
        )
    ]
    return inputs.normalise(np.stack([np.asarray(version) for version in versions]))
