"""Many images and videos: in parallel, past bad files, into one table, resumable after a kill.

The rows of a run that was ended are in the journal (`mien.pipeline.journal`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from mien.arguments import checked
from mien.draw.faces import DRAWN, check_drawing
from mien.errors import ImageError, MienError, check_option, unforeseen
from mien.media.animation import frames_of
from mien.media.disk import is_disk_full, plain_disk_errors
from mien.media.folder import images_in
from mien.media.frames import Sampling
from mien.media.sniff import is_video
from mien.media.work import Progress, in_parts, map_bounded, no_progress, worker_count
from mien.pipeline.amounts import Amounts
from mien.pipeline.image_files import name_of, predict_image_files
from mien.pipeline.journal import Journal
from mien.pipeline.rows import TableRow, check_suffix, rows_of
from mien.pipeline.save import Saver, without_outputs
from mien.pipeline.video import VideoPredictor
from mien.pipeline.xlsx import check_rows
from mien.results import ImageResult, VideoFrame
from mien.wording import in_one_line

if TYPE_CHECKING:
    from mien.pipeline.recognizer import Recognizer


TOGETHER = 4  # images whose faces are recognised in one batch: more gain no more


class BatchOptions(TypedDict, total=False):
    """Options for the prediction of many images and videos.

    `detect`: False where each image or frame is one face already.
    `output`: the table as .parquet, .csv, .jsonl or .xlsx; an interrupted run is resumed.
    `save`: a folder for annotated images and one .json of faces each; an interrupted run is resumed.
    `draw`, `anonymize`: as for `mien.annotate`.
    `overwrite`: start over instead of resuming.
    `workers`: images at a time, 0 for one per core; with more than one, `mien.load(threads=1)` is fastest.
    `progress`: called as progress(done, total) before the first and after each image and frame; of videos the total
    is an estimate.

    Of videos: `fps`, `every`, `start_s`, `end_s` (`mien.media.frames.Sampling`) say which frames are examined;
    `smoothing`: also smooth the scores of each track; `reuse_scores`: a face that has not changed takes over the
    scores of a frame less than 0.25 s away (its `scores_frame`); False: every face of every frame is recognised.
    """

    detect: bool
    output: str | os.PathLike[str] | None
    save: str | os.PathLike[str] | None
    draw: Sequence[str]
    anonymize: str | None
    overwrite: bool
    workers: int
    progress: Progress
    fps: float | None
    every: int
    start_s: float
    end_s: float | None
    smoothing: bool
    reuse_scores: bool


@dataclass(frozen=True)
class _Step:
    """A result. `last`: of its source. `checkpoint`: where its video can be gone on with."""

    result: ImageResult
    last: bool = True
    checkpoint: dict[str, Any] | None = None


@checked
def stream(
    recognizer: Recognizer,
    sources: Iterable[str | os.PathLike[str]],
    *,
    detect: bool = True,
    output: str | os.PathLike[str] | None = None,
    save: str | os.PathLike[str] | None = None,
    draw: Sequence[str] = DRAWN,
    anonymize: str | None = None,
    overwrite: bool = False,
    workers: int = 2,
    progress: Progress = no_progress,
    fps: float | None = None,
    every: int = 1,
    start_s: float = 0.0,
    end_s: float | None = None,
    smoothing: bool = True,
    reuse_scores: bool = True,
) -> Iterator[ImageResult]:
    """The results that no earlier run has left in `output`, as they come; options: `BatchOptions`.

    Of a video there is a `VideoFrame` for each examined frame.

    Raises `OutputError` where the folder is missing, the disk is full, or the rows begun belong to other settings.
    """
    recognizer.network.manifest.inputs.check_photos()
    workers, sampling = worker_count(workers), Sampling(fps=fps, every=every, start_s=start_s, end_s=end_s)
    sources = list(sources)
    for source in sources:
        check_option("a source", source, str | os.PathLike, "the path of an image or folder")
    names = [os.fsdecode(source) for source in sources]
    table, folder = (None if path is None else Path(path) for path in (output, save))
    if table is not None:
        check_suffix(table)
    items = images_of(names, leave_out=folder)
    named = {name_of(item): item for item in items}
    check_drawing(draw, anonymize)
    settings = recognizer.describe() | {"detect": detect}
    saver = None
    if folder is not None:
        given = [item for item in items if isinstance(item, str)]
        saver = Saver(folder, names, given, draw=draw, anonymize=anonymize, settings=settings, overwrite=overwrite)
    read = partial(predict_image_files, recognizer=recognizer, detect=detect, saver=saver)
    video = partial(_read_video, recognizer=recognizer, sampling=sampling,
                    detect=detect, smoothing=smoothing, reuse_scores=reuse_scores, workers=workers)  # fmt: skip
    most = TOGETHER if saver is None else 1  # what is saved is held until then
    if table is None:
        steps = _steps(items, read, partial(video, checkpoint=None), workers=workers, most=most)
        return (step.result for step in _counted(steps, Amounts(named, sampling), progress))
    if sampling != Sampling() or not smoothing or not reuse_scores:
        settings["video"] = asdict(sampling) | {"smoothing": smoothing, "reuse_scores": reuse_scores}
    with plain_disk_errors(table, option="--output"):
        files = {name: item if isinstance(item, str) else None for name, item in named.items()}
        journal = Journal(table, settings, recognizer.labels, files, overwrite=overwrite)
    remaining = [item for item in items if not (name_of(item) in journal.sources and _saved(item, saver))]
    resumed = partial(_resume_video, video=video, journal=journal)
    amounts = Amounts(named, sampling, journal)
    check_rows(table, amounts.total)
    steps = _counted(_steps(remaining, read, resumed, workers=workers, most=most), amounts, progress)
    return _written(steps, journal, table, order=list(named))


def _steps(
    items: Sequence[str | ImageError],
    read: Callable[[Sequence[str | ImageError]], list[ImageResult]],
    read_video: Callable[[str], Iterator[_Step]],
    *,
    workers: int,
    most: int,
) -> Iterator[_Step]:
    """The results in the order of the items: up to `most` images together and in parallel, videos one by one."""
    together = max(1, min(most, len(items) // (2 * workers)))
    for video, group in groupby(items, key=lambda item: isinstance(item, str) and is_video(item)):
        if video:
            for item in group:
                yield from read_video(str(item))
        else:
            results = map_bounded(read, in_parts(group, together), workers=workers)
            yield from (_Step(result) for part in results for result in part)


def images_of(names: Iterable[str], *, leave_out: Path | None = None) -> list[str | ImageError]:
    """The images and videos as given and those in folders, each once, however its path is written; unreadable
    folders as their errors.

    Folders are left without what lies below `leave_out`, and without what earlier runs drew in them.
    """
    below = os.path.abspath(leave_out) + os.sep if leave_out else None
    items: dict[str, str | ImageError] = {}
    for name in names:
        folder = os.path.isdir(name)
        for item in without_outputs(images_in(name)) if folder else (name,):
            path = os.path.abspath(item.source if isinstance(item, ImageError) else item)
            if isinstance(item, ImageError) or not (folder and below and path.startswith(below)):
                items.setdefault(path, item)
    return list(items.values())


def _saved(item: str | ImageError, saver: Saver | None) -> bool:
    return saver is None or isinstance(item, ImageError) or is_video(item) or saver.done(item)


def _read_video(
    path: str,
    *,
    recognizer: Recognizer,
    sampling: Sampling,
    detect: bool,
    smoothing: bool,
    reuse_scores: bool,
    workers: int,
    checkpoint: dict[str, Any] | None,
) -> Iterator[_Step]:
    """The frames of one video; what goes wrong with it is the `error` of a last one."""
    name = name_of(path)
    step: _Step | None = None
    after = None if checkpoint is None else (checkpoint["index"], checkpoint["time_s"])
    try:
        frames = VideoPredictor(
            recognizer, frames_of(path, sampling, after=after), detect=detect, smoothing=smoothing,
            reuse_scores=reuse_scores, workers=workers, checkpoint=checkpoint,
        )  # fmt: skip
        for frame, state in frames.with_checkpoints():
            if step is not None:
                yield step
            step = _Step(replace(frame, source=name), last=False, checkpoint=state)
    except Exception as error:  # one strange video must not end the run
        if is_disk_full(error):
            raise
        if step is not None:
            yield step
        reason = str(error) if isinstance(error, MienError) else unforeseen(error)
        step = _Step(VideoFrame(name, error=in_one_line(reason)))
    if step is not None:
        yield replace(step, last=True, checkpoint=None)
    elif checkpoint is None:
        yield _Step(VideoFrame(name, error="has no frame between the start and the end that were given"))


def _resume_video(path: str, *, video: Callable[..., Iterator[_Step]], journal: Journal) -> Iterator[_Step]:
    checkpoint = journal.checkpoints.get(name_of(path))
    over = True
    for step in video(path, checkpoint=checkpoint):
        over = False
        yield step
    if over:
        journal.add(name_of(path), [])  # it had been ended between its last frame and its end


def _counted(steps: Iterator[_Step], amounts: Amounts, progress: Progress) -> Iterator[_Step]:
    progress(amounts.done, amounts.total)
    for step in steps:
        yield step
        amounts.add(step.result, last=step.last)
        progress(amounts.done, amounts.total)


def _written(steps: Iterator[_Step], journal: Journal, output: Path, *, order: list[str]) -> Iterator[ImageResult]:
    """The results, each of an image after its rows are in the journal; the table at the end.

    The rows of a video are written at its checkpoints.
    """
    rows: list[TableRow] = []
    with ExitStack() as stack:
        with plain_disk_errors(output, option="--output"):
            stack.enter_context(journal)
        while True:
            with plain_disk_errors(output, option="--output"):
                step = next(steps, None)
                if step is None:
                    break
                rows += rows_of(step.result, journal.labels)
                if step.last or step.checkpoint is not None:
                    journal.add(step.result.source, rows, checkpoint=step.checkpoint)
                    rows = []
            yield step.result
        from mien.pipeline.table import write_all

        with plain_disk_errors(output, option="--output"):
            write_all(lambda: journal.rows(order), journal.labels, output)
            journal.finish()
