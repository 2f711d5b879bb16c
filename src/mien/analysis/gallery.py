"""Some faces of a table as images, cut from their sources where those are still there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mien.analysis.faces import FaceTable
from mien.errors import InputError, MienError
from mien.geometry import SIDES
from mien.media.grab import frames_at
from mien.media.images import read_image
from mien.results import FLAGS

_MARGIN = 0.25  # around the box, of its longer side
_SIDE_PX = 448  # larger faces are reduced


@dataclass(frozen=True, eq=False)
class FaceImage:
    """One face of a contact sheet."""

    source: str
    time_s: float | None
    expression: str
    confidence: float
    flags: str
    image: np.ndarray  # (H, W, 3) uint8 RGB


@dataclass(frozen=True, eq=False)
class Gallery:
    """Some faces of each expression and each quality flag; sources that are not there any more."""

    expressions: dict[str, tuple[FaceImage, ...]]
    flags: dict[str, tuple[FaceImage, ...]]
    sources: int  # with a face
    missing: tuple[str, ...]  # of them: not there any more, or not as the table describes them
    most_confident: bool = False  # of the expressions; else drawn at random

    def __bool__(self) -> bool:
        return any(self.expressions.values()) or any(self.flags.values())


def gallery(
    faces: FaceTable, *, most: int, beside: Path | None = None, most_confident: bool = False, seed: int = 0
) -> Gallery:
    """At most so many counted faces of each expression, and half as many of each flag.

    Drawn at random, or `most_confident` of an expression, of as many sources as possible.

    Sources are looked for as the table names them, then below the folder `beside`.
    """
    rng = np.random.default_rng(seed)
    paths = {source: _path(source, beside) for source in dict.fromkeys(faces.source[faces.seen].tolist())}
    there = np.array([paths.get(source) is not None for source in faces.source.tolist()], dtype=bool)
    by_expression = {
        str(label): _some(
            faces,
            there & faces.counted & (faces.expression == i),
            most,
            -faces.probabilities[:, i] if most_confident else rng.random(len(faces)),
        )
        for i, label in enumerate(faces.labels)
    }
    split = [set(text.split()) for text in faces.flags.tolist()]
    by_flag = {
        flag: _some(
            faces,
            there & faces.seen & np.array([flag in words for words in split], dtype=bool),
            most // 2,
            rng.random(len(faces)),
        )
        for flag in FLAGS
    }
    rows = sorted({row for group in (*by_expression.values(), *by_flag.values()) for row in group})
    images, changed = _images(faces, rows, paths)
    missing = [source for source, path in paths.items() if path is None or source in changed]
    return Gallery(
        {name: tuple(images[row] for row in group if row in images) for name, group in by_expression.items()},
        {name: tuple(images[row] for row in group if row in images) for name, group in by_flag.items()},
        len(paths),
        tuple(missing),
        most_confident,
    )


def _some(faces: FaceTable, mask: np.ndarray, most: int, rank: np.ndarray) -> list[int]:
    """The rows of the least rank, of as many sources (or seconds of a video) as possible, in that order."""
    rows = np.flatnonzero(mask)
    rows = rows[np.argsort(rank[rows], kind="stable")]
    seconds = np.nan_to_num(faces.time_s[rows], nan=-1.0) // 5
    spots = list(zip(faces.source[rows].tolist(), seconds.tolist(), strict=True))
    first = {spot: i for i, spot in reversed(list(enumerate(spots)))}
    order = [*sorted(first.values()), *(i for i in range(len(rows)) if first[spots[i]] != i)]
    return [int(rows[i]) for i in order[:most]]


def _images(
    faces: FaceTable, rows: Sequence[int], paths: dict[str, Path | None]
) -> tuple[dict[int, FaceImage], set[str]]:
    """The rows that could be cut out, and the sources that could not be read."""
    of_source: dict[str, list[int]] = {}
    for row in rows:
        of_source.setdefault(faces.source[row], []).append(row)
    images, changed = {}, set()
    for source, group in of_source.items():
        path = paths[source]
        try:
            for row, image in _read(faces, path, group) if path is not None else ():
                images[row] = _face(faces, row, image)
        except (MienError, OSError):
            changed.add(source)
    return images, changed


def _path(source: str, beside: Path | None) -> Path | None:
    for path in (Path(source), *([beside / source] if beside else [])):
        try:
            if path.is_file():
                return path
        except (OSError, ValueError):  # a name that no file can have
            continue
    return None


def _read(faces: FaceTable, path: Path, rows: list[int]) -> list[tuple[int, np.ndarray]]:
    if np.isnan(faces.time_s[rows]).all():
        image = read_image(path)
        return [(row, _crop(faces, row, image)) for row in rows]
    at_time: dict[float, list[int]] = {}
    for row in rows:
        at_time.setdefault(float(faces.time_s[row]), []).append(row)
    return [
        (row, _crop(faces, row, image)) for time_s, image in frames_at(path, at_time) for row in at_time[time_s]
    ]


def _crop(faces: FaceTable, row: int, image: np.ndarray) -> np.ndarray:
    """The square around the box, as far as the image goes. Raises `InputError` for a box outside the image."""
    left, top, right, bottom = (faces.columns[side][row].as_py() for side in SIDES)
    half = (0.5 + _MARGIN) * max(right - left, bottom - top)
    x, y = (left + right) / 2, (top + bottom) / 2
    height, width = image.shape[:2]
    rows = slice(max(0, round(y - half)), max(0, min(height, round(y + half))))
    columns = slice(max(0, round(x - half)), max(0, min(width, round(x + half))))
    cut = image[rows, columns]
    if not cut.size:
        raise InputError(f"{faces.source[row]} is another image than the one in the table")
    step = max(1, min(cut.shape[:2]) // _SIDE_PX)
    return np.ascontiguousarray(cut[::step, ::step])


def _face(faces: FaceTable, row: int, image: np.ndarray) -> FaceImage:
    index, time_s = int(faces.expression[row]), float(faces.time_s[row])
    return FaceImage(
        source=faces.source[row],
        time_s=None if np.isnan(time_s) else time_s,
        expression=str(faces.labels[index]),
        confidence=float(faces.probabilities[row, index]),
        flags=faces.flags[row],
        image=image,
    )
