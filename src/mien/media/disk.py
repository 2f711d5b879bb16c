"""Errors of the disk in words that say what to do."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile

from mien.errors import OutputError

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


def is_disk_full(error: BaseException) -> bool:
    """Whether an error, or what it comes from, is that of a full disk."""
    return any(isinstance(one, OSError) and one.errno in _DISK_FULL for one in (error, error.__cause__))


def disk_full(output: Path) -> OutputError:
    """The error for a disk that fills while something is written that can be resumed."""
    return OutputError(f"{output}: the disk is full; free some space and run this again, what is finished is kept")


def check_folder(folder: Path, output: Path) -> None:
    """Raises `OutputError`, which names `output`, for a folder in which this user cannot make files."""
    try:
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        if is_disk_full(error):
            raise OutputError(f"{output}: the disk is full; free some space, or choose another place") from error
        reason = error.strerror or error
        raise OutputError(f"{output}: no file can be made in {folder} ({reason}); choose another place") from error


@contextlib.contextmanager
def plain_disk_errors(output: Path, *, option: str) -> Iterator[None]:
    """System errors of writing as `OutputError` with the remedy; `option` is what chooses another place."""
    try:
        yield
    except OSError as error:
        if is_disk_full(error):
            raise disk_full(output) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise OutputError(f"{output}: the folder may not be written to; choose another {option}") from error
        raise OutputError(f"{output}: cannot be written ({error.strerror or error})") from error
