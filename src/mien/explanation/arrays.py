"""Explanations as arrays in a file, for `numpy.load`."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mien.explanation.explain import Explanation
from mien.media.atomic import atomic_write


def save_arrays(explanations: Sequence[Explanation], path: Path) -> None:
    """Write an .npz: the arrays of `arrays_of`."""
    file = io.BytesIO()
    np.savez_compressed(file, **arrays_of(explanations))  # type: ignore[arg-type]
    atomic_write(path, file.getbuffer())


def arrays_of(explanations: Sequence[Explanation]) -> dict[str, np.ndarray]:
    """`FACE/WEIGHTS/crop`, `matrix`, `label`, `probability`, each map by its key, and more of the attention.

    FACE counts from 0, largest first. Maps (G, G); curves as `MAP/deletion` and `MAP/insertion`.
    """
    arrays: dict[str, np.ndarray] = {}
    for one in explanations:
        top = f"{one.index}/{one.weights}"
        arrays |= {f"{top}/crop": one.crop, f"{top}/matrix": one.matrix, f"{top}/label": np.array(one.label)}
        arrays[f"{top}/probability"] = np.array(one.probability)
        arrays |= {f"{top}/attention/{name}": values for name, values in one.arrays.items()}
        for each in one.maps:
            arrays[f"{top}/{each.key}"] = each.values
            if each.faithfulness is not None:
                arrays[f"{top}/{each.key}/deletion"] = np.array(each.faithfulness.deletion_curve)
                arrays[f"{top}/{each.key}/insertion"] = np.array(each.faithfulness.insertion_curve)
    return arrays
