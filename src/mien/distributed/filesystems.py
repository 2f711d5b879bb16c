"""Files and folders by path or URI: local ones, and object stores through the file systems of Arrow or fsspec."""

from __future__ import annotations

import os
import time
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pyarrow as pa
from pyarrow.fs import FileInfo, FileSystem, FileType, FSSpecHandler, LocalFileSystem, PyFileSystem

from mien.errors import ImageError, InputError, MissingPackageError
from mien.media.images import MAX_BYTES
from mien.wording import in_one_line

ATTEMPTS = 3  # to read from an object store
_FIRST_WAIT_S = 0.5  # doubled each time


def is_uri(name: str) -> bool:
    """Whether a name has a scheme, as in s3://bucket/photo.jpg."""
    return "://" in name


def open_filesystem(name: str) -> tuple[FileSystem, str]:
    """The file system that holds a path or URI, and the path in it.

    Text after "?" holds options of the file system, as in s3://bucket/folder?region=eu-central-1; of web addresses
    it is part of the path. Raises `InputError` for a scheme that nobody here can open, or with a password in it.
    """
    if "\0" in name or any("\ud800" <= letter <= "\udfff" for letter in name):
        raise InputError(f"{name!r}: no name that a table can have; it must be UTF-8 without null bytes")
    if not is_uri(name):
        return LocalFileSystem(), os.path.abspath(name)
    scheme = urlsplit(name).scheme
    if scheme == "file":
        return LocalFileSystem(), unquote(urlsplit(name).path)
    if scheme in ("http", "https", "memory"):
        return _by_fsspec(name)
    location, _, options = name.partition("?")
    root, _, path = location.removeprefix(f"{scheme}://").partition("/")
    if ":" in root.rpartition("@")[0]:
        raise InputError(f"{scheme}://…@{root.rpartition('@')[2]}: no passwords in addresses; use the environment")
    try:
        files, base = _by_arrow(f"{scheme}://{root}" + (f"?{options}" if options else ""))
    except pa.ArrowInvalid:  # a scheme that Arrow does not know
        return _by_fsspec(name)
    return files, f"{base}/{path}".rstrip("/") if path else base


@lru_cache(maxsize=64)
def _by_arrow(root: str) -> tuple[FileSystem, str]:
    files, base = FileSystem.from_uri(root)
    return files, base


def _by_fsspec(uri: str) -> tuple[FileSystem, str]:
    try:
        from fsspec.core import url_to_fs
    except ModuleNotFoundError as error:
        raise MissingPackageError(f"Reading {urlsplit(uri).scheme}://", "fsspec", "ray") from error
    try:
        files, path = url_to_fs(uri)
    except (ImportError, ValueError) as error:  # its package is not installed; no such scheme
        raise InputError(f"{uri}: this kind of address cannot be opened here ({error})") from error
    return PyFileSystem(FSSpecHandler(files)), path


def shown(name: str) -> str:
    """A URI without the options of its file system, which are no part of a file's name."""
    return name if urlsplit(name).scheme in ("http", "https", "") else name.partition("?")[0]


def file_info(name: str) -> FileInfo:
    """Type, size and time of a path or URI; raises `InputError` where its file system cannot be reached."""
    try:
        files, path = open_filesystem(name)
        return files.get_file_info(path)
    except OSError as error:
        raise InputError(f"{shown(name)}: cannot be reached ({in_one_line(error, 160)})") from error


def fetch(uri: str, label: str) -> bytes:
    """The content of an image at a URI; tries again what may pass. Raises `ImageError`."""
    try:
        files, path = open_filesystem(uri)
        for attempt in range(ATTEMPTS):
            try:
                return _content(files, path, label)
            except FileNotFoundError:
                raise ImageError(label, "no such file; check the address") from None
            except PermissionError as error:
                raise ImageError(
                    label, f"may not be read ({in_one_line(error, 160)}); check the credentials"
                ) from None
            except OSError as error:
                if attempt + 1 == ATTEMPTS:
                    raise ImageError(
                        label, f"cannot be read ({in_one_line(error, 160)}), tried {ATTEMPTS} times"
                    ) from None
                time.sleep(_FIRST_WAIT_S * 2**attempt)
    except ImageError:
        raise
    except (InputError, OSError) as error:
        raise ImageError(label, in_one_line(error, 160)) from None
    raise AssertionError


def _content(files: FileSystem, path: str, label: str) -> bytes:
    with files.open_input_file(path) as file:
        if file.size() > MAX_BYTES:
            raise ImageError(
                label, f"has {file.size() >> 20} MiB; at most {MAX_BYTES >> 20} are read: make it smaller"
            )
        content: bytes = file.read()
        return content


def state_of(info: FileInfo) -> tuple[int | None, int | None]:
    """Size in bytes and time of the last change in ns, as far as the file system tells."""
    return (info.size, info.mtime_ns) if info.type == FileType.File else (None, None)


def is_local(name: str) -> bool:
    """Whether a path or URI is a file of this machine."""
    return not is_uri(name) or name.startswith("file://")


def local_path(name: str) -> Path:
    """The absolute path of what `is_local`."""
    return Path(open_filesystem(name)[1])
