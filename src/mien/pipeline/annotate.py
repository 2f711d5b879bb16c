"""A video with what its table says drawn into it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mien.draw.anonymize import anonymize as covered
from mien.draw.faces import DRAWN, check_drawing
from mien.draw.video import MarkedFace, VideoMarker
from mien.draw.video_cover import VideoCover
from mien.errors import InputError, OptionError, OutputError, VideoError
from mien.geometry import SIDES, Box
from mien.media.animation import frames_of
from mien.media.disk import plain_disk_errors
from mien.media.encode import VideoWriter
from mien.media.frames import Frame
from mien.media.video import VideoFile
from mien.media.work import Progress, in_background, no_progress
from mien.pipeline.read import with_contract


def check_annotated(output: Path, video: str, draw: Sequence[str] = DRAWN) -> None:
    """Raises `OptionError` or `OutputError` before the work for what would fail after it."""
    if not_there := sorted({*draw} - {*DRAWN}):
        raise OptionError(f"videos have no {' and no '.join(not_there)} drawn; draw any of {', '.join(DRAWN)}")
    if output.suffix.lower() != ".mp4":
        raise OptionError(f"{output}: annotated videos are written as .mp4")
    if not output.parent.is_dir():
        raise OutputError(f"{output}: the folder {output.parent} does not exist; make it first")
    if output.is_dir():
        raise OutputError(f"{output} is a folder; name a file in it")
    if output.exists() and os.path.exists(video) and os.path.samefile(output, video):
        raise OutputError(f"{output} is the video itself, which would be overwritten; choose another name")


def annotate_video(
    video: str,
    table: pa.Table,
    output: Path,
    *,
    draw: Sequence[str] = DRAWN,
    anonymize: str | None = None,
    progress: Progress = no_progress,
) -> None:
    """Write the frames of `video` that `table` has rows of, with their faces, to `output` (.mp4), audio kept.

    `table`: columns of docs/reference/table.md; rows of other sources are left out. Where the table was cut off by
    damage, so is the result. `draw`: any of "boxes", "labels" and "bars", the strip of expressions over time.
    `anonymize`: as for `mien.annotate`; a face that is lost for a while stays covered, see `VideoCover`.
    Raises `InputError` where the table has no frame of this video.
    """
    check_drawing(draw, anonymize)
    rows = _Rows(video, table)
    frames = _wanted(video, rows)
    first = next(frames, None)
    if first is None:
        raise InputError(f"{video}: the table has no frame of it; predict it first")
    size = first.image.shape[1], first.image.shape[0]
    marker = VideoMarker(
        size,
        rows.times,
        rows.tracks,
        rows.labels,
        rows.uncertain,
        span_s=(rows.first_s, rows.last_s),
        classes=rows.classes,
        draw=draw,
    )
    cover = (
        None if anonymize is None else VideoCover(list(rows.frames.values()), rows.times, rows.tracks, rows.boxes)
    )
    audio_of = video if isinstance(frames_of(video), VideoFile) else None
    seconds = max(rows.last_s - rows.first_s, 1e-3)
    rate = float(np.clip((len(rows.frames) - 1) / seconds, 1, 240))
    with (
        plain_disk_errors(output, option="--annotated"),
        VideoWriter(
            output, (size[0], marker.height), fps=rate, audio_of=audio_of, start_s=rows.first_s, is_output=True
        ) as writer,
    ):
        progress(0, len(rows.frames))
        for done, frame in enumerate(chain((first,), frames), 1):
            image = frame.image
            if cover is not None and anonymize is not None:
                image = covered(image, cover.boxes(rows.frames[frame.index]), anonymize)
            writer.write(marker.mark(image, rows.faces(frame.index), frame.time_s), frame.time_s)
            progress(done, len(rows.frames))


class _Rows:
    """The rows of one video, by frame."""

    def __init__(self, video: str, table: pa.Table) -> None:
        classes, table = with_contract(table)
        name = os.fsencode(video).decode("utf-8", "backslashreplace")
        table = table.filter(pc.and_(pc.equal(table["source"], name), pc.is_valid(table["time_s"])))
        self.classes = tuple(classes)
        examined = table["frame"].to_numpy(zero_copy_only=False).astype(int)
        seconds = table["time_s"].to_numpy(zero_copy_only=False)
        self.frames = dict(zip(examined.tolist(), seconds.tolist(), strict=True))  # their times in seconds
        self.first_s, self.last_s = (float(seconds.min()), float(seconds.max())) if len(seconds) else (0.0, 0.0)
        table = table.filter(pc.is_valid(table["face"]))
        self._of_frame = table["frame"].to_numpy(zero_copy_only=False).astype(int)
        self.times = table["time_s"].to_numpy(zero_copy_only=False)
        self.tracks = np.array(pc.fill_null(table["track"], -1)).astype(int)
        self.labels = pc.coalesce(table["smoothed"], table["expression"]).to_pylist()
        raw = np.stack([np.array(table[f"p_{label}"], dtype=float) for label in classes], axis=-1).max(axis=-1)
        smoothed = np.array(table["smoothed_confidence"].to_numpy(zero_copy_only=False), dtype=float)
        self._confidences = np.where(np.isnan(smoothed), raw, smoothed)
        self._certain = table["certain"].to_pylist()
        self.uncertain = np.array([certain is False for certain in self._certain], dtype=bool)
        self.boxes = np.stack([np.array(table[side], dtype=float) for side in SIDES], axis=-1)

    def faces(self, frame: int) -> list[MarkedFace]:
        """What is drawn in a frame, in the order of the table."""
        rows = range(np.searchsorted(self._of_frame, frame), np.searchsorted(self._of_frame, frame, side="right"))
        return [
            MarkedFace(
                Box(*self.boxes[row].tolist()),
                int(self.tracks[row]) if self.tracks[row] >= 0 else None,
                str(self.labels[row]),
                float(self._confidences[row]),
                self._certain[row],
            )
            for row in rows
        ]


def _wanted(video: str, rows: _Rows) -> Iterator[Frame]:
    """The frames that the table has, up to the damage where there is one."""
    last = max(rows.frames, default=-1)
    try:
        for frame in in_background(frames_of(video), ahead=4):
            if frame.index in rows.frames:
                yield frame
            if frame.index >= last:
                return
    except VideoError:
        return
