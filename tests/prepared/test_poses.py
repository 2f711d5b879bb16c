from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mien.errors import OptionError
from mien.prepared.poses import BU_3DFE, FIVE_YAWS, KDEF, MULTI_PIE, PoseClasses, PoseLabels, PoseTrust, pose_labels
from mien.prepared.store import PreparedStore
from tests.prepared.fabricated import samples_in, store

NAN = float("nan")


def test_a_stated_pose_is_its_nearest_centre() -> None:
    assert MULTI_PIE.of(np.array([-45.0, -31, 0, 14, 44, 90])).tolist() == [0, 1, 3, 4, 6, 6]
    assert KDEF.of(np.array([-90.0, -45, 0, 45, 90])).tolist() == [0, 1, 2, 3, 4]
    assert len(BU_3DFE) == 5
    assert BU_3DFE.of(np.array([-45.0, 45, 0, -90, NAN])).tolist() == [2, 2, 0, 4, -1]


def test_pitch_adds_bins() -> None:
    classes = PoseClasses.around((-30, 0, 30), (-20, 20))
    assert len(classes) == 6
    assert classes.of(np.array([0.0, 0, 30]), np.array([-5.0, 5, 5])).tolist() == [2, 3, 5]
    assert classes.of(np.array([0.0]), np.array([NAN])).tolist() == [-1]


def test_a_measured_pose_near_a_border_is_not_known() -> None:
    edges, trust = PoseClasses(yaw_edges_deg=(-10.0, 10.0)), PoseTrust(yaw_error_deg=3)
    yaw = np.array([0.0, 6.9, 7.1, 12.9, 13.1, -20, NAN])
    assert edges.measured(yaw, np.zeros(7), trust).tolist() == [1, 1, -1, -1, 2, 0, -1]


def test_beyond_the_reliable_range_only_an_open_bin_is_known() -> None:
    trust = PoseTrust(yaw_error_deg=3, reliable_deg=35)
    yaw = np.array([42.0, -42.0])  # may be 60 just as well
    assert PoseClasses(yaw_edges_deg=(-30.0, 30.0)).measured(yaw, yaw * 0, trust).tolist() == [2, 0]
    assert PoseClasses(yaw_edges_deg=(-52.5, -30.0, 30.0, 52.5)).measured(yaw, yaw * 0, trust).tolist() == [-1, -1]


def test_without_signs_a_reading_near_zero_is_the_first_bin() -> None:
    yaw = np.array([-1.0, 1.0, -14.0])
    assert BU_3DFE.measured(yaw, yaw * 0, PoseTrust(yaw_error_deg=2.7)).tolist() == [0, 0, -1]


@pytest.mark.parametrize("classes", [BU_3DFE, MULTI_PIE, KDEF, PoseClasses.around((-30, 0, 30), (-20, 20))])
def test_the_flipped_class_is_that_of_the_flipped_angle(classes: PoseClasses) -> None:
    rng = np.random.default_rng(0)
    yaw, pitch = rng.uniform(-90, 90, 200), rng.uniform(-40, 40, 200)
    flip = np.array(classes.flip)
    assert np.array_equal(flip[classes.of(yaw, pitch)], classes.of(-yaw, pitch))


def test_borders_that_have_no_symmetry_or_order_are_refused() -> None:
    with pytest.raises(OptionError, match="not symmetric"):
        _ = PoseClasses(yaw_edges_deg=(-10.0, 30.0)).flip
    with pytest.raises(OptionError, match="must ascend"):
        PoseClasses(yaw_edges_deg=(10.0, 10.0))
    with pytest.raises(OptionError, match="above 0"):
        PoseClasses(yaw_edges_deg=(-10.0, 10.0), signed=False)


def test_under_a_flip_signed_poses_change_places_and_unknown_ones_stay() -> None:
    two = PoseClasses(yaw_edges_deg=(0.0,))
    for classes, label in ((FIVE_YAWS, [0, 1, 2, 3, 4, -1]), (two, [0, 1])):
        poses = PoseLabels(classes=classes, label=np.array(label), pseudo=np.ones(len(label), bool))
        expected = [-1 if one < 0 else len(classes) - 1 - one for one in label]
        assert poses.flipped(np.ones(len(label), bool)).tolist() == expected
        assert poses.flipped(np.array([True]), np.array([1])).tolist() == expected[1:2]


def test_prepared_faces_get_pseudo_labels_marked_as_such(tmp_path: Path) -> None:
    store(tmp_path / "out", samples_in(tmp_path / "set", count=20))
    shards = PreparedStore(tmp_path / "out")
    found = pose_labels(shards, FIVE_YAWS)
    known = found.label >= 0
    assert known.any()
    assert not known.all()
    assert np.array_equal(found.pseudo, known)
    assert (found.label[~shards.detected] == -1).all()
    head = shards.column("head_yaw_deg")
    assert np.array_equal(found.label[known], FIVE_YAWS.of(head)[known])
    flipped = np.arange(20) % 2 == 0
    assert np.array_equal(found.flipped(flipped)[known & flipped], 4 - found.label[known & flipped])
    assert (found.flipped(flipped)[~known] == -1).all()


def test_what_the_set_states_goes_before_what_is_measured(tmp_path: Path) -> None:
    samples = samples_in(tmp_path / "set", count=20)
    object.__setattr__(samples, "yaw_deg", np.where(np.arange(20) < 10, 45.0, NAN))
    store(tmp_path / "out", samples)
    found = pose_labels(PreparedStore(tmp_path / "out"), FIVE_YAWS)
    assert found.label[:10].tolist() == [4] * 10
    assert not found.pseudo[:10].any()
    assert found.pseudo[10:].any()
