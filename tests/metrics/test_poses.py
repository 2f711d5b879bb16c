from __future__ import annotations

import numpy as np
import pytest

from mien.errors import OptionError
from mien.metrics.poses import accuracy_per_pose, mean_over_poses


def test_each_pose_counts_the_same_however_many_images_it_has() -> None:
    truth = np.array([0, 0, 0, 0, 1])
    answer = np.array([0, 0, 0, 0, 2])
    pose = np.array([0.0, 0, 0, 0, 45])
    assert accuracy_per_pose(truth, answer, pose) == {"0.0": 1.0, "45.0": 0.0}
    assert mean_over_poses(truth, answer, pose) == 0.5


def test_rows_without_a_pose_or_a_label_count_nowhere() -> None:
    truth, answer = np.array([0, 1, -1, 1]), np.array([0, 0, 0, 1])
    assert mean_over_poses(truth, answer, np.array(["left", "", "left", "right"], dtype=object)) == 1.0
    assert mean_over_poses(truth, answer, np.array([0, np.nan, 0, 30])) == 1.0


def test_nothing_to_average_is_refused() -> None:
    with pytest.raises(OptionError, match="no row has"):
        mean_over_poses(np.array([-1]), np.array([0]), np.array([0.0]))
    with pytest.raises(OptionError, match="lengths differ"):
        mean_over_poses(np.array([0, 1]), np.array([0]), np.array([0.0]))
