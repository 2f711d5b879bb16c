"""Images whose folder is named after their class: what CAER-S, SFEW and copies of FER2013 have in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping

from mien.datasets.samples import Collector
from mien.labels import expression_called
from mien.media.sniff import IMAGE_SUFFIXES


def is_image(name: str) -> bool:
    """By its suffix; thumbnails of the file manager and texts are not meant."""
    return f".{name.rpartition('.')[2].lower()}" in IMAGE_SUFFIXES


def add_class_folders(rows: Collector, images: Iterable[tuple[str, str, Mapping[str, str]]]) -> None:
    """Add (name, split, further columns) for images `.../<class>/<file>`; a folder of no class is one problem."""
    unknown: Counter[str] = Counter()
    for name, split, more in images:
        folder = name.rpartition("/")[0]
        label = expression_called(folder.rpartition("/")[2])
        if label is None or label not in rows.labels:
            unknown[folder] += 1
        else:
            rows.add(name, label, where=name, split=split, **more)
    for folder, count in unknown.items():
        rows.label_problem(f"{folder} ({count} images)", folder.rpartition("/")[2])


def note_absent(rows: Collector, splits: Iterable[str], present: Collection[str], *, layout: str) -> None:
    """Note the splits of which there is no image, for sets that have no list.

    Nothing at all is a problem; `layout` says where images were expected.
    """
    if not present:
        rows.problem("missing file", str(rows.files), f"no image lies at {layout}", "give the folder above")
        return
    for split in splits:
        if split not in present:
            rows.note(f"no image of the {split} split is there; unpack it to have it")
