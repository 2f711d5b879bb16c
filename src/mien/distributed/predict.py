"""`mien.predict_collection`: any number of images into a table in parts, on one machine or a cluster."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

from mien.arguments import checked
from mien.distributed.collection import Collection, PartTask
from mien.distributed.filesystems import shown
from mien.distributed.part import Job, PartDone, PartWorker, VideoOptions, settings_of
from mien.distributed.sources import sources_of
from mien.distributed.storage import Storage
from mien.errors import OptionError, UnknownNameError, check_option
from mien.media.frames import Sampling
from mien.media.work import Progress, no_progress
from mien.pipeline.loading import load
from mien.pipeline.recognizer import Recognizer

ENGINES = ("ray", "local")
IMAGES_PER_PART = 1000
MOST_UNREAD = 100


@dataclass(frozen=True, kw_only=True)
class CollectionResult:
    """A complete collection."""

    output: str  # the folder of the parts: pyarrow.parquet.read_table(output)
    images: int  # and videos
    faces: int
    errors: int  # images that could not be read, each a row with its `error`
    parts: int
    made_now: int  # parts that this call made; the others were there
    others: int  # images of earlier calls that this one does not name: of deleted files, say
    unread: tuple[tuple[str, str], ...]  # name and error of what could not be read, the first MOST_UNREAD


@checked
def predict_collection(
    sources: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    *,
    engine: str = "ray",
    detect: bool = True,
    column: str | None = None,
    images_per_part: int = IMAGES_PER_PART,
    workers: int = 0,
    address: str | None = None,
    temp_dir: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    video: VideoOptions | None = None,
    progress: Progress = no_progress,
    **options: Any,
) -> CollectionResult:
    """Predict every image and video of the sources into a folder of Parquet parts, each once.

    `sources`: folders, images, lists (.txt, a path or URI per line), Parquet files with a column of addresses, all
    here or in an object store (s3://, gs://, ...). `output`: a folder that all machines share, or a URI. After any
    failure the same call makes the parts that are missing; called again on a complete collection, it adds new
    images and reads changed files, and those with an error, again. `engine`: "ray", or "local" for this
    process alone. `column`: of a Parquet file. `video`: which frames of videos are examined.
    `workers`, `address`, `temp_dir`: of Ray; 0 workers are one per CPU.
    `progress`: called with images and videos, as progress(done, total). `options`: those of `mien.load`; int8 only
    where `precision` says so.
    """
    given = [os.fsdecode(one) for one in ([sources] if isinstance(sources, (str, os.PathLike)) else sources)]
    _check(engine, images_per_part, workers)
    if "threads" in options:
        raise OptionError("threads cannot be chosen here: each worker has one; give workers")
    frames = _complete(video or {})
    options = {"precision": "float32"} | _absolute(options)
    if options["precision"] == "auto":  # machines differ, their predictions must not
        options["precision"] = "float32"
    make = partial(load, **options, threads=1)
    recognizer: Recognizer = make()
    settings = settings_of(recognizer, detect=detect, video=frames)
    stated = {"sources": [shown(name) for name in given], "column": column}
    storage = Storage(os.fsdecode(output))
    collection = Collection(storage, settings, stated, overwrite=overwrite)
    collection.plan(sources_of(given, column=column), images_per_part=images_per_part)
    tasks = collection.remaining()
    job = Job(storage, settings, make, detect, frames)
    if engine == "local":
        results: Iterator[PartDone] = map(PartWorker(replace(job, load=lambda: recognizer)), tasks)
    else:
        from mien.distributed.ray import make_parts

        folder = None if temp_dir is None else Path(temp_dir)
        results = make_parts(job, tasks, address=address, workers=workers, temp_dir=folder) if tasks else iter(())
    made = _counted(results, collection, tasks, progress)
    counts = collection.finish()
    unread = tuple(collection.unread(MOST_UNREAD)) if counts["errors"] else ()
    return CollectionResult(output=str(storage), made_now=made, others=collection.others, unread=unread, **counts)


def _check(engine: str, images_per_part: int, workers: int) -> None:
    if engine not in ENGINES:
        raise UnknownNameError("engine", engine, ENGINES)
    check_option("images_per_part", images_per_part, int, "a whole number from 1 on")
    check_option("workers", workers, int, "a whole number; 0 is one per CPU")
    if images_per_part < 1:
        raise OptionError(f"images_per_part is {images_per_part}; it must be at least 1")
    if workers < 0:
        raise OptionError(f"workers is {workers}; it must be at least 1, or 0 for one per CPU")


def _complete(video: VideoOptions) -> VideoOptions:
    """With the defaults for what is not given; raises `OptionError` for values that cannot be."""
    given = dict(video)
    switches = {name: bool(given.pop(name, True)) for name in ("smoothing", "reuse_scores")}
    return cast(VideoOptions, asdict(Sampling(**given)) | switches)  # type: ignore[arg-type]


def _absolute(options: dict[str, Any]) -> dict[str, Any]:
    """Weights by absolute path: workers have another current folder."""
    weights = os.fspath(options.get("weights", "default"))
    return options | {"weights": os.path.abspath(weights) if os.path.exists(weights) else weights}


def _counted(
    results: Iterator[PartDone], collection: Collection, tasks: Sequence[PartTask], progress: Progress
) -> int:
    sizes = collection.sizes()
    total = sum(sizes)
    done = total - sum(sizes[task.index] for task in tasks)
    progress(done, total)
    made: set[int] = set()
    for result in results:
        if result.index not in made:
            done += result.images
        made.add(result.index)
        progress(done, total)
    return len(made)
