"""What to predict: folders, lists and Parquet columns of addresses, here or in an object store, file by file."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.dataset as arrow_dataset
from pyarrow.fs import FileSelector, FileSystem, FileType

from mien.distributed.filesystems import file_info, is_local, is_uri, local_path, open_filesystem, shown, state_of
from mien.errors import ImageError, InputError
from mien.media.sniff import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from mien.pipeline.batch import images_of
from mien.pipeline.image_files import name_of
from mien.wording import in_one_line

LIST_SUFFIXES = (".txt", ".lst")
_INT64 = (1 << 63) - 1
_REMOTE_VIDEO = "is a video in an object store; videos are read from folders that all machines share"


@dataclass(frozen=True, slots=True)
class Source:
    """One image or video, or what stands in its place."""

    name: str  # in the column `source` of the table
    address: bytes  # an absolute path or a URI
    size: int | None = None  # bytes; None: not known before it is read
    changed_ns: int | None = None
    error: str | None = None  # why it cannot be read, where that is known already
    inode: int | None = None  # of a file of this machine

    @property
    def file(self) -> str | None:
        """What a file keeps when it is renamed; None where that is not known."""
        return None if self.inode is None else f"{self.inode}\0{self.size}\0{self.changed_ns}"

    @property
    def path(self) -> str | None:
        """The absolute path of a file of this machine; None for others."""
        address = os.fsdecode(self.address)
        return address if address and is_local(address) else None

    @property
    def is_video(self) -> bool:
        """By its ending."""
        return _suffix(self.name) in VIDEO_SUFFIXES


def sources_of(given: Iterable[str], *, column: str | None = None) -> Iterator[Source]:
    """Every image and video of the given files, folders, lists (.txt: one address a line) and Parquet files, once.

    `column`: which column of a Parquet file, or of a folder of them, holds the addresses. Relative paths in lists
    are taken from the current folder. Raises `InputError` for what is not there at all.
    """
    seen = Seen()
    for name in given:
        for source in _of_one(name, column):
            if seen.add(shown(os.fsdecode(source.address))):  # however a path is written
                yield source


def _of_one(name: str, column: str | None) -> Iterator[Source]:
    suffix = _suffix(shown(name))
    folder = file_info(name).type == FileType.Directory if is_uri(name) else os.path.isdir(name)
    if suffix == ".parquet" or (folder and column is not None):
        return _of_parquet(name, column)
    if suffix in LIST_SUFFIXES and not folder:
        return _of_list(name)
    if folder and not is_local(name):
        return _of_remote_folder(name)
    if is_uri(name) and not is_local(name):
        return iter([_remote(name, *state_of(file_info(name)))])
    return _of_this_machine(name)


def _of_this_machine(name: str) -> Iterator[Source]:
    path = str(local_path(name)) if is_uri(name) else name
    for item in images_of([path]):
        if isinstance(item, ImageError):
            yield Source(name_of(item), os.fsencode(os.path.abspath(item.source)), error=item.reason)
        else:
            yield _local(item)


def _local(path: str) -> Source:
    name, address = name_of(path), os.fsencode(os.path.abspath(path))
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return Source(name, address)
    return Source(name, address, status.st_size, status.st_mtime_ns, inode=status.st_ino & _INT64)


def _of_remote_folder(uri: str) -> Iterator[Source]:
    files, root = open_filesystem(uri)
    base = shown(uri).rstrip("/")
    options = uri[len(shown(uri)) :]
    for path, size, changed in _walk(files, root):
        name = f"{base}/{path[len(root) :].lstrip('/')}"
        if _suffix(path) in IMAGE_SUFFIXES | VIDEO_SUFFIXES:
            yield _remote(name + options, size, changed)


def _remote(uri: str, size: int | None = None, changed_ns: int | None = None) -> Source:
    address = uri.encode("utf-8", "surrogateescape")
    error = _REMOTE_VIDEO if _suffix(shown(uri)) in VIDEO_SUFFIXES else None
    return Source(shown(uri), address, size, changed_ns, error)


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()


def _walk(files: FileSystem, folder: str) -> Iterator[tuple[str, int | None, int | None]]:
    """Files below a folder with their states, folder by folder, sorted; hidden ones are left out."""
    infos = sorted(files.get_file_info(FileSelector(folder)), key=lambda info: info.path)
    shown_infos = [info for info in infos if not info.base_name.startswith(".")]
    for info in shown_infos:
        if info.type == FileType.File:
            yield info.path, *state_of(info)
    for info in shown_infos:
        if info.type == FileType.Directory and info.path.rstrip("/") != folder.rstrip("/"):
            yield from _walk(files, info.path)


def _of_list(name: str) -> Iterator[Source]:
    files, path = open_filesystem(name)
    try:
        stream = files.open_input_stream(path)
    except FileNotFoundError:
        raise InputError(f"{shown(name)}: no such list; check the path") from None
    with stream:
        rest = stream.read(3).removeprefix(b"\xef\xbb\xbf")
        while chunk := stream.read(1 << 20):
            *lines, rest = (rest + chunk).split(b"\n")
            yield from _of_lines(lines)
        yield from _of_lines(rest.split(b"\n"))


def _of_lines(lines: Iterable[bytes]) -> Iterator[Source]:
    for line in lines:
        if line := line.rstrip(b"\r"):
            yield _listed(os.fsdecode(line))


def _listed(address: str) -> Source:
    """An entry of a list. What a URI leads to is not known before it is read."""
    if is_local(address):
        return _local(str(local_path(address)) if is_uri(address) else address)
    return _remote(address)


def _of_parquet(name: str, column: str | None) -> Iterator[Source]:
    files, path = open_filesystem(name)
    try:
        table = arrow_dataset.dataset(path, filesystem=files, format="parquet")
    except FileNotFoundError:
        raise InputError(f"{shown(name)}: no such file; check the path") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{shown(name)} is no Parquet ({in_one_line(error, 160)})") from error
    chosen = _column(table.schema, column, shown(name))
    row = 0
    for batch in table.to_batches(columns=[chosen]):
        for address in batch.column(0).to_pylist():
            row += 1
            if address:
                yield _listed(address)
            else:
                yield Source(f"{shown(name)}: row {row}", b"", error=f"has nothing in the column {chosen}")


def _column(columns: pa.Schema, column: str | None, name: str) -> str:
    texts = [field.name for field in columns if _is_text(field.type)]
    if column is None and len(texts) == 1:
        return str(texts[0])
    if column in texts:
        return str(column)
    problem = "say which column holds the addresses" if column is None else f"there is no text column {column!r}"
    raise InputError(f"{name}: {problem}; --column takes one of: {', '.join(texts) or 'none, it has no text'}")


def _is_text(kind: pa.DataType) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


class Seen:
    """Which of very many texts came before: 16 bytes each in sorted arrays, each longer than the next."""

    def __init__(self, recent: int = 1 << 16) -> None:
        self._most_recent = recent
        self._recent: set[bytes] = set()
        self._sorted: list[np.ndarray] = []

    def __contains__(self, text: str) -> bool:
        return self._holds(_digest(text))

    def add(self, text: str) -> bool:
        """Whether it is new."""
        digest = _digest(text)
        if self._holds(digest):
            return False
        self._recent.add(digest)
        if len(self._recent) >= self._most_recent:
            self._settle()
        return True

    def _holds(self, digest: bytes) -> bool:
        if digest in self._recent:
            return True
        key = np.frombuffer(digest, dtype="S16")
        for array in self._sorted:
            position = int(np.searchsorted(array, key)[0])
            if position < len(array) and array[position : position + 1] == key:
                return True
        return False

    def _settle(self) -> None:
        array = np.sort(np.frombuffer(b"".join(self._recent), dtype="S16"))
        self._recent.clear()
        while self._sorted and len(self._sorted[-1]) <= len(array):
            array = np.sort(np.concatenate([self._sorted.pop(), array]), kind="stable")
        self._sorted.append(array)


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).digest()
