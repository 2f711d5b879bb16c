"""One process at a time writes a file."""

from __future__ import annotations

from typing import IO


def lock(file: IO[bytes]) -> bool:
    """Hold an open file until this process closes it; False: another process holds it.

    True, too, where the system or the file system has no such locks.
    """
    try:
        import fcntl
    except ModuleNotFoundError:  # Windows
        return True
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        pass
    return True
