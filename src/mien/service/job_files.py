"""The folder of a service: uploads of unfinished jobs, results until they expire. Names on the disk are ours."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from filelock import FileLock, Timeout

from mien.errors import ImageError, OutputError, ServiceError
from mien.media.atomic import atomic_write
from mien.media.disk import plain_disk_errors
from mien.media.sniff import HEAD, suffix_of
from mien.service.body import Sink
from mien.service.image_work import check_image
from mien.service.job_store import JobFile
from mien.service.settings import ServiceSettings

_INCOMING = ".incoming-"
RESULT = "result.parquet"
ROWS = "rows.parquet"  # with names of the disk
JOURNAL = f"{ROWS}.partial"  # while it is written


class DataFolder:
    """The folder `data` of a service; one process has it at a time. Raises `OutputError` where another has it."""

    def __init__(self, path: Path) -> None:
        self.path, self.jobs = path, path / "jobs"
        with plain_disk_errors(path, option="--data"):
            self.jobs.mkdir(parents=True, exist_ok=True, mode=0o700)
        with contextlib.suppress(PermissionError):  # a mounted folder may be another's
            path.chmod(0o700)
        self._lock = FileLock(path / "lock", timeout=0)
        try:
            self._lock.acquire()
        except Timeout:
            raise OutputError(f"{path} is used by another mien serve; give this one another --data") from None

    @property
    def instance(self) -> str:
        """What tells this folder from those of other services with the same database."""
        file = self.path / "instance"
        if not file.exists():
            atomic_write(file, secrets.token_hex(16).encode())
        return file.read_text().strip()

    def close(self) -> None:
        """Leave the folder to others."""
        self._lock.release()

    def clean(self, known: Iterable[str]) -> None:
        """At the start: remove uploads that never became a job, and what jobs left that are gone."""
        kept = set(known)
        for folder in self.jobs.iterdir():
            if folder.name not in kept:
                shutil.rmtree(folder, ignore_errors=True)

    def remove(self, number: str) -> None:
        """Uploads and result of a job."""
        shutil.rmtree(self.jobs / number, ignore_errors=True)

    def remove_uploads(self, number: str) -> None:
        """All of a job but its result."""
        for path in (self.jobs / number).glob("*"):
            if path.name != RESULT:
                path.unlink(missing_ok=True)

    def result(self, number: str) -> Path:
        """The table of a job that is done."""
        return self.jobs / number / RESULT


class Incoming:
    """The uploads of a job that is being received. `keep` makes them a job's; `discard` removes them otherwise."""

    def __init__(self, folder: DataFolder, settings: ServiceSettings, owner: str) -> None:
        self.number, self.owner = secrets.token_hex(16), owner
        self.files: list[JobFile] = []
        self.size = 0
        self._folder, self._settings = folder, settings
        self._path = folder.jobs / f"{_INCOMING}{self.number}"
        self._path.mkdir(mode=0o700)

    def open_file(self, _: str, name: str) -> Sink:
        """Where the next upload goes."""
        if len(self.files) >= self._settings.job_files:
            limit = self._settings.job_files
            raise ServiceError(f"a job has at most {limit} files; send several jobs", status=413)
        sink = _FileSink(self, self._path / f"{len(self.files):06d}", name)
        self.files.append(JobFile(name, None, "is not complete"))
        return sink

    def keep(self) -> None:
        """The uploads are on the disk and belong to the job from now on."""
        for path in (*self._path.iterdir(), self._path):
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        self._path = self._path.rename(self._folder.jobs / self.number)

    def discard(self) -> None:
        """Remove what was received."""
        shutil.rmtree(self._path, ignore_errors=True)


class _FileSink:
    """One upload on the disk; when it is complete its first bytes say what it is, and its ending with them."""

    def __init__(self, incoming: Incoming, path: Path, name: str) -> None:
        self._incoming, self._path, self._name = incoming, path, name
        self._index, self._head = len(incoming.files), b""
        self._digest = hashlib.blake2b(digest_size=16)
        self._file: IO[bytes] = path.open("wb")

    def write(self, data: bytes) -> None:
        if len(self._head) < HEAD:
            self._head += data[: HEAD - len(self._head)]
        self._file.write(data)
        self._digest.update(data)
        self._incoming.size += len(data)

    def close(self) -> None:
        self._file.close()
        self._incoming.files[self._index] = self._checked()

    def _checked(self) -> JobFile:
        suffix, digest = suffix_of(self._head), self._digest.hexdigest()
        settings = self._incoming._settings
        error = None
        if suffix is None:
            error = "is neither an image nor a video of a known format"
        elif suffix in _DECODED_BY_PILLOW:
            try:
                check_image(self._path, self._name, max_pixels=int(settings.max_megapixels * 1e6))
            except ImageError as problem:
                error = problem.reason
        if error is not None:
            self._path.unlink()
            return JobFile(self._name, None, error, digest)
        return JobFile(self._name, self._path.rename(self._path.with_suffix(suffix or "")).name, digest=digest)


_DECODED_BY_PILLOW = frozenset(".jpg .png .webp .gif .bmp .tif .jp2 .ppm .avif .heic".split())
