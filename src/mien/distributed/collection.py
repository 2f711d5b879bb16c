"""A collection's folder: which images each part holds, with which settings, and which parts are there.

    OUTPUT/part-000000.parquet ...       the table in parts; readers of Parquet take the folder as one table
    OUTPUT/_mien/run.json                settings and sources
    OUTPUT/_mien/inputs/part-000000.parquet ...   the images of each part
    OUTPUT/_mien/plan.json               digest and number of each part's images; written when all are listed
    OUTPUT/_mien/complete.json           counts; written when all parts are there

A part names in its metadata the digest of the images and settings it was made from, so that whoever made it, and
however often, a part is finished or it is not.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import groupby, islice
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mien.distributed.sources import Seen, Source
from mien.distributed.storage import Storage
from mien.errors import InputError, OutputError
from mien.media.resume import differences
from mien.media.work import map_bounded

FORMAT = 1
_OWN = "_mien"
_RUN, _PLAN, _COMPLETE = (f"{_OWN}/{name}.json" for name in ("run", "plan", "complete"))
_INPUTS = pa.schema(
    [
        ("name", pa.string()),
        ("address", pa.binary()),
        ("size", pa.int64()),
        ("changed_ns", pa.int64()),
        ("error", pa.string()),
        ("inode", pa.int64()),
    ]
)
_KEY = b"mien"  # of a part's metadata


@dataclass(frozen=True, slots=True)
class PartInfo:
    """What a finished part says of itself."""

    made_from: str  # digest of settings and images
    images: int
    faces: int
    errors: int  # images that could not be read


@dataclass(frozen=True, slots=True)
class PartTask:
    """A part to be made. `again`: it is there, and only its images with an error are to be read again."""

    index: int
    again: bool


class Planned(NamedTuple):
    """A part as it is planned."""

    made_from: str
    images: int


def part_name(index: int) -> str:
    """The file of a part."""
    return f"part-{index:06d}.parquet"


class Collection:
    """Plan and progress of one collection in its folder.

    `settings`: everything that decides the rows. Raises `OutputError` where the folder holds something else, or a
    collection that was begun with other settings; `overwrite` starts over.
    """

    def __init__(
        self, storage: Storage, settings: Mapping[str, Any], given: Mapping[str, Any], *, overwrite: bool = False
    ) -> None:
        self.storage, self.settings, self._given = storage, dict(settings), dict(given)
        self.others = 0  # images of earlier calls that this one does not name
        storage.check()
        run = storage.read_json(_RUN)
        if run is None and not storage.empty():
            raise OutputError(f"{storage} is not empty and no collection of mien; choose another folder")
        if overwrite and run is not None:
            self._clear()
            run = None
        if run is not None:
            self._check(run)
        self._parts = [Planned(*part) for part in storage.read_json(_PLAN) or []]

    def _check(self, run: Mapping[str, Any]) -> None:
        if changes := differences(run["settings"], self.settings):
            raise OutputError(
                f"{self.storage} was begun with other weights or settings ({'; '.join(changes[:3])}); "
                "use --overwrite, or another output"
            )
        if self.complete is None and (changes := differences(run["given"], self._given)):
            raise OutputError(
                f"{self.storage} was begun for other sources ({'; '.join(changes[:3])}); finish it first, use "
                "--overwrite, or choose another output"
            )

    def _clear(self) -> None:
        for folder in ("", f"{_OWN}/inputs"):
            for name in self.storage.names(folder):
                if name.startswith("part-"):
                    self.storage.delete(f"{folder}/{name}".lstrip("/"))
        for name in (_COMPLETE, _PLAN, _RUN):
            self.storage.delete(name)

    @property
    def complete(self) -> dict[str, int] | None:
        """The counts of a complete collection; None of one that is not."""
        counts: dict[str, int] | None = self.storage.read_json(_COMPLETE)
        return counts

    def plan(self, sources: Iterable[Source], *, images_per_part: int) -> None:
        """Divide the sources into parts, unless an interrupted run has done so; a video is a part of its own.

        Of a complete collection images that are new go into further parts, and parts whose files have changed or
        were renamed are made again. Raises `InputError` where there is no image, `OutputError` for a file that the
        collection has under another name, from another folder, say.
        """
        if self._parts and self.complete is None:
            return
        changed: dict[str, Source | None] = {}
        remaining = self._news(sources, changed) if self._parts else iter(sources)
        parts = list(self._parts)
        for chunk in _chunks(remaining, images_per_part):
            if not parts:
                self.storage.write_json(_RUN, self._run())
            parts.append(self._write_inputs(len(parts), chunk))
        if not parts:
            raise InputError("no image there; name images, folders, lists or Parquet files with some")
        replaced = {i: self._replaced(i, changed) for i in range(len(self._parts) if changed else 0)}
        again = {i: now for i, now in replaced.items() if now is not None}
        for index, now in again.items():
            parts[index] = Planned(made_from(now, self.settings), len(now))
        if parts == self._parts and not again:
            return
        # A kill between any two of these steps leaves a collection that the next run takes for complete, and lists.
        self.storage.write_json(_RUN, self._run())
        self.storage.write_json(_PLAN, parts)
        for index, now in again.items():
            self._write_inputs(index, now)
        self.storage.delete(_COMPLETE)
        self._parts = parts

    def _run(self) -> dict[str, Any]:
        return {"format": FORMAT, "settings": self.settings, "given": self._given}

    def _news(self, sources: Iterable[Source], changed: dict[str, Source | None]) -> Iterator[Source]:
        """Sources that no part holds. What becomes of those of parts is put into `changed`: files that are others
        now, or renamed since, and None for one that was renamed to the name of another.

        Counts `others`.
        """
        names, states, paths, files, given = (Seen() for _ in range(5))
        for source in self._planned():
            names.add(source.name)
            states.add(_state(source))
            paths.add(source.path or source.name)
            files.add(source.file or source.name)
        self.others = sum(self.sizes())
        renamed: dict[str, list[Source]] = {}  # what may be a file of a part under a new name
        for source in sources:
            given.add(source.name)
            known = source.name in names
            if known:
                self.others -= 1
                if (source.size is None and not source.error) or _state(source) in states:
                    continue
                changed[source.name] = source
            elif source.path is not None and source.path in paths:
                raise self._twice(next(one.name for one in self._planned() if one.path == source.path), source)
            if source.file is not None and source.file in files:
                renamed.setdefault(source.file, []).append(source)
            elif not known:
                yield source
        for before in self._planned() if renamed else ():
            if before.name in given or not (those := renamed.get(before.file or "")):
                continue
            if before.path is not None and os.path.exists(before.path):
                raise self._twice(before.name, those[0])
            now = those.pop(0)
            self.others -= 1
            changed[before.name] = None if now.name in names else now
        yield from (one for those in renamed.values() for one in those if one.name not in names)

    def _planned(self) -> Iterator[Source]:
        return (source for index in range(len(self._parts)) for source in self.inputs(index))

    def _twice(self, before: str, now: Source) -> OutputError:
        return OutputError(
            f"{self.storage} has {before}, which is given as {now.name} now and would count twice; "
            "give it as before, or use --overwrite"
        )

    def _replaced(self, index: int, changed: Mapping[str, Source | None]) -> list[Source] | None:
        """The images of a part with those that changed; None where none of them did."""
        before = self.inputs(index)
        now = [one for source in before if (one := changed.get(source.name, source)) is not None]
        return None if now == before else now

    def _write_inputs(self, index: int, sources: Sequence[Source]) -> Planned:
        table = pa.Table.from_pylist([asdict(source) for source in sources], schema=_INPUTS)
        file = pa.BufferOutputStream()
        pq.write_table(table, file)
        self.storage.write(f"{_OWN}/inputs/{part_name(index)}", file.getvalue().to_pybytes())
        return Planned(made_from(sources, self.settings), len(sources))

    def inputs(self, index: int) -> list[Source]:
        """The images of a part."""
        return read_inputs(self.storage, index)

    def remaining(self) -> list[PartTask]:
        """The parts that are not there, and those with images that could not be read."""
        there = set(self.storage.names())
        wanted = [(index, part.made_from, part_name(index) in there) for index, part in enumerate(self._parts)]
        tasks = map_bounded(self._task, wanted, workers=16)
        return [task for task in tasks if task is not None]

    def _task(self, wanted: tuple[int, str, bool]) -> PartTask | None:
        index, digest, there = wanted
        info = read_info(self.storage, index) if there else None
        if info is None or info.made_from != digest:
            return PartTask(index, again=False)
        return PartTask(index, again=True) if info.errors else None

    def sizes(self) -> list[int]:
        """Images of each part."""
        return [part.images for part in self._parts]

    def finish(self) -> dict[str, int]:
        """Check that every part is there, and say so in the folder; returns images, faces, errors and parts.

        Raises `OutputError` for parts that are missing.
        """
        infos = list(map_bounded(lambda i: read_info(self.storage, i), range(len(self._parts)), workers=16))
        missing = [
            part_name(i)
            for i, (info, part) in enumerate(zip(infos, self._parts, strict=True))
            if info is None or info.made_from != part.made_from
        ]
        if missing:
            raise OutputError(
                f"{self.storage}: {len(missing)} parts are not there, {missing[0]} among them; is it a folder that "
                "all machines share? Run the same command again"
            )
        present = [info for info in infos if info is not None]
        counts = {name: sum(getattr(info, name) for info in present) for name in ("images", "faces", "errors")}
        counts["parts"] = len(present)
        if self.complete != counts:
            self.storage.write_json(_COMPLETE, counts)
        return counts

    def unread(self, most: int) -> Iterator[tuple[str, str]]:
        """Name and error of images that could not be read, at most so many of them."""
        for index in range(len(self._parts)):
            info = read_info(self.storage, index) if most > 0 else None
            if info is not None and info.errors:
                file = pa.BufferReader(self.storage.read(part_name(index)))
                rows = pq.read_table(file, columns=["source", "error"], filters=pc.is_valid(pc.field("error")))
                for row in rows.slice(0, most).to_pylist():
                    most -= 1
                    yield row["source"], row["error"]


def _chunks(sources: Iterable[Source], images: int) -> Iterator[list[Source]]:
    """Sources in parts of so many images; each video is a part of its own."""
    for video, group in groupby(sources, key=lambda source: source.is_video and source.error is None):
        while chunk := list(islice(group, 1 if video else images)):
            yield chunk


def read_inputs(storage: Storage, index: int) -> list[Source]:
    """The images of a part, as planned; raises `OutputError` where this machine does not see the plan."""
    content = storage.read(f"{_OWN}/inputs/{part_name(index)}")
    if content is None:
        raise OutputError(f"{storage} is not the same folder on every machine; choose one that all share")
    names = [field.name for field in fields(Source)]
    rows = pq.read_table(pa.BufferReader(content), schema=_INPUTS).to_pylist()
    return [Source(*(row[name] for name in names)) for row in rows]


def made_from(sources: Iterable[Source], settings: Mapping[str, Any]) -> str:
    """The digest of images and settings, hexadecimal."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode())
    for source in sources:
        digest.update(f"{_state(source)}\0{source.error}\0".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:24]


def _state(source: Source) -> str:
    return f"{source.name}\0{source.size}\0{source.changed_ns}"


def write_part(storage: Storage, index: int, table: pa.Table, info: PartInfo) -> None:
    """The rows of a part with what it says of itself."""
    file = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata({_KEY: json.dumps(asdict(info))}), file)
    storage.write(part_name(index), file.getvalue().to_pybytes())


def read_info(storage: Storage, index: int) -> PartInfo | None:
    """What a part says of itself; None where it is missing or damaged."""
    file = storage.open(part_name(index))
    if file is None:
        return None
    try:
        with file:
            return PartInfo(**json.loads(pq.read_schema(file).metadata[_KEY]))
    except (pa.ArrowInvalid, OSError, ValueError, KeyError, TypeError):
        return None
