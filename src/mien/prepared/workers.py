"""One part of a set: some rows made canvases by one process, written as one file."""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np

from mien.datasets.distribution import Files
from mien.datasets.samples import Samples
from mien.errors import DataError, ImageError, InputError, OutputError
from mien.geometry import Box
from mien.media.atomic import atomic_write
from mien.prepared.face_canvas import CanvasMaker, CanvasSettings


def make_parts(
    samples: Samples,
    settings: CanvasSettings,
    todo: Sequence[range],
    file_of: Callable[[range], Path],
    *,
    jobs: int,
) -> Iterator[range]:
    """Write the parts, `jobs` at a time, each to the file that `file_of` names; yields each as it is finished."""
    work = PartMaker(samples.files, samples.decode, settings)
    if jobs == 1 or len(todo) < 2:
        maker = CanvasMaker(settings) if todo else None
        for part in todo:
            assert maker is not None  # noqa: S101
            work.make(maker, file_of(part), _rows_of(samples, part))
            yield part
        return
    try:
        handed = pickle.dumps(work)
    except Exception as error:
        raise DataError(
            f"{samples.files}: this set cannot be read by several processes ({error}); use --jobs 1"
        ) from error
    queue = iter(todo)
    running: dict[Future[None], range] = {}
    context = multiprocessing.get_context("spawn")  # ONNX Runtime does not survive a fork
    with ProcessPoolExecutor(min(jobs, len(todo)), context, _start_worker, (handed,)) as pool:
        try:
            while True:
                for part in islice(queue, 2 * jobs - len(running)):
                    running[pool.submit(_make_part, file_of(part), _rows_of(samples, part))] = part
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    part = running.pop(future)
                    future.result()
                    yield part
        except BrokenProcessPool as error:
            raise OutputError(
                "a process was ended from outside, perhaps for lack of memory; "
                "run the same command again with fewer --jobs, what is finished is kept"
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


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


@dataclass(frozen=True)
class PartMaker:
    """How rows become canvases; travels to the processes once."""

    files: Files
    decode: Callable[[Files, str], np.ndarray]
    settings: CanvasSettings

    def make(self, maker: CanvasMaker, target: Path, rows: Sequence[_Row]) -> None:
        """Do one part and write it."""
        faces, kept, lost = [], [], []
        for row in rows:
            try:
                faces.append(maker.make(self.decode(self.files, row.path), row.box, row.points))
                kept.append(row.row)
            except MemoryError:
                raise
            except Exception as error:  # one strange image must not end the run
                lost.append({"path": row.path, "split": row.split, "label": row.label, "reason": _reason(error)})
        side = self.settings.canvas_px
        channels = max((face.canvas.shape[2] for face in faces), default=1)
        canvas = np.empty((len(faces), side, side, channels), dtype=np.uint8)
        for place, face in zip(canvas, faces, strict=True):
            place[...] = face.canvas
        detection = np.array([face.detection for face in faces], dtype=np.float32)
        pose = np.array([face.pose for face in faces], dtype=np.float32).reshape(-1, 3)
        buffer = io.BytesIO()
        np.savez(
            buffer,
            canvas=canvas,
            channels=np.array(channels),
            row=np.array(kept, dtype=np.int64),
            found=np.isfinite(detection),
            detection=detection,
            landmarks=np.array([face.landmarks for face in faces], dtype=np.float32).reshape(-1, 68, 2),
            head_yaw_deg=pose[:, 0],
            head_pitch_deg=pose[:, 1],
            head_roll_deg=pose[:, 2],
            lost=np.array(json.dumps(lost)),
        )
        atomic_write(target, buffer.getbuffer())


def _reason(error: Exception) -> str:
    if isinstance(error, ImageError):
        return error.reason
    known = isinstance(error, InputError)
    text = str(error) if known else f"could not be read ({type(error).__name__}: {error}); please report it"
    return " ".join(text.split())


_worker: tuple[PartMaker, CanvasMaker] | None = None  # of this process


def _start_worker(handed: bytes) -> None:
    """Runs once in each new process."""
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is answered by the main process
    parent = multiprocessing.parent_process()
    if parent is not None:  # a killed parent must not leave processes behind
        threading.Thread(target=_follow, args=(parent,), daemon=True).start()
    work: PartMaker = pickle.loads(handed)  # noqa: S301  (made by our own parent)
    _worker = work, CanvasMaker(work.settings)


def _follow(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


def _make_part(target: Path, rows: Sequence[_Row]) -> None:
    if _worker is None:
        raise RuntimeError("the process was not started by prepare")
    work, maker = _worker
    work.make(maker, target, rows)
