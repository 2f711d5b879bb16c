from __future__ import annotations

from itertools import combinations

import numpy as np

from mien.draw.palette import COLOURS, colour_of, colours_of, contrast, ink_on, rgb
from mien.labels import Expression

# Viénot, Brettel and Mollon 1999 (protan, deutan) and Brettel 1997's main plane (tritan), on linear RGB
SEEN = {
    "all": np.eye(3),
    "protan": [[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1.0]],
    "deutan": [[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]],
    "tritan": [[1.01277, 0.13548, -0.14826], [-0.01243, 0.86812, 0.14431], [0.07589, 0.80500, 0.11911]],
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def lab(colour: str, seen: object) -> np.ndarray:
    values = np.array(rgb(colour)) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    xyz = TO_XYZ @ (np.array(seen) @ linear).clip(0, 1) / [0.9505, 1.0, 1.089]
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def test_every_expression_has_a_colour_of_its_own() -> None:
    assert list(COLOURS) == list(Expression)[:8]
    assert len(set(COLOURS.values())) == len(COLOURS)


def test_colour_blind_readers_tell_the_expressions_apart() -> None:
    for name, seen in SEEN.items():
        near = min(
            (float(np.linalg.norm(lab(a, seen) - lab(b, seen))), one, other)
            for (one, a), (other, b) in combinations(COLOURS.items(), 2)
        )
        assert near[0] > 10, f"{name}: {near}"


def test_ink_is_legible_on_every_colour() -> None:
    assert min(contrast(ink_on(colour), colour) for colour in COLOURS.values()) > 4.5


def test_own_classes_never_share_a_colour() -> None:
    labels = ["happiness", *(f"class {i}" for i in range(20))]
    given = colours_of(labels)
    assert list(given) == labels
    assert len(set(given.values())) == len(labels)
    assert given["happiness"] == COLOURS[Expression.HAPPINESS]
    assert colour_of("class 3", labels) == given["class 3"]
    assert colour_of("class 3") == colours_of(["class 3"])["class 3"]
