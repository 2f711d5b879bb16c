"""`mien.explain`: maps over the faces of an image."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from mien.draw.palette import BLUE, ORANGE, rgb
from mien.errors import UnknownNameError
from mien.explanation.faithfulness import Faithfulness, faithfulness
from mien.explanation.occlusion import occlusion_map
from mien.faces import Detection
from mien.geometry import Box, quarter_turn
from mien.media.atomic import atomic_write
from mien.media.images import ImageSource, to_rgb
from mien.pipeline.recognizer import Recognizer, load
from mien.pipeline.turns import LocatedFace
from mien.results import Face

_STRONGEST = 0.75  # of the colour over the image
_FINER = 8  # pixels of a cell before it is laid over the image


@dataclass(frozen=True, eq=False)
class Explanation:
    """What a network's probability of one class hangs on, in one face."""

    face: Face
    weights: str
    label: str  # the class that is explained
    probability: float
    cells: np.ndarray = field(
        repr=False
    )  # (G, G): fall of the probability, 0..1, where a cell of the crop is hidden
    crop: np.ndarray = field(repr=False)  # (S, S, 3) uint8 RGB: the face as the network sees it
    matrix: np.ndarray = field(repr=False)  # (2, 3): from image pixels into the crop
    faithfulness: Faithfulness


def overlay(image: np.ndarray, explanations: Sequence[Explanation]) -> np.ndarray:
    """A copy of the image (H, W, 3) uint8 RGB: orange speaks for the class of each face, blue against it."""
    mixed = image.astype(np.float64)
    for one in explanations:
        share = _over_image(one, image.shape[1], image.shape[0])[..., None]
        colour = np.where(share > 0, np.array(rgb(ORANGE)), np.array(rgb(BLUE)))
        alpha = _STRONGEST * np.abs(share)
        mixed = mixed * (1 - alpha) + colour * alpha
    return mixed.round().astype(np.uint8)


def _over_image(one: Explanation, width: int, height: int) -> np.ndarray:
    """The map (H, W) float -1..1 at the pixels of the image, 1 at its strongest cell, 0 outside of the crop."""
    side, grid = len(one.crop), len(one.cells)
    strength = (one.cells / max(float(np.abs(one.cells).max()), 1e-6)).astype(np.float32)
    smooth = Image.fromarray(np.pad(strength, 1)).resize(((grid + 2) * _FINER,) * 2, Image.Resampling.BICUBIC)
    to_cells = one.matrix * (_FINER * grid / side)
    to_cells[:, 2] += _FINER
    over = smooth.transform(
        (width, height), Image.Transform.AFFINE, tuple(to_cells.ravel()), Image.Resampling.BILINEAR
    )
    return np.clip(np.asarray(over), -1, 1)


def save_arrays(explanations: Sequence[Explanation], path: Path) -> None:
    """`cells_0`, `crop_0`, `matrix_0`, `label_0` and so on, for `numpy.load`."""
    arrays: dict[str, np.ndarray] = {}
    for i, one in enumerate(explanations):
        arrays |= {f"cells_{i}": one.cells, f"crop_{i}": one.crop, f"matrix_{i}": one.matrix}
        arrays[f"label_{i}"] = np.array(one.label)
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    atomic_write(path, file.getbuffer())


def explain(
    source: ImageSource,
    *,
    weights: str | os.PathLike[str] = "default",
    label: str | None = None,
    detect: bool = True,
    recognizer: Recognizer | None = None,
) -> list[Explanation]:
    """An occlusion map of every face of an image, largest first.

    `source`, `detect`: as for `mien.predict`. `weights`: of any network, or a loaded `recognizer`.
    `label`: the class to explain; None for each face's most probable one.
    """
    recognizer = recognizer or load(weights)
    if label is not None and label not in recognizer.labels:
        raise UnknownNameError("class", label, recognizer.labels)
    image = to_rgb(source)
    if detect:
        located = recognizer.any_roll.detect(image, recognizer.detections)
    else:
        all_of_it = Box(0, 0, image.shape[1], image.shape[0])
        located = recognizer.any_roll.locate(image, [Detection(all_of_it, 1.0)])
    return [_explain(recognizer, image, face, label) for face in located]


def _explain(recognizer: Recognizer, image: np.ndarray, located: LocatedFace, label: str | None) -> Explanation:
    (face,) = recognizer.recognise([(image, located)])
    if face.expression is None:
        raise AssertionError
    name = label or face.expression.top
    inputs = recognizer.network.manifest.inputs
    crop = inputs.crop(np.rot90(image, located.turns), located.points)
    probability = partial(probability_of, recognizer, name)
    cells = occlusion_map(probability, crop)
    cells.flags.writeable = crop.flags.writeable = False
    turn = quarter_turn(located.turns, image.shape[1], image.shape[0])
    matrix = np.vstack([inputs.matrix(located.points), [0, 0, 1]]) @ np.vstack([turn, [0, 0, 1]])
    return Explanation(
        face=face,
        weights=recognizer.network.manifest.name,
        label=str(name),
        probability=face.expression[name],
        cells=cells,
        crop=crop,
        matrix=matrix[:2],
        faithfulness=faithfulness(probability, crop, cells),
    )


def probability_of(recognizer: Recognizer, label: str, faces: np.ndarray) -> np.ndarray:
    """Aligned faces (N, S, S, 3) uint8 RGB -> the probability (N,) of a class."""
    return recognizer.network.probabilities(faces)[:, recognizer.labels.index(label)]
