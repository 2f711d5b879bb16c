"""Any tree with one folder per class, with or without folders for the splits above.

train/happy/1.jpg, or data/happy/somebody/1.jpg. Classes go by name (`mien.labels.expression_called`), in any case.
Folders that are numbers mean something only with a named order: choose the variant that is called like it.
"""

from __future__ import annotations

import re
from collections import Counter
from difflib import get_close_matches

from mien.datasets.distribution import Distribution
from mien.datasets.info import DatasetInfo
from mien.datasets.readers.class_folders import is_image
from mien.datasets.samples import Collector, Reading
from mien.labels import FERPLUS, LABEL_SETS, SYNONYMS, Expression, expression_called

VARIANTS = {"names": FERPLUS, **LABEL_SETS}
FIRST_NUMBER = {
    "raf-db": 1,
    **dict.fromkeys(["ferplus", "fer2013", "affectnet-7", "affectnet-8", "ck+", "aff-wild2", "caer-s"], 0),
}
"""Label sets whose classes have numbers in the set's own files -> the number of the first class."""

SPLIT_WORDS = {
    **dict.fromkeys(["train", "training"], "train"),
    **dict.fromkeys(["valid", "val", "validation", "dev", "publictest"], "valid"),
    **dict.fromkeys(["test", "testing", "privatetest"], "test"),
}


def class_called(word: str, variant: str) -> str | None:
    """The class that a word means, or a number where the variant numbers its classes; None for others."""
    if re.fullmatch(r"\d{1,4}", word.strip()):
        place = int(word) - FIRST_NUMBER.get(variant, 0)
        return VARIANTS[variant][place] if variant in FIRST_NUMBER and 0 <= place < len(VARIANTS[variant]) else None
    return expression_called(word)


def class_remedy(word: str, variant: str) -> str:
    """What to do about a word that is no class of a variant."""
    if re.fullmatch(r"[-+]?[\d.]+", word.strip()):
        if variant in FIRST_NUMBER:
            first = FIRST_NUMBER[variant]
            return f"{variant} numbers its classes {first} to {first + len(VARIANTS[variant]) - 1}"
        return f"numbers need an order of classes: choose the variant {', '.join(sorted(FIRST_NUMBER))}"
    label = expression_called(word)
    if label is not None:
        having = ", ".join(name for name, labels in LABEL_SETS.items() if label in labels)
        return f"the variant {variant} has no {label}; {having} has"
    near = get_close_matches(word.strip().lower(), SYNONYMS, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}classes are {', '.join(Expression)}, and no others can be taken"


def split_called(word: str) -> str | None:
    """ "train", "valid" or "test" for the words that are usual for them; None for others."""
    return SPLIT_WORDS.get(word.strip().lower())


def read(files: Distribution, variant: str) -> Reading:
    """One row per image: the innermost folder that is a class counts, and the next above it that is a split."""
    rows = Collector(VARIANTS[variant], files)
    strange: Counter[str] = Counter()
    for name in files.names:
        if not is_image(name):
            continue
        folders = name.split("/")[:-1]
        depth = next(
            (i for i in reversed(range(len(folders))) if class_called(folders[i], variant) in rows.labels), None
        )
        if depth is None:
            strange["/".join(folders)] += 1
        else:
            split = next((split for word in reversed(folders[:depth]) if (split := split_called(word))), "")
            rows.add(name, class_called(folders[depth], variant), where=name, split=split)
    for folder, count in sorted(strange.items()):
        word = folder.rpartition("/")[2]
        images = f"{count} image{'s' if count > 1 else ''}"
        rows.problem(
            "unknown label",
            folder or str(files),
            f"{images} in a folder that is no class",
            class_remedy(word, variant),
        )
    if not strange and not any(map(is_image, files.names)):
        rows.problem("missing file", str(files), "there is no image", "give a folder with one folder per class")
    return rows.done()


SET = DatasetInfo(
    name="folder",
    title="A folder of yours with one folder per class",
    read=read,
    variants=VARIANTS,
    layout=(
        "train/happy/1.jpg ... val/ test/ alike, or happy/1.jpg ... without splits\n"
        "train/1/1.jpg ... with the variant of that order (raf-db counts from 1, the others from 0)"
    ),
    citation="none",
    licence="Yours.",
    obtain="any tree with one folder per class; other classes than those of mien.labels.Expression cannot be taken",
    split_rule="folders train, val (valid, validation, dev) and test above the classes, where there are such",
    image_kind="crop",
)
