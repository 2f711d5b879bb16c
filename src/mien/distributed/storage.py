"""The folder of a collection, on disks that all machines share or in an object store."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow.fs import FileSelector, FileSystem, FileType

from mien.distributed.filesystems import is_local, local_path, open_filesystem, shown
from mien.errors import OutputError
from mien.media.atomic import atomic_write
from mien.media.disk import is_disk_full, plain_disk_errors
from mien.wording import in_one_line


class Storage:
    """Small files below one folder, each there complete or not at all. Pickled, it is opened again."""

    def __init__(self, uri: str) -> None:
        self.uri = str(local_path(uri)) if is_local(uri) else uri
        self._local = Path(self.uri) if is_local(uri) else None
        self._files: FileSystem
        self._files, self._root = open_filesystem(self.uri)

    def __reduce__(self) -> tuple[object, ...]:
        return Storage, (self.uri,)

    def __str__(self) -> str:
        return shown(self.uri)

    def read(self, name: str) -> bytes | None:
        """The content; None where there is no such file."""
        try:
            with self._files.open_input_file(f"{self._root}/{name}") as file:
                content: bytes = file.read()
                return content
        except FileNotFoundError:
            return None
        except OSError as error:
            raise OutputError(f"{self}/{name}: cannot be read ({in_one_line(error)})") from error

    def open(self, name: str) -> pa.NativeFile | None:
        """The file, for who wants a piece of it; None where there is none."""
        try:
            return self._files.open_input_file(f"{self._root}/{name}")
        except FileNotFoundError:
            return None

    def write(self, name: str, content: bytes) -> None:
        """A file in one step. Raises `OutputError` for a full disk or a folder that may not be written to."""
        with plain_disk_errors(Path(str(self)), option="--output"):
            if self._local is not None:
                path = self._local / name
                path.parent.mkdir(parents=True, exist_ok=True)
                atomic_write(path, content)
                return
            try:
                with self._files.open_output_stream(f"{self._root}/{name}") as file:
                    file.write(content)
            except OSError as error:
                if is_disk_full(error):
                    raise
                raise OutputError(f"{self}: cannot be written ({in_one_line(error)})") from error

    def names(self, folder: str = "") -> list[str]:
        """The files directly in a folder; of the collection's own where none is named."""
        selector = FileSelector(f"{self._root}/{folder}".rstrip("/"), allow_not_found=True)
        return sorted(i.base_name for i in self._files.get_file_info(selector) if i.type == FileType.File)

    def empty(self) -> bool:
        """Whether there is nothing in it, or no folder at all."""
        return not self._files.get_file_info(FileSelector(self._root, allow_not_found=True))

    def delete(self, name: str) -> None:
        """Remove one file, if it is there."""
        try:
            self._files.delete_file(f"{self._root}/{name}")
        except FileNotFoundError:
            return
        except OSError as error:
            if self._files.get_file_info(f"{self._root}/{name}").type != FileType.NotFound:
                raise OutputError(f"{self}/{name}: cannot be removed ({error})") from error

    def read_json(self, name: str) -> Any:
        """Plain values, or None where there is no such file; raises `OutputError` for what is no JSON."""
        content = self.read(name)
        try:
            return None if content is None else json.loads(content)
        except ValueError as error:
            raise OutputError(f"{self}/{name} is damaged; remove {self}, or choose another output") from error

    def write_json(self, name: str, value: Any) -> None:
        """Plain values as one file."""
        self.write(name, json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogateescape") + b"\n")

    def check(self) -> None:
        """Raises `OutputError` where no folder can be made."""
        if self._local is None:
            return
        if self._local.is_file():
            raise OutputError(f"{self} is a file; the parts of a collection need a folder")
        if not self._local.parent.is_dir():
            raise OutputError(f"{self}: the folder {self._local.parent} does not exist; make it first")
        with plain_disk_errors(self._local, option="--output"):
            os.makedirs(self._local, exist_ok=True)
