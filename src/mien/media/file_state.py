"""What tells a file from its later versions: its content, which need not be read where the system saw no change."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Sequence
from pathlib import Path

Stamp = tuple[int, int, int]  # size in bytes, time of the last change in ns, the system's own time of it (ctime)
FileState = tuple[int, int, int, str]  # the stamp, and a BLAKE2b of the content
_HASHED_BYTES = 1 << 30  # larger files: this much of them, in blocks spread evenly from head to tail
_BLOCK_BYTES = 1 << 20
_CTIME_IS_CHANGE = os.name == "posix"  # elsewhere it is the time of creation


def sha256(path: Path) -> str:
    """Of a file's whole content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_stamp(path: str) -> Stamp | None:
    """None where there is no file."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def file_state(path: str, stamp: Stamp | None = None) -> FileState | None:
    """None where there is no file, or where it has changed since its `stamp`."""
    before = file_stamp(path) if stamp is None else stamp
    if before is None:
        return None
    try:
        digest = _digest(path)
    except (OSError, ValueError):
        return None
    return (*before, digest) if file_stamp(path) == before else None


def unchanged(path: str, state: Sequence[object] | None) -> bool:
    """Whether a file is what it was in this state, a list of JSON; one that was only moved or copied is."""
    now = file_stamp(path)
    if now is None or state is None or len(state) != len(now) + 1 or state[0] != now[0]:
        return False
    if _CTIME_IS_CHANGE and tuple(state[:-1]) == now:
        return True
    return has_content(path, state)


def has_content(path: str, state: Sequence[object]) -> bool:
    """Whether a file holds what a file in this state held, whatever its times."""
    try:
        return state[-1] == _digest(path)
    except (OSError, ValueError):
        return False


def _digest(path: str) -> str:
    """Of a regular file's content; of others, such as pipes, of nothing."""
    digest = hashlib.blake2b(digest_size=16)
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        return ""
    with open(path, "rb", buffering=0) as file:
        if status.st_size <= _HASHED_BYTES:
            return hashlib.file_digest(file, lambda: digest).hexdigest()
        blocks = _HASHED_BYTES // _BLOCK_BYTES
        for block in range(blocks):
            file.seek(block * (status.st_size - _BLOCK_BYTES) // (blocks - 1))
            digest.update(file.read(_BLOCK_BYTES))
    return digest.hexdigest()
