"""Accuracy over poses: the score of multi-view sets."""

from __future__ import annotations

import numpy as np

from mien.errors import OptionError


def accuracy_per_pose(truth: np.ndarray, answer: np.ndarray, pose: np.ndarray) -> dict[str, float]:
    """Share of right answers in each pose, in ascending order of the poses.

    `truth`, `answer` (N,) int: classes; `pose` (N,): names or degrees. Rows whose pose is "" or NaN, or whose truth
    is -1, count nowhere. Raises `OptionError` where the lengths differ or no row is left.
    """
    if not len(truth) == len(answer) == len(pose):
        raise OptionError(f"{len(truth)} labels, {len(answer)} answers and {len(pose)} poses: lengths differ")
    known = (pose != "") if pose.dtype.kind in "OUS" else np.isfinite(pose.astype(float))
    known &= truth >= 0
    if not known.any():
        raise OptionError("no row has a label and a pose")
    values = pose.astype(str) if pose.dtype.kind == "O" else pose
    right = truth == answer
    return {str(one): float(right[known & (values == one)].mean()) for one in np.unique(values[known])}


def mean_over_poses(truth: np.ndarray, answer: np.ndarray, pose: np.ndarray) -> float:
    """The multi-view average: the mean over poses of the accuracy in each, however many images a pose has.

    It is what multi-view papers report (PhaNet on BU-3DFE, Multi-PIE and KDEF).
    """
    return float(np.mean(list(accuracy_per_pose(truth, answer, pose).values())))
