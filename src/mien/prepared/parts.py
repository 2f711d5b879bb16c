"""One part of a set: some rows made canvases by one process, written as one file."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mien.datasets.distribution import Distribution
from mien.datasets.samples import Samples
from mien.errors import ImageError, InputError, unforeseen
from mien.geometry import Box
from mien.media.atomic import atomic_write
from mien.media.work import map_processes
from mien.prepared.face_canvas import CanvasMaker, CanvasSettings
from mien.preprocess import IMAGE
from mien.wording import in_one_line


def make_parts(
    samples: Samples,
    settings: CanvasSettings,
    parts: Sequence[range],
    file_of: Callable[[range], Path],
    *,
    workers: int,
) -> Iterator[range]:
    """Write the parts, `workers` at a time, each to its `file_of`; yields each as it is finished, in order."""
    items = ((file_of(part), _rows_of(samples, part)) for part in parts)
    done = map_processes(
        partial(CanvasMaker, settings),
        partial(write_part, samples.files, samples.decode),
        items,
        workers=min(workers, max(1, len(parts))),
        ended="perhaps for lack of memory; run the same command again with fewer workers, what is finished is kept",
    )
    yield from (part for part, _ in zip(parts, done, strict=True))


@dataclass(frozen=True, slots=True)
class _Row:
    """What a process needs of one row."""

    row: int
    path: str
    split: str
    label: str
    box: Box | None
    points: np.ndarray | None  # (68, 2)


def _rows_of(samples: Samples, part: range) -> list[_Row]:
    rows = []
    for i in part:
        box = points = None
        if samples.box is not None and np.isfinite(samples.box[i]).all():
            box = Box(*samples.box[i].tolist())
        if samples.points is not None and samples.points.shape[1] == 68 and np.isfinite(samples.points[i]).all():
            points = samples.points[i]
        label = str(samples.labels[samples.label[i]]) if samples.label[i] >= 0 else ""
        rows.append(_Row(i, str(samples.path[i]), str(samples.split[i]), label, box, points))
    return rows


def write_part(
    files: Distribution,
    decode: Callable[[Distribution, str], np.ndarray],
    maker: CanvasMaker,
    part: tuple[Path, Sequence[_Row]],
) -> None:
    """The canvases of some rows to a file."""
    target, rows = part
    faces, done, lost = [], [], []
    for row in rows:
        try:
            faces.append(maker.make(decode(files, row.path), row.box, row.points))
            done.append(row.row)
        except MemoryError:
            raise
        except Exception as error:  # one strange image must not end the run
            lost.append({"path": row.path, "split": row.split, "label": row.label, "reason": _reason(error)})
    side = maker.settings.canvas_px
    channels = max((face.canvas.shape[2] for face in faces), default=1)
    canvas = np.empty((len(faces), side, side, channels), dtype=np.uint8)
    for target_canvas, face in zip(canvas, faces, strict=True):
        target_canvas[...] = face.canvas
    detection = np.array([face.detection for face in faces], dtype=np.float32)
    pose = np.array([face.pose for face in faces], dtype=np.float32).reshape(-1, 3)
    more: dict[str, Any] = {}
    if maker.settings.template == IMAGE:
        more = {"aspect": np.array([face.aspect for face in faces], dtype=np.float32)}
    buffer = io.BytesIO()
    np.savez(
        buffer,
        canvas=canvas,
        channels=np.array(channels),
        row=np.array(done, dtype=np.int64),
        detected=np.isfinite(detection),
        detection=detection,
        landmarks=np.array([face.landmarks for face in faces], dtype=np.float32).reshape(-1, 68, 2),
        head_yaw_deg=pose[:, 0],
        head_pitch_deg=pose[:, 1],
        head_roll_deg=pose[:, 2],
        **more,
        lost=np.array(json.dumps(lost)),
        rejected=np.array([face.rejected for face in faces], dtype=str),
    )
    atomic_write(target, buffer.getbuffer())


def _reason(error: Exception) -> str:
    if isinstance(error, ImageError):
        return error.reason
    return in_one_line(error) if isinstance(error, InputError) else unforeseen(error)
