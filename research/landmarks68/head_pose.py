"""The error of the head pose that prediction measures, on rendered faces of known pose.

    mien data render --model ict_facekit.npz --out rendered
    python -m research.landmarks68.head_pose --rendered rendered

Mean absolute error of yaw, pitch and roll in each bin of the stated yaw.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import mien
from mien.datasets import dataset_info

BINS_DEG = (0, 15, 30, 45, 60, 90)
ANGLES = ("yaw_deg", "pitch_deg", "roll_deg")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rendered", type=Path, required=True)
    parser.add_argument("--images", type=int, default=500)
    options = parser.parse_args(arguments)
    samples = dataset_info("rendered").samples(options.rendered)
    rows = np.random.default_rng(0).permutation(len(samples))[: options.images]
    samples = samples.take(rows)
    assert samples.yaw_deg is not None
    assert samples.pitch_deg is not None
    stated = np.stack([samples.yaw_deg, samples.pitch_deg, samples.extra["roll_deg"]], axis=1)
    measured = np.full(stated.shape, np.nan)
    recognizer = mien.load(threads=1)
    for row in range(len(samples)):
        faces = recognizer.predict(samples.image(row))
        if faces and (pose := faces[0].pose) is not None:
            measured[row] = [getattr(pose, angle) for angle in ANGLES]
    detected = np.isfinite(measured[:, 0])
    print(f"{detected.sum()} of {len(samples)} faces detected; mean absolute error of yaw, pitch, roll in degrees:")
    yaw_bin = np.digitize(np.abs(stated[:, 0]), BINS_DEG)
    for index in np.unique(yaw_bin[detected]):
        kept = detected & (yaw_bin == index)
        errors = np.abs(measured[kept] - stated[kept]).mean(axis=0)
        print(f"|yaw| from {BINS_DEG[index - 1]:2}: {kept.sum():4} faces", *(f"{error:5.1f}" for error in errors))


if __name__ == "__main__":
    main()
