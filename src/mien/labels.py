"""Expression classes by name. A class index is only meaningful beside its `LabelSet`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import EnumType, StrEnum
from typing import Any

import numpy as np

from mien.arguments import checked
from mien.errors import OptionError, UnknownNameError, check_option, shortened


class _NamedByText(EnumType):
    """The lookup by value compares what is no text with each member, which arrays do not survive."""

    def __call__(cls, value: Any, *more: Any, **options: Any) -> Any:
        if not isinstance(value, str):
            raise UnknownNameError("expression", shortened(value), (label.value for label in Expression))
        return super().__call__(value, *more, **options)


class Expression(StrEnum, metaclass=_NamedByText):
    """The eight classes of FER+ and AffectNet (seven-class sets have no contempt), then those of single sets."""

    NEUTRAL = "neutral"
    HAPPINESS = "happiness"
    SURPRISE = "surprise"
    SADNESS = "sadness"
    ANGER = "anger"
    DISGUST = "disgust"
    FEAR = "fear"
    CONTEMPT = "contempt"
    SQUINT = "squint"  # Multi-PIE
    SCREAM = "scream"  # Multi-PIE
    OTHER = "other"  # Aff-Wild2

    @classmethod
    def _missing_(cls, value: object) -> None:
        raise UnknownNameError("expression", str(value), (label.value for label in cls))


class LabelSet(tuple[str, ...]):
    """The classes of one data set or head, in the order of its outputs.

    The field's classes are `Expression` members, which are strings; classes of the user's own ("bored") are plain
    strings.
    """

    @checked
    def __new__(cls, names: str | Iterable[str]) -> LabelSet:
        """Classes from their names, or from one text with blanks between them.

        Raises `OptionError` for a class that appears twice or has no name.
        """
        given = names.split() if isinstance(names, str) else list(names)
        for name in given:
            check_option("a label", name, str, "the name of a class")
        labels = super().__new__(cls, map(_label, given))
        if len(set(labels)) != len(labels):
            raise OptionError(f"a label appears twice in {' '.join(labels)!r}")
        if not all(label.strip() for label in labels):
            raise OptionError("a label has no name")
        return labels

    def __repr__(self) -> str:
        return f"LabelSet({' '.join(self)!r})"

    def __getnewargs__(self) -> tuple[tuple[str, ...]]:
        return (tuple(self),)  # copies and pickles call the constructor

    @checked
    def indices_in(self, to: LabelSet) -> np.ndarray:
        """(len(self) + 1,) the index in `to` of each class, -1 for none; the last -1 is for rows without a label.

        So `labels.indices_in(to)[label]` takes class indices (N,), -1 among them, to those of `to`.
        """
        return np.array([*(to.index(label) if label in to else -1 for label in self), -1])

    @checked
    def redistribute(self, probabilities: np.ndarray, *, to: LabelSet) -> np.ndarray:
        """Distributions (N, len(self)) -> (N, len(to)), summing to 1 again; 0 for classes that this set lacks.

        A row of nothing but classes that `to` lacks is all 0.
        """
        probabilities = self._scores(probabilities)
        target = self.indices_in(to)[:-1]
        moved = np.zeros((len(probabilities), len(to)), dtype=probabilities.dtype)
        moved[:, target[target >= 0]] = probabilities[:, target >= 0]
        total = moved.sum(axis=1, keepdims=True)
        return moved / np.where(total > 0, total, 1)

    @checked
    def reorder(self, scores: np.ndarray, *, to: LabelSet) -> np.ndarray:
        """Scores (..., len(self)) in this order -> (..., len(to)) in the order of `to`.

        Classes that `to` lacks are dropped without renormalising; `restrict` renormalises.
        Raises `OptionError` where `to` has a class that this set lacks.
        """
        absent = [label for label in to if label not in self]
        if absent:
            raise OptionError(f"this head has no output for {', '.join(absent)}; its classes are {', '.join(self)}")
        return self._scores(scores)[..., [self.index(label) for label in to]]

    @checked
    def restrict(self, probabilities: np.ndarray, *, to: LabelSet) -> np.ndarray:
        """Probabilities (..., len(self)) -> (..., len(to)), summing to 1 again.

        From eight classes to seven, for instance: the probabilities given that it is one of the seven.
        """
        kept = self.reorder(probabilities, to=to)
        return kept / kept.sum(axis=-1, keepdims=True)

    def _scores(self, values: np.ndarray) -> np.ndarray:
        try:
            scores = np.asarray(values)
        except ValueError:  # lists of several lengths
            scores = np.array(None)
        if scores.dtype.kind not in "fiu" or scores.shape[-1:] != (len(self),):
            raise OptionError(
                f"the scores are {shortened(values)}; give an array of numbers (..., {len(self)}), one per class"
            )
        return scores


def _label(name: str) -> str:
    return Expression(name) if name in Expression.__members__.values() else str(name)


# Class orders as in the data sets' own files; sources in docs/concepts/labels.md.
FERPLUS = LabelSet("neutral happiness surprise sadness anger disgust fear contempt")
FER2013 = LabelSet("anger disgust fear happiness sadness surprise neutral")
RAF_DB = LabelSet("surprise fear disgust happiness sadness anger neutral")
AFFECTNET_7 = LabelSet("neutral happiness sadness surprise fear disgust anger")
AFFECTNET_8 = LabelSet("neutral happiness sadness surprise fear disgust anger contempt")
CK_PLUS = LabelSet("neutral anger contempt disgust fear happiness sadness surprise")
AFF_WILD2 = LabelSet("neutral anger disgust fear happiness sadness surprise other")
CAER_S = LabelSet("anger disgust fear happiness neutral sadness surprise")  # and SFEW: folders by name
MULTI_PIE = LabelSet("neutral happiness surprise squint disgust scream")
BASIC = LabelSet("anger disgust fear happiness sadness surprise")
APVIT_7 = LabelSet("anger disgust fear sadness happiness surprise neutral")
APVIT_8 = LabelSet("anger disgust fear sadness happiness surprise neutral contempt")

FERPLUS_7 = LabelSet("neutral happiness surprise sadness anger disgust fear")
CK_PLUS_7 = LabelSet("neutral anger disgust fear happiness sadness surprise")
CK_PLUS_48 = LabelSet("anger contempt disgust fear happiness sadness surprise")
CK_PLUS_48_CSV = LabelSet("anger disgust fear happiness sadness surprise neutral contempt")

LABEL_SETS: dict[str, LabelSet] = {
    "ferplus": FERPLUS,
    "fer2013": FER2013,
    "raf-db": RAF_DB,
    "affectnet-7": AFFECTNET_7,
    "affectnet-8": AFFECTNET_8,
    "ferplus-7": FERPLUS_7,
    "ck+": CK_PLUS,
    "ck+7": CK_PLUS_7,
    "ck+48": CK_PLUS_48,
    "ck+48-csv": CK_PLUS_48_CSV,
    "aff-wild2": AFF_WILD2,
    "caer-s": CAER_S,
    "multi-pie": MULTI_PIE,
    "basic": BASIC,
    "apvit-7": APVIT_7,
    "apvit-8": APVIT_8,
}

# How data sets and users' folders spell the classes.
SYNONYMS: dict[str, Expression] = {
    **{label.value: label for label in Expression},
    **dict.fromkeys(["neutrality", "calm", "none"], Expression.NEUTRAL),
    **dict.fromkeys(["happy", "joy", "smile", "smiling"], Expression.HAPPINESS),
    **dict.fromkeys(["surprised", "surprize"], Expression.SURPRISE),
    **dict.fromkeys(["sad"], Expression.SADNESS),
    **dict.fromkeys(["angry"], Expression.ANGER),
    **dict.fromkeys(["disgusted"], Expression.DISGUST),
    **dict.fromkeys(["afraid", "fearful", "scared"], Expression.FEAR),
    **dict.fromkeys(["contemptuous", "contemptous"], Expression.CONTEMPT),
}


def expression_called(word: str) -> Expression | None:
    """The class that a folder or a table calls `word`, in any case; None where it is none of `Expression`."""
    return SYNONYMS.get(word.strip().lower())


def label_set(classes: str | Sequence[str]) -> LabelSet:
    """The label set of that name, or the set of these class names, which may be the user's own.

    Raises `UnknownNameError` with the nearest known name, `OptionError` for classes that are no label set.
    """
    if not isinstance(classes, str):
        return LabelSet(classes)
    if classes not in LABEL_SETS:
        raise UnknownNameError("label set", classes, LABEL_SETS)
    return LABEL_SETS[classes]
