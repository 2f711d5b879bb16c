"""Pictures whose folder is named after their class: what CAER-S, SFEW and copies of FER2013 have in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from mien.data.samples import Collector
from mien.labels import expression_called
from mien.media.images import PICTURE_SUFFIXES


def is_picture(name: str) -> bool:
    """By its suffix; thumbnails of the file manager and texts are not meant."""
    return name.lower().endswith(tuple(PICTURE_SUFFIXES))


def add_class_folders(rows: Collector, pictures: Iterable[tuple[str, str, Mapping[str, str]]]) -> None:
    """Add (name, split, further columns) for pictures `.../<class>/<file>`; a folder of no class is one problem."""
    strange: Counter[str] = Counter()
    for name, split, more in pictures:
        folder = name.rpartition("/")[0]
        label = expression_called(folder.rpartition("/")[2])
        if label is None or label not in rows.labels:
            strange[folder] += 1
        else:
            rows.add(name, label, where=name, split=split, **more)
    for folder, count in strange.items():
        rows.label_problem(f"{folder} ({count} pictures)", folder.rpartition("/")[2])


def note_absent(rows: Collector, splits: Iterable[str], found: Iterable[str]) -> None:
    """Note the splits of which there is no picture, for sets that have no list; nothing at all is a problem."""
    there = set(found)
    absent = [split for split in splits if split not in there]
    if not there:
        rows.problem(
            "missing file", str(rows.files), "no picture in a folder of the set's layout", "unpack the set"
        )
    for split in absent if there else []:
        rows.note(f"no picture of the {split} split is there; unpack it to have it")
