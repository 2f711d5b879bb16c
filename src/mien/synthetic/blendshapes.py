"""Emotions as action units, action units as shapes of the face model.

Which action units (AU) make which emotion follows EMFACS as tabulated by Ekman, Friesen and Hager (Facial Action
Coding System, investigator's guide, 2002) and the prototypes of Du, Tao and Martinez (PNAS 2014, table 1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mien.labels import Expression

# AU -> shapes of ICT-FaceKit with weights at full strength; "*" stands for the sides L and R.
ACTION_UNITS: dict[int, dict[str, float]] = {
    1: {"browInnerUp_*": 1.0},  # inner brow raiser
    2: {"browOuterUp_*": 1.0},  # outer brow raiser
    4: {"browDown_*": 1.5},  # brow lowerer
    5: {"eyeWide_*": 1.0},  # upper lid raiser
    6: {"cheekSquint_*": 0.7, "cheekRaiser_*": 0.6, "eyeSquint_*": 0.2},  # cheek raiser
    7: {"eyeSquint_*": 0.75},  # lid tightener
    9: {"noseSneer_*": 1.0, "browDown_*": 0.3},  # nose wrinkler
    10: {"mouthUpperUp_*": 0.8, "noseSneer_*": 0.2},  # upper lip raiser
    12: {"mouthSmile_*": 1.0},  # lip corner puller
    14: {"mouthDimple_*": 1.0},  # dimpler
    15: {"mouthFrown_*": 1.15},  # lip corner depressor
    16: {"mouthLowerDown_*": 0.9},  # lower lip depressor
    17: {"mouthShrugLower": 0.9, "mouthShrugUpper": 0.4},  # chin raiser
    20: {"mouthStretch_*": 1.0},  # lip stretcher
    23: {"mouthRollUpper": 0.5, "mouthRollLower": 0.5, "mouthPress_*": 0.5},  # lip tightener
    24: {"mouthPress_*": 1.0, "mouthRollUpper": 0.25, "mouthRollLower": 0.25},  # lip pressor
    25: {"mouthUpperUp_*": 0.3, "mouthLowerDown_*": 0.4},  # lips part
    26: {"jawOpen": 0.3},  # jaw drop
    27: {"jawOpen": 0.6},  # mouth stretch
}


@dataclass(frozen=True)
class Variant:
    """One way to show an emotion: the units that are always there, and others with their probability."""

    units: tuple[int, ...]
    sometimes: tuple[tuple[int, float], ...] = ()
    one_sided: bool = False


VARIANTS: dict[Expression, tuple[Variant, ...]] = {
    Expression.NEUTRAL: (Variant(()),),
    Expression.HAPPINESS: (
        Variant((6, 12)),
        Variant((6, 12, 25)),
        Variant((6, 12, 25, 26), ((1, 0.2), (2, 0.2))),
    ),
    Expression.SURPRISE: (
        Variant((1, 2, 5, 26), ((25, 0.5),)),
        Variant((1, 2, 5, 27)),
        Variant((1, 2, 5, 25)),
    ),
    Expression.SADNESS: (
        Variant((1, 4, 15), ((17, 0.4),)),
        Variant((1, 4, 15, 17)),
        Variant((1, 4, 15, 25), ((6, 0.3),)),
    ),
    Expression.ANGER: (
        Variant((4, 5, 7, 23)),
        Variant((4, 5, 7, 24), ((17, 0.6),)),
        Variant((4, 7, 10, 16, 25), ((5, 0.6), (26, 0.5))),  # bared teeth
    ),
    Expression.DISGUST: (
        Variant((9, 15, 17), ((4, 0.4), (7, 0.4))),
        Variant((9, 16, 25), ((4, 0.4), (6, 0.4), (26, 0.5))),
        Variant((10, 15, 17), ((4, 0.6), (7, 0.6))),
    ),
    Expression.FEAR: (
        Variant((1, 2, 4, 5, 20, 25), ((7, 0.4),)),
        Variant((1, 2, 4, 5, 7, 20, 26)),
        Variant((1, 2, 4, 5, 20, 25, 27)),
    ),
    Expression.CONTEMPT: (
        Variant((12, 14), one_sided=True),
        Variant((14,), ((10, 0.3),), one_sided=True),
        Variant((12, 14), ((2, 0.5), (7, 0.3)), one_sided=True),
    ),
}


@dataclass(frozen=True)
class Shown:
    """An emotion as one face shows it."""

    units: tuple[tuple[int, str], ...]  # the action units of the emotion, each with its side: L, R
    weights: dict[str, float]  # of the model's shapes, small movements included


LEVELS = (0.4, 0.6, 0.8, 1.0)  # strength of intensity 1 to 4

# Small movements that belong to no emotion and come with all of them.
_JITTER = (
    "browInnerUp_*", "browOuterUp_*", "cheekPuff_*", "jawForward", "jawLeft", "jawRight", "mouthDimple_*",
    "mouthLeft", "mouthPress_*", "mouthPucker", "mouthRight", "mouthRollLower", "mouthShrugLower",
)  # fmt: skip
_EYES = ("eyeBlink_", "eyeLookIn_", "eyeLookOut_", "eyeLookUp_", "eyeLookDown_")
SHAPES = frozenset(
    shape.replace("*", side)
    for shape in (
        *(shape for shapes in ACTION_UNITS.values() for shape in shapes),
        *_JITTER,
        *(f"{shape}*" for shape in _EYES),
    )
    for side in "LR"
)


def units_to_shapes(units: dict[tuple[int, str], float]) -> dict[str, float]:
    """(AU, side L or R) -> strength 0..1, to the weights of the model's shapes.

    A shape without sides takes the mean of both. Weights are kept below 1.5: beyond, the mesh tears.
    """
    weights: dict[str, float] = {}
    for (unit, side), strength in units.items():
        for shape, weight in ACTION_UNITS[unit].items():
            name = shape.replace("*", side)
            share = 1.0 if "*" in shape else 0.5
            weights[name] = weights.get(name, 0.0) + share * weight * strength
    return {name: min(weight, 1.5) for name, weight in weights.items()}


def compose(expression: Expression, intensity: int, rng: np.random.Generator) -> Shown:
    """An emotion at intensity 1 to 4: one of its variants, with a person's chance in it."""
    variants = VARIANTS[expression]
    variant = variants[rng.integers(len(variants))]
    level = LEVELS[intensity - 1] * rng.uniform(0.92, 1.08)
    only = "LR"[rng.integers(2)]
    lean = rng.normal(0.0, 0.06)  # no face is even
    units: dict[tuple[int, str], float] = {}
    for unit in (*variant.units, *(unit for unit, share in variant.sometimes if rng.random() < share)):
        strength = level * rng.uniform(0.8, 1.1)
        for side, sign in (("L", 1), ("R", -1)):
            if not variant.one_sided:
                units[unit, side] = strength * (1 + sign * lean)
            elif side == only:
                units[unit, side] = strength
    weights = units_to_shapes(units)
    for name, weight in jitter(rng).items():
        weights[name] = weights.get(name, 0.0) + weight
    return Shown(tuple(sorted(units)), weights)


def jitter(rng: np.random.Generator) -> dict[str, float]:
    """Gaze, lids and small movements: nuisance that every class has, neutral too."""
    weights = {}
    for shape in rng.choice(_JITTER, 3, replace=False):
        weight = rng.uniform(0.0, 0.12)
        for name in dict.fromkeys(shape.replace("*", side) for side in "LR"):
            weights[name] = weight * rng.uniform(0.7, 1.3) if "*" in shape else weight
    lids = rng.uniform(0.5, 1.0) if rng.random() < 0.04 else rng.uniform(0.0, 0.12)
    across, up = rng.normal(0.0, 0.25, 2)
    for side, sign in (("L", 1), ("R", -1)):
        weights[f"eyeBlink_{side}"] = lids
        weights[f"eyeLook{'Out' if across * sign > 0 else 'In'}_{side}"] = min(abs(across), 0.8)
        weights[f"eyeLook{'Up' if up > 0 else 'Down'}_{side}"] = min(abs(up), 0.6)
    return weights
