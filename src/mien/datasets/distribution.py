"""The files of a distribution: a folder as it was unpacked, or a zip archive read in place."""

from __future__ import annotations

import csv
import os
import posixpath
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import IO

from mien.errors import DataError, InputError

BROKEN = (OSError, EOFError, zipfile.BadZipFile, zlib.error)  # what reading a damaged file raises


class Distribution:
    """Names and bytes below one place. Names are relative, with forward slashes.

    `root`: a folder, a .zip file, or a .csv file for its folder with that table `chosen`; raises `InputError` for
    anything else. `prefix`: the part of it to look at.
    """

    def __init__(self, root: str | os.PathLike[str], *, prefix: str = "") -> None:
        self.root, self.prefix = Path(root), prefix
        if not self.root.exists():
            raise InputError(f"{self.root} does not exist; give the folder (or .zip) that the set was unpacked to")
        self.chosen = ""
        if self.root.is_file() and self.root.suffix.lower() == ".csv":
            self.root, self.chosen = self.root.parent, self.root.name
        self.zipped = self.root.is_file()
        if self.zipped and not zipfile.is_zipfile(self.root):
            raise InputError(f"{self.root} is neither a folder nor a zip archive; unpack it and give its folder")
        self._archive: tuple[int, zipfile.ZipFile, dict[str, zipfile.ZipInfo]] | None = None

    def __reduce__(self) -> tuple[object, ...]:
        return _again, (self.root, self.prefix)  # an open archive does not travel between processes

    def __str__(self) -> str:
        return str(self.root / self.prefix)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Every file, sorted. Hidden ones and what macOS adds to archives are left out."""
        if self.zipped:
            archive, _ = self._zip()
            names = [name for info in archive.infolist() if not (name := _forward(info)).endswith("/")]
        else:
            names = []
            top = self.root / self.prefix
            for folder, folders, here in os.walk(top, followlinks=True, onerror=_refuse):
                folders[:] = [name for name in folders if name[0] != "." and not _leads_back(top, folder, name)]
                inside = Path(folder).relative_to(self.root).as_posix()
                names += [name if inside == "." else f"{inside}/{name}" for name in here]
        cut = len(self.prefix)
        visible = [name[cut:] for name in names if name.startswith(self.prefix)]
        return tuple(sorted(name for name in visible if "__MACOSX" not in name and "/." not in f"/{name}"))

    def folders(self) -> list[str]:
        """Every folder that is not hidden, sorted, empty ones too."""
        if self.zipped:
            archive, _ = self._zip()
            names = [name for info in archive.infolist() if (name := _forward(info)).endswith("/")]
            there = {name[len(self.prefix) : -1] for name in names if name.startswith(self.prefix)}
        else:
            top = self.root / self.prefix
            there = set()
            for folder, inner, _ in os.walk(top, followlinks=True):
                inner[:] = [name for name in inner if name[0] != "." and not _leads_back(top, folder, name)]
                there.add(Path(folder).relative_to(top).as_posix())
        for name in self.names:
            parts = name.split("/")[:-1]
            there |= {"/".join(parts[:depth]) for depth in range(1, len(parts) + 1)}
        return sorted(name for name in there - {"", "."} if "__MACOSX" not in name and "/." not in f"/{name}")

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.names)

    @cached_property
    def _top(self) -> str:
        """What stands before a name on the disk."""
        return os.path.join(self.root, self.prefix)

    def __contains__(self, name: str) -> bool:
        return name in self._known

    def holding(self, marker: str) -> Distribution | None:
        """The part in which `marker` (a file or a folder) lies: here or further down; None where it is nowhere.

        People point at the folder above the one that a set's documents call its root.
        """
        inside = [f"/{name}" for name in self.names]
        for wanted in (f"/{marker}/", f"/{marker}"):
            ends = [name.find(wanted) for name in inside if wanted in f"{name}" and _complete(name, wanted)]
            if ends:
                position = min(ends)
                name = next(name for name in inside if name.find(wanted) == position and _complete(name, wanted))
                return self._part(name[1 : position + 1])
        return None

    def together(self, *markers: str) -> Distribution | None:
        """The innermost part in which all those markers lie that are there at all; None where none is.

        For sets whose lists and images come in separate archives, which people unpack side by side or nested.
        """
        parts = [part.prefix for marker in markers if (part := self.holding(marker)) is not None]
        if not parts:
            return None
        shared = posixpath.commonpath(parts)
        return self._part(f"{shared}/"[len(self.prefix) :] if shared else "")

    def folder(self, marker: str) -> str | None:
        """What to put before `marker` to have its uppermost place; None where it is nowhere."""
        part = self.holding(marker)
        return None if part is None else part.prefix[len(self.prefix) :]

    def open(self, name: str) -> IO[bytes]:
        """One file, to be read piece by piece; raises `DataError` that names it."""
        with self._naming(name):
            if self.zipped:
                archive, infos = self._zip()
                return archive.open(infos[self.prefix + name])
            return open(self._top + name, "rb")

    def read(self, name: str) -> bytes:
        """The bytes of one file; raises `DataError` that names it."""
        with self._naming(name):
            if self.zipped:
                archive, infos = self._zip()
                return archive.read(infos[self.prefix + name])
            return _content(self._top + name)

    @contextmanager
    def _naming(self, name: str) -> Iterator[None]:
        """What is wrong with a file becomes a `DataError`."""
        try:
            yield
        except (KeyError, FileNotFoundError):
            raise DataError(f"{self}: {name} is not there") from None
        except (*BROKEN, RuntimeError) as error:
            raise DataError(f"{self}: {name} cannot be read ({error})") from error

    def text(self, name: str) -> str:
        """One file as text: UTF-8, with or without its mark, or Latin-1."""
        return _decoded(self.read(name))

    def lines(self, name: str) -> Iterator[tuple[int, str]]:
        """(number from 1, line) for each line that is not empty."""
        for number, line in enumerate(self.text(name).splitlines(), start=1):
            if line.strip():
                yield number, line.strip()

    def rows(self, name: str, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
        """(line number, row) of a table with a header; raises `DataError` where a column is absent.

        Values are stripped; a row that is too short has "" in its last columns. Tables of any size are read
        line by line.
        """
        with self.open(name) as file:
            try:
                yield from self._rows(name, columns, file)
            except (csv.Error, *BROKEN) as error:
                raise DataError(f"{self}: {name} cannot be read as a table ({error})") from error

    def _rows(self, name: str, columns: Sequence[str], file: IO[bytes]) -> Iterator[tuple[int, dict[str, str]]]:
        reader = csv.DictReader(map(_decoded, file), restval="", skipinitialspace=True)
        header = [column.strip() for column in reader.fieldnames or []]
        if absent := [column for column in columns if column not in header]:
            present = ", ".join(header)[:200] or "nothing"
            raise DataError(f"{self}: {name}:1: column {', '.join(absent)} is missing; found {present}")
        reader.fieldnames = header
        for row in reader:
            yield reader.line_num, {key: (value or "").strip() for key, value in row.items() if key}

    def _part(self, inside: str) -> Distribution:
        """What lies below `inside`, without looking at the disk again."""
        if not inside:
            return self
        part = Distribution(self.root, prefix=self.prefix + inside)
        part.__dict__["names"] = tuple(name[len(inside) :] for name in self.names if name.startswith(inside))
        part._archive = self._archive
        return part

    def _zip(self) -> tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]:
        """The archive, opened once in each process, and its members by name."""
        if self._archive is None or self._archive[0] != os.getpid():
            try:
                archive = zipfile.ZipFile(self.root)
            except (OSError, zipfile.BadZipFile) as error:
                raise DataError(f"{self.root}: the archive cannot be opened ({error}); fetch it again") from error
            self._archive = os.getpid(), archive, {_forward(info): info for info in archive.infolist()}
        return self._archive[1:]


def _forward(info: zipfile.ZipInfo) -> str:
    """A member's name with forward slashes; some programs of Windows write others."""
    return info.filename.replace("\\", "/")


def _refuse(error: OSError) -> None:
    """A folder that cannot be listed would lack its images without a word."""
    raise DataError(f"{error.filename} cannot be listed ({error.strerror}); allow reading it") from error


def _leads_back(top: Path, folder: str, name: str) -> bool:
    """Whether a folder is a link to one that it lies in, by its path or on the disk: its files would repeat."""
    link = os.path.join(folder, name)
    if not os.path.islink(link):
        return False
    target, path = os.path.realpath(link), Path(folder)
    passed = {os.path.realpath(above) for above in (path, *path.parents) if above.is_relative_to(top)}
    return target in passed or Path(os.path.realpath(folder)).is_relative_to(target)


def _content(path: str) -> bytes:
    """A whole file by the system's own calls: sets of a million small files take half the time of `open`."""
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        pieces = []
        while piece := os.read(handle, 1 << 20):
            pieces.append(piece)
        return b"".join(pieces)
    finally:
        os.close(handle)


def _decoded(raw: bytes) -> str:
    """Text of a table: UTF-8, with or without its mark, or Latin-1."""
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _again(root: Path, prefix: str) -> Distribution:
    return Distribution(root, prefix=prefix)


def _complete(name: str, wanted: str) -> bool:
    """A folder counts anywhere; a file only at the end of a name."""
    return wanted.endswith("/") or name.endswith(wanted)
