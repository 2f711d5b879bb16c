"""Any tree with one folder per class, with or without folders for the splits.

train/happy/1.jpg, happy/train/1.jpg, or data/happy/somebody/1.jpg. Classes go by name, in any case
(`mien.labels.expression_called`); folders of other names beside them are classes of the user's own ("bored").
Folders that are numbers mean something only with a named order: choose the variant that is called like it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from mien.datasets.distribution import Distribution
from mien.datasets.info import DatasetInfo
from mien.datasets.readers.class_folders import is_image
from mien.datasets.readers.own_labels import (
    VARIANTS,
    class_called,
    class_remedy,
    is_number,
    labels_of,
    own_note,
    split_called,
)
from mien.datasets.samples import Collector, Reading
from mien.labels import LabelSet
from mien.wording import counted


def read(files: Distribution, variant: str) -> Reading:
    """One row per image. Its class is the innermost folder that is one, its split the folder nearest to that."""
    names = [name for name in files.names if is_image(name)]
    paths = [name.split("/")[:-1] for name in names]
    depths = _class_depths(paths, VARIANTS[variant], variant)
    words = {path[depth] for path, depth in zip(paths, depths, strict=True) if depth is not None}
    labels = VARIANTS[variant] if variant else labels_of(words)
    rows = Collector(labels, files)
    unknown: dict[str, list[str]] = {}
    several, without = list[str](), list[str]()  # images in folders of two splits, or of none
    for name, path, depth in zip(names, paths, depths, strict=True):
        if depth is None:
            unknown.setdefault("/".join(path), []).append(name)
            continue
        nearest = [*reversed(path[:depth]), *path[depth + 1 :]]
        splits = [split for word in nearest if (split := split_called(word))]
        split = splits[0] if splits else ""
        if len(set(splits)) > 1:
            several.append(name)
        if not splits:
            without.append(name)
        rows.add(name, class_called(path[depth], labels, variant), where=name, split=split)
    for folder, images in sorted(unknown.items()):
        what = f"{counted(len(images), 'image')} in {'a' if folder else 'no'} folder"
        remedy = (
            class_remedy(folder.rpartition("/")[2], variant) if folder else "put it into the folder of its class"
        )
        rows.problem("unknown label", folder or images[0], f"{what}{' that is no class' * bool(folder)}", remedy)
    if not names:
        rows.problem("missing file", str(files), "there is no image", "give a folder with one folder per class")
    if note := own_note(labels):
        rows.note(note)
    if names and (empty := _empty(files, names)):
        rows.note(f"folders without an image: {', '.join(empty[:5])}{' ...' * (len(empty) > 5)}")
    named = sorted({split for name in names if (split := _split_of_file(name))})
    if len(named) > 1 and len(without) == len(names):
        rows.note(f"names of files say {' and '.join(named)}, which does not count: name folders so instead")
    if several:
        rows.note(f"folders of two splits, the nearest to the class counts: {_and_others(several)}")
    if without and len(without) < len(names) - sum(map(len, unknown.values())):
        rows.note(f"beside the splits lie images in none: {_and_others(without)}")
    if ignored := _ignored(paths, depths):
        rows.note(f"folders that are neither class nor split are ignored, for example {ignored}")
    return rows.done()


def _split_of_file(name: str) -> str | None:
    """The split that a file's name begins with, as `test_0001.jpg`."""
    word = re.match(r"[^\W\d_]+", name.rpartition("/")[2])
    return split_called(word[0]) if word else None


def _and_others(images: Sequence[str]) -> str:
    return f"{counted(len(images), 'image')}, for example {images[0]}"


def _empty(files: Distribution, images: Sequence[str]) -> list[str]:
    """The innermost folders in which no image lies."""
    folders = files.folders()
    filled = {folder for name in images for folder in _above(name)}
    outer = {above for folder in folders for above in _above(folder)}
    return [folder for folder in folders if folder not in filled | outer]


def _above(name: str) -> list[str]:
    """The folders in which a file or folder lies."""
    parts = name.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts))]


def _class_depths(paths: Sequence[list[str]], labels: LabelSet, variant: str) -> list[int | None]:
    """Which folder of each path is the class; None where none is.

    Without a variant, a path without a class that is known has it on the level of the others, not counting folders
    of splits; where no class is known at all, on the first level on which paths differ.
    """
    known = [
        next((i for i in reversed(range(len(path))) if class_called(path[i], labels, variant)), None)
        for path in paths
    ]
    if variant or None not in known:
        return known
    levels = [[i for i, word in enumerate(path) if split_called(word) is None] for path in paths]
    seen = Counter(level.index(depth) for level, depth in zip(levels, known, strict=True) if depth is not None)
    shared = _shared([[path[i] for i in level] for path, level in zip(paths, levels, strict=True)])
    at = seen.most_common(1)[0][0] if seen else shared
    return [
        level[at] if len(level) > at and not is_number(path[level[at]]) else None
        for path, level in zip(paths, levels, strict=True)
    ]


def _shared(paths: Sequence[list[str]]) -> int:
    """How many folders from the top all paths have in common."""
    return next(
        (i for i, words in enumerate(zip(*paths, strict=False)) if len(set(words)) > 1),
        min(map(len, paths), default=0),
    )


def _ignored(paths: Sequence[list[str]], depths: Sequence[int | None]) -> str:
    """The first path with a folder that says nothing, those above all images not counted."""
    shared = _shared(paths)
    for path, depth in zip(paths, depths, strict=True):
        others = [word for i, word in enumerate(path) if i >= shared and i != depth]
        if depth is not None and any(split_called(word) is None for word in others):
            return "/".join(path)
    return ""


SET = DatasetInfo(
    name="folder",
    title="Class folders",
    read=read,
    variants=VARIANTS,
    layout=(
        "train/happy/1.jpg ... train/bored/ ... val/ test/ alike; or happy/train/1.jpg ...\n"
        "happy/1.jpg ... without splits\n"
        "train/1/1.jpg ... with the variant of that order (raf-db counts from 1, the others from 0)"
    ),
    citation="none",
    licence="Yours.",
    obtain="any tree with one folder per class; names beyond the eight of FER+ are classes of your own",
    split_rule="folders train, val (valid, validation, dev) and test above or below the classes, if there are any",
    image_kind="crop",
)
