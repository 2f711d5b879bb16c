"""Many images: in parallel, past bad files, into one table, resumable after a kill (`mien.pipeline.journal`)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypedDict

from mien.errors import ImageError, check_option
from mien.labels import LabelSet
from mien.media.disk import DISK_FULL, plain_disk_errors
from mien.media.images import images_in, read_first_frame
from mien.media.work import Progress, map_bounded, no_progress, worker_count
from mien.pipeline.journal import Journal, file_state
from mien.pipeline.save import Saver
from mien.pipeline.table import check_suffix, rows_of, write_table
from mien.results import Face, ImageResult


class BatchOptions(TypedDict, total=False):
    """How many images are predicted.

    `detect`: False where each image is one face already.
    `output`: the table as .parquet, .csv, .jsonl or .xlsx; an interrupted run is resumed.
    `save`: a folder for annotated images and one .json of faces each.
    `overwrite`: start over instead of resuming.
    `workers`: images at a time, 0 for one per core; with more than one, `mien.load(threads=1)` is fastest.
    `progress`: called as progress(done, total) before the first and after each image.
    """

    detect: bool
    output: str | os.PathLike[str] | None
    save: str | os.PathLike[str] | None
    overwrite: bool
    workers: int
    progress: Progress


class Predictor(Protocol):
    """What a batch needs of a `mien.Recognizer`."""

    @property
    def labels(self) -> LabelSet:
        """The classes of the predictions."""
        ...

    def describe(self) -> dict[str, Any]:
        """Everything that decides the predictions, as plain values."""
        ...

    def predict(self, source: Any, *, detect: bool = True) -> list[Face]:
        """The faces of one image."""
        ...


def stream(
    recognizer: Predictor,
    sources: Iterable[str | os.PathLike[str]],
    *,
    detect: bool = True,
    output: str | os.PathLike[str] | None = None,
    save: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    workers: int = 2,
    progress: Progress = no_progress,
) -> Iterator[ImageResult]:
    """The results that no earlier run has left in `output`, as they come; options: `BatchOptions`.

    Raises `OutputError` where the folder is missing, the disk is full, or the rows begun belong to other settings.
    """
    check_option("sources", sources, Iterable, "a list of images and folders")
    check_option("detect", detect, bool, "True or False")
    for name, path in {"output": output, "save": save}.items():
        check_option(name, path, str | os.PathLike | None, "a path, or None")
    check_option("overwrite", overwrite, bool, "True or False")
    check_option("progress", progress, Callable, "a function progress(done, total)")
    check_option("workers", workers, int, "a whole number; 0 is one per core")
    workers = worker_count(workers)
    sources = list(sources)
    for source in sources:
        check_option("a source", source, str | os.PathLike, "the path of an image or folder")
    names = [os.fsdecode(source) for source in sources]
    table, folder = (None if path is None else Path(path) for path in (output, save))
    if table is not None:
        check_suffix(table)
    items = images_of(names, leave_out=folder)
    saver = Saver(folder, names, [item for item in items if isinstance(item, str)]) if folder else None
    read = partial(_read, recognizer=recognizer, detect=detect, saver=saver)
    if table is None:
        return _counted(map_bounded(read, items, workers=workers), 0, len(items), progress)
    settings = recognizer.describe() | {"detect": detect}
    with plain_disk_errors(table, option="--output"):
        files = {name_of(item): file_state(item) if isinstance(item, str) else None for item in items}
        journal = Journal(table, settings, recognizer.labels, files, overwrite=overwrite)
    remaining = [item for item in items if not (name_of(item) in journal.sources and _saved(item, saver))]
    results = _counted(
        map_bounded(read, remaining, workers=workers), len(items) - len(remaining), len(items), progress
    )
    return _written(results, journal, table, order=[name_of(item) for item in items])


def images_of(names: Iterable[str], *, leave_out: Path | None = None) -> list[str | ImageError]:
    """The images as given and those in folders, each once; unreadable folders as their errors.

    Folders are left without what lies below `leave_out`.
    """
    below = os.path.abspath(leave_out) + os.sep if leave_out else None
    items: dict[str, str | ImageError] = {}
    for name in names:
        folder = os.path.isdir(name)
        for item in images_in(name) if folder else (name,):
            if isinstance(item, ImageError):
                items.setdefault(item.source, item)
            elif not (folder and below and os.path.abspath(item).startswith(below)):
                items.setdefault(item, item)
    return list(items.values())


def name_of(item: str | ImageError) -> str:
    """What the table calls a source: the path as given; bytes that are no UTF-8 as backslash escapes."""
    name = item.source if isinstance(item, ImageError) else item
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _saved(item: str | ImageError, saver: Saver | None) -> bool:
    return saver is None or isinstance(item, ImageError) or saver.done(item)


def _read(item: str | ImageError, *, recognizer: Predictor, detect: bool, saver: Saver | None) -> ImageResult:
    """One image; what goes wrong with it is its `error`, but for a full disk."""
    name = name_of(item)
    try:
        if isinstance(item, ImageError):
            raise item
        image, frames = read_first_frame(item)
        faces = recognizer.predict(image, detect=detect)
        if saver is not None:
            saver.save(item, image, faces)
    except ImageError as error:
        return ImageResult(name, error=error.reason)
    except OSError as error:
        if error.errno in DISK_FULL:
            raise
        reason = f"its annotated image cannot be saved ({error.strerror or error}); save elsewhere"
        return ImageResult(name, error=reason)
    except Exception as error:  # one strange image must not end the run
        reason = f"could not be read ({type(error).__name__}: {error}); please report it"
        return ImageResult(name, error=" ".join(reason.split()))
    return ImageResult(name, tuple(faces), frames=frames)


def _counted(results: Iterator[ImageResult], before: int, total: int, progress: Progress) -> Iterator[ImageResult]:
    progress(before, total)
    for done, result in enumerate(results, before + 1):
        yield result
        progress(done, total)


def _written(
    results: Iterator[ImageResult], journal: Journal, output: Path, *, order: list[str]
) -> Iterator[ImageResult]:
    """The results, each after its rows are in the journal; the table at the end."""
    with journal:
        while True:
            with plain_disk_errors(output, option="--output"):
                result = next(results, None)
                if result is None:
                    break
                journal.add(rows_of(result, journal.labels))
            yield result
    with plain_disk_errors(output, option="--output"):
        write_table(journal.rows(order), journal.labels, output)
        journal.finish()
