"""Classes and splits as users call them, in folders and tables of their own."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

from mien.labels import FERPLUS, LABEL_SETS, SYNONYMS, LabelSet, expression_called

VARIANTS = {"": FERPLUS, **LABEL_SETS}  # "": classes by name, those of the user's own too
FIRST_NUMBER = {
    "raf-db": 1,
    **dict.fromkeys(["ferplus", "fer2013", "affectnet-7", "affectnet-8", "ck+", "aff-wild2", "caer-s"], 0),
}
"""Label sets whose classes have numbers in the set's own files -> the number of the first class."""

SPLIT_WORDS = {
    **dict.fromkeys(["train", "training", "trn"], "train"),
    **dict.fromkeys(["valid", "val", "validation", "validate", "vld", "dev", "development"], "valid"),
    **dict.fromkeys(["eval", "evaluation", "publictest"], "valid"),
    **dict.fromkeys(["test", "testing", "tst", "privatetest", "holdout", "heldout"], "test"),
}


def labels_of(words: Iterable[str]) -> LabelSet:
    """The eight classes of FER+ where every word is one of them; otherwise those that occur, then the others.

    Others are classes of the user's own ("bored"), in the order of the alphabet; numbers are none.
    """
    named = {label for word in words if (label := _by_name(word))}
    if named <= set(FERPLUS):
        return FERPLUS
    return LabelSet([*(label for label in FERPLUS if label in named), *sorted(named - set(FERPLUS))])


def class_called(word: str, labels: LabelSet, variant: str) -> str | None:
    """The class of `labels` that a word, or a number of a variant that numbers its classes, means; or None."""
    if re.fullmatch(r"\d{1,4}", word.strip()) and variant in FIRST_NUMBER:
        index = int(word) - FIRST_NUMBER[variant]
        return labels[index] if 0 <= index < len(labels) else None
    label = _by_name(word)
    return label if label in labels else None


def _by_name(word: str) -> str | None:
    if (label := expression_called(word)) is not None:
        return label
    return None if not word.strip() or is_number(word) else word.strip().lower()


def is_number(word: str) -> bool:
    """Whether a word is a number, which is no name of a class."""
    return re.fullmatch(r"[-+]?[\d.]+", word.strip()) is not None


def class_remedy(word: str, variant: str) -> str:
    """What to do about a word that is no class of a variant."""
    if is_number(word):
        if variant in FIRST_NUMBER:
            first = FIRST_NUMBER[variant]
            return f"{variant} numbers its classes {first} to {first + len(VARIANTS[variant]) - 1}"
        return f"numbers need an order of classes: choose the variant {', '.join(sorted(FIRST_NUMBER))}"
    label = expression_called(word)
    if label is not None:
        having = ", ".join(name for name, labels in LABEL_SETS.items() if label in labels)
        return f"the variant {variant} has no {label}; {having} has"
    return (
        f"{_hint(word)}the classes of {variant or 'this set'} are {', '.join(VARIANTS[variant])}; "
        "without a variant, every name is a class"
    )


def own_note(labels: LabelSet) -> str | None:
    """Which classes are the user's own; None where there are none."""
    own = [
        f"{name} ({hint})" if (hint := _hint(name).rstrip("? ")) else name for name in labels if name not in FERPLUS
    ]
    return f"classes beyond the eight of FER+: {', '.join(own)}" if own else None


def _hint(word: str) -> str:
    near = (
        None
        if expression_called(word)
        else next(iter(get_close_matches(word.strip().lower(), SYNONYMS, n=1)), None)
    )
    return f"did you mean {near!r}? " if near else ""


def split_called(word: str) -> str | None:
    """ "train", "valid" or "test" for their usual words ("Val", "train_set", "02 test"); None for others."""
    plain = re.sub(r"[\W\d_]+", "", word.lower())
    return SPLIT_WORDS.get(plain) or SPLIT_WORDS.get(re.sub(r"(set|split|data|images|faces)$", "", plain))
