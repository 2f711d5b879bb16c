"""Maps over an aligned face, whatever method made them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from PIL import Image

from mien.errors import OptionError, UnknownNameError
from mien.explanation.faithfulness import Faithfulness

METHODS = {  # name -> what it needs, in words
    "occlusion": "any network",
    "attention": "a network with attention of its own, in torch",
    "grad-cam": "a network in torch",
    "integrated-gradients": "a network in torch",
}
NETWORK_TITLES = {
    "poster": "POSTER",
    "poster_v2": "POSTER++",
    "apvit": "APViT",
    "phanet": "PhaNet (re-derived)",
    "bare_backbone": "Bare backbone",
}
Kind = Literal["signed", "positive", "kept"]


@dataclass(frozen=True, eq=False)
class ExplanationMap:
    """The map of one method for one face: the higher a value, the more that part of the crop matters."""

    method: str  # of METHODS
    title: str  # "Cross-attention"
    part: str  # which of the method's maps: "level 1, 24 x 24"
    values: np.ndarray = field(repr=False)  # (G, G), rows from the top of the crop
    kind: Kind  # signed: negative values speak against the class; kept: how many poolings kept a cell
    unit: str  # of the values, in words
    limits: tuple[float, float]  # of the colour scale: no colour and full colour; signed: -most and most
    faithfulness: Faithfulness | None = None  # None: not computed

    @property
    def key(self) -> str:
        """Method and part in one word, as arrays and measurements name it."""
        return f"{self.method}/{self.part}" if self.part else self.method


@dataclass(frozen=True, eq=False)
class AttentionMaps:
    """What a network's own attention is on one face."""

    maps: tuple[ExplanationMap, ...]  # the first is over all scales or poolings
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)  # what belongs to them, by name
    note: str = ""  # one line for a reader


def signed(method: str, title: str, values: np.ndarray, unit: str) -> ExplanationMap:
    """A map whose colour scale has zero in its middle."""
    most = max(float(np.abs(values).max()), 1e-9)
    return ExplanationMap(method, title, "", frozen(values), "signed", unit, (-most, most))


def positive(
    method: str,
    title: str,
    part: str,
    values: np.ndarray,
    unit: str,
    *,
    least: float = 0.0,
    most: float | None = None,
) -> ExplanationMap:
    """A map whose colour scale goes from `least`, below which there is no colour, to `most`: the highest value."""
    highest = max(float(values.max()), least + 1e-9) if most is None else most
    return ExplanationMap(method, title, part, frozen(values), "positive", unit, (least, highest))


def attention(title: str, part: str, values: np.ndarray) -> ExplanationMap:
    """Attention in multiples of an even one: what gets less than that has no colour."""
    return positive("attention", title, part, values, "times uniform attention", least=1.0)


def kept(title: str, part: str, values: np.ndarray, most: int, unit: str) -> ExplanationMap:
    """How many of `most` poolings kept each cell."""
    return ExplanationMap("attention", title, part, frozen(values), "kept", unit, (0.0, float(most)))


def resized(values: np.ndarray, side: int) -> np.ndarray:
    """A map (G, G) at another number of cells: means of its cells where fewer, linear between them where more."""
    if len(values) == side:
        return values.astype(np.float64)
    way = Image.Resampling.BOX if side < len(values) else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(values.astype(np.float32)).resize((side, side), way)).astype(np.float64)


def mean_of(maps: Sequence[np.ndarray], weights: Sequence[float] | None = None) -> np.ndarray:
    """The mean of maps of several scales, at the cells of the finest."""
    side = max(map(len, maps))
    return np.average([resized(values, side) for values in maps], axis=0, weights=weights)


def check_methods(methods: str | Sequence[str]) -> tuple[str, ...]:
    """Methods by name, each once; "all" is every one."""
    names = [methods] if isinstance(methods, str) else list(methods)
    names = [one.strip() for name in names for one in str(name).split(",")]
    if names == ["all"]:
        return tuple(METHODS)
    for name in names:
        if name not in METHODS:
            raise UnknownNameError("method of explanation", name, METHODS)
    if not names:
        raise OptionError(f"no method is named; there are {', '.join(METHODS)}")
    return tuple(dict.fromkeys(names))


def frozen(values: np.ndarray) -> np.ndarray:
    """A copy in double precision that cannot be changed."""
    values = np.array(values, dtype=np.float64)
    values.flags.writeable = False
    return values
