"""Tables of images without a distribution around them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mien.datasets.distribution import Distribution
from mien.datasets.samples import Samples
from mien.labels import RAF_DB


def table(folder: Path, names: list[str], **columns: np.ndarray) -> Samples:
    """Rows of one class and split, for files below a folder."""
    count = len(names)
    return Samples(
        labels=RAF_DB,
        files=Distribution(folder),
        path=np.array(names, dtype=object),
        label=np.zeros(count, dtype=int),
        split=np.array(["train"] * count, dtype=object),
        **columns,
    )
