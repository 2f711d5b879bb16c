"""Runs the jobs of a service, one at a time; clients take turns. What is finished of a job survives the process."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Literal

import pyarrow.parquet as pq

from mien.errors import MienError, OutputError
from mien.labels import LabelSet
from mien.media.disk import is_disk_full
from mien.pipeline.batch import BatchOptions
from mien.pipeline.recognizer import Recognizer
from mien.pipeline.rows import TableRow, rows_of
from mien.pipeline.table import write_table
from mien.results import ImageResult
from mien.service.database import UNAVAILABLE
from mien.service.job_files import JOURNAL, RESULT, ROWS, DataFolder
from mien.service.job_store import Job, JobStore
from mien.service.logs import log
from mien.service.options import JobOptions
from mien.service.recognizers import Recognizers

NOTE_S = 0.5  # between notes of progress, at which a job sees that it was cancelled
EXPIRE_S = 30.0
TURN_S = 30.0  # after which a job makes way for that of another client
Stop = Literal["done", "cancelled", "later"]


class JobRunner:
    """One thread. `attempts`: so often a job may end the process without progress before it counts as failed."""

    def __init__(self, store: JobStore, folder: DataFolder, recognizers: Recognizers, *, attempts: int) -> None:
        self._store, self._folder, self._recognizers, self._attempts = store, folder, recognizers, attempts
        self._wake, self._ending = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, name="jobs")

    def start(self) -> None:
        """Take up what an earlier process left, and go on with what comes."""
        resumed = self._store.requeue()
        self._folder.clean(self._store.ids())
        for number in self._store.ids("done", "failed"):
            self._folder.remove_uploads(number)  # the process may have ended between both
        log("jobs", resumed=resumed)
        self._thread.start()

    def wake(self) -> None:
        """A job was added or cancelled."""
        self._wake.set()

    def close(self) -> None:
        """Interrupt the job after its present image or frame; it goes on at the next start."""
        self._ending.set()
        self._wake.set()
        self._thread.join()

    def _work(self) -> None:
        expire_at = 0.0
        while not self._ending.is_set():
            try:
                if time.monotonic() >= expire_at:
                    expire_at = time.monotonic() + EXPIRE_S
                    self._expire()
                job = self._store.claim()
            except Exception as error:  # the database may come back
                log("jobs wait for the database", error=error)
                self._ending.wait(2.0)
                continue
            if job is None:
                self._wake.wait(EXPIRE_S / 10)
                self._wake.clear()
                continue
            self._run(job)

    def _expire(self) -> None:
        numbers = self._store.expired()
        for number in numbers:
            self._folder.remove(number)
        self._store.expire(numbers)
        if numbers:
            log("jobs expired", count=len(numbers))

    def _run(self, job: Job) -> None:
        began = time.monotonic()
        try:
            if job.attempts > self._attempts:
                raise MienError(
                    f"the job has ended the process {self._attempts} times; one of its files is damaged"
                )
            stop = self._predict(job)
            if stop != "done":
                self._leave(job, stop)
                return
            state, error = "done", None
        except UNAVAILABLE as problem:
            self._release(job, problem)
            return
        except MienError as problem:
            full = "the disk of the service is full; submit the files again later"
            message = full if is_disk_full(problem) else _without_paths(str(problem), self._folder)
            state, error = "failed", message
        except Exception as problem:
            log("job failed", error=problem, job=job.id)
            state, error = "failed", f"the job failed; the log of the service has the reason under {job.id}"
        self._end(job, state, error)
        log("job", job=job.id, state=state, files=len(job.files), seconds=round(time.monotonic() - began, 2))

    def _end(self, job: Job, state: str, error: str | None) -> None:
        """Note the end in the database, then remove the uploads: a process that ends in between leaves both."""
        while True:
            try:
                if self._store.finish(job.id, state, error=error):
                    self._folder.remove_uploads(job.id)
                else:
                    self._folder.remove(job.id)  # cancelled in its last moment
                return
            except Exception as problem:
                log("jobs wait for the database", error=problem)
                if self._ending.wait(2.0):
                    return  # the next start finds the result complete

    def _release(self, job: Job, problem: Exception) -> None:
        """The database was away: the job goes on when it is back, or at the next start."""
        while not self._ending.is_set():
            log("jobs wait for the database", error=problem, job=job.id)
            self._ending.wait(2.0)
            with contextlib.suppress(*UNAVAILABLE):
                self._store.release(job.id)
                return

    def _leave(self, job: Job, stop: Stop) -> None:
        """The job was cancelled; or it goes on later, because the service ends or it is another client's turn."""
        if stop == "later":
            self._store.release(job.id)
        else:
            self._folder.remove(job.id)
            log("job", job=job.id, state="cancelled")

    def _predict(self, job: Job) -> Stop:
        """Write the result, unless the job is to stop before."""
        options = JobOptions(**job.options)
        folder = self._folder.jobs / job.id
        paths = [str(folder / file.file) for file in job.files if file.file is not None]
        recognizer = self._recognizers.of(options)
        stop = self._predict_files(job, recognizer, paths, options) if paths else "done"
        if stop == "done":
            write_table(_rows(job, self._folder, recognizer.labels), recognizer.labels, folder / RESULT)
        return stop

    def _predict_files(self, job: Job, recognizer: Recognizer, paths: list[str], options: JobOptions) -> Stop:
        amounts: list[tuple[int, int | None]] = [(0, None)]

        def progress(done: int, total: int | None) -> None:
            amounts[0] = done, total

        settings: BatchOptions = {
            "detect": options.detect,
            "output": self._folder.jobs / job.id / ROWS,
            "workers": 1,
            "progress": progress,
            "fps": options.fps,
            "every": options.every,
            "start_s": options.start_s,
            "end_s": options.end_s,
            "smoothing": options.smoothing,
            "reuse_scores": options.reuse_scores,
        }
        try:
            results = recognizer.stream(paths, **settings)
        except OutputError:  # begun by another version
            settings["overwrite"] = True
            results = recognizer.stream(paths, **settings)
        noted, turn = 0.0, _Turn(self._folder.jobs / job.id / JOURNAL)
        for _ in results:
            if self._ending.is_set():
                return "later"
            if time.monotonic() - noted >= NOTE_S:
                noted = time.monotonic()
                if not self._store.progress(job.id, *amounts[0]):
                    return "cancelled"
            if turn.is_over() and self._store.makes_way(job):
                return "later" if self._store.progress(job.id, *amounts[0]) else "cancelled"
        return "done" if self._store.progress(job.id, *amounts[0]) else "cancelled"


class _Turn:
    """How long a job may go on while others wait: `TURN_S`, and then until something more of it is kept.

    It must be further after each turn: the frames of a video are kept some seconds of it at a time.
    """

    def __init__(self, journal: Path) -> None:
        self._journal, self._until = journal, time.monotonic() + TURN_S
        self._kept: int | None = None

    def is_over(self) -> bool:
        """Asked after each result; from its end on true at most once in `NOTE_S`, when a result was just kept."""
        if time.monotonic() < self._until:
            return False
        size = self._journal.stat().st_size
        if self._kept is None or size == self._kept:
            self._kept = size
            return False
        self._until, self._kept = time.monotonic() + NOTE_S, None
        return True


def _rows(job: Job, folder: DataFolder, labels: LabelSet) -> Iterator[TableRow]:
    """The rows of all uploads in their order and under their names; of one that is not read its error."""
    predicted = iter(_groups(folder, job))
    for file in job.files:
        if file.file is None:
            yield from rows_of(ImageResult(file.name, error=file.error), labels)
            continue
        for row in next(predicted):
            yield row | {"source": file.name}


def _groups(folder: DataFolder, job: Job) -> Iterator[Iterator[TableRow]]:
    path = folder.jobs / job.id / ROWS
    if not any(file.file for file in job.files):
        return
    rows = (row for batch in pq.ParquetFile(path).iter_batches() for row in batch.to_pylist())
    for _, group in groupby(rows, key=lambda row: row["source"]):
        yield group


def _without_paths(message: str, folder: DataFolder) -> str:
    return message.replace(str(folder.jobs), "").replace(str(folder.path), "")[:500]
