"""Upright faces as they were taken: how many are flagged `orientation`, and how many are taken for rotated ones.

    python -m research.roll.evaluate --data DIR --images 150

`DIR` holds the archives of `research.fer.suite` and of `stock_cdf`. The roll network was trained on none of these
images. Faces are detected but in the sets whose images are one face each.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import mien
from mien.datasets import dataset_info
from mien.datasets.samples import Samples
from mien.results import Face
from research.fer.suite import ENTRIES, Entry, muxspace_of

ROTATED_ABOVE_DEG = 60  # no photo of these sets has such a roll


@dataclass
class Counts:
    """Of the faces of one set."""

    faces: int = 0
    flagged: int = 0
    rotated: int = 0
    rotated_certain: int = 0

    def add(self, face: Face) -> None:
        """Count one face."""
        assert face.quality is not None
        assert face.pose is not None
        rotated = abs(face.pose.roll_deg) > ROTATED_ABOVE_DEG
        self.faces += 1
        self.flagged += "orientation" in face.quality.flags
        self.rotated += rotated
        self.rotated_certain += rotated and bool(face.certain)


def stock(archive: Path) -> Samples:
    """All stock photos."""
    return dataset_info("csv").samples(archive)


SETS = {
    "muxspace, test people": Entry(title="", archive="muxspace", rows=muxspace_of("test")),
    "SFEW 2.0, Val": ENTRIES["sfew-val"],
    "SFEW 2.0, held-out films": ENTRIES["sfew"],
    "wild7, validation": ENTRIES["wild7"],
    "stock photos": Entry(title="", archive="stock_cdf", rows=stock),
    "CFEE, validation people": ENTRIES["cfee"],
    "FER+ validation": ENTRIES["ferplus"],
}


def main() -> None:
    """Print one row for each set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--images", type=int, default=150, help="of each set")
    options = parser.parse_args()
    recognizer = mien.load(threads=1)
    print("| set | faces | flagged | % | taken for rotated | of these certain |\n|---|---:|---:|---:|---:|---:|")
    for title, entry in SETS.items():
        samples, counts = entry.rows(options.data / f"{entry.archive}.zip"), Counts()
        for row in np.random.default_rng(0).permutation(len(samples))[: options.images]:
            for face in recognizer.predict(samples.image(row), detect=entry.detect):
                counts.add(face)
        share = f"{100 * counts.flagged / max(counts.faces, 1):.1f}"
        cells = (title, counts.faces, counts.flagged, share, counts.rotated, counts.rotated_certain)
        print(f"| {' | '.join(map(str, cells))} |", flush=True)


if __name__ == "__main__":
    main()
