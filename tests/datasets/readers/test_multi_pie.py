from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mien.datasets import dataset_info
from mien.datasets.readers.multi_pie import SEVEN_VIEWS, YAW_DEG
from mien.errors import InputError
from tests.datasets.distributions import images

MULTI_PIE = dataset_info("multi-pie")


def name(subject: str, session: str, recording: str, camera: str, illumination: str = "07") -> str:
    folder = f"data/session{session}/multiview/{subject}/{recording}/{camera[:2]}_{camera[2]}"
    return f"{folder}/{subject}_{session}_{recording}_{camera}_{illumination}.png"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    images(
        tmp_path,
        name("001", "01", "02", "051"),
        name("001", "01", "02", "051", "00"),
        name("001", "01", "02", "240"),
        name("001", "02", "03", "110"),
        name("002", "04", "02", "081"),
        name("002", "04", "03", "130"),
        "data/session01/highres/001/001_01_01.jpg",
    )
    return tmp_path


def test_session_and_recording_say_the_expression(folder: Path) -> None:
    samples = MULTI_PIE.samples(folder)
    assert [samples.labels[i] for i in samples.label] == [
        "happiness", "happiness", "happiness", "squint", "neutral", "scream",
    ]  # fmt: skip


def test_a_group_is_one_recording_under_all_cameras_and_lights(folder: Path) -> None:
    samples = MULTI_PIE.samples(folder)
    assert samples.group.tolist()[:4] == ["001_01_02", "001_01_02", "001_01_02", "001_02_03"]
    assert samples.extra["illumination"].tolist()[:2] == [0, 7]


def test_a_camera_that_sees_the_right_profile_has_positive_yaw(folder: Path) -> None:
    samples = MULTI_PIE.samples(folder)
    assert np.array_equal(samples.yaw_deg, [0, 0, 90, -90, np.nan, -30], equal_nan=True)
    assert np.array_equal(samples.pitch_deg, [0, 0, 0, 0, np.nan, 0], equal_nan=True)
    assert sorted(YAW_DEG.values()) == list(range(-90, 91, 15))


def test_seven_views_are_those_that_the_pose_classes_of_the_recipe_name(folder: Path) -> None:
    samples = MULTI_PIE.samples(folder, variant="7-views")
    assert samples.yaw_deg.tolist() == [0, 0, -30]
    assert sorted(YAW_DEG[camera] for camera in SEVEN_VIEWS) == list(range(-45, 46, 15))


def test_strange_names_recordings_cameras_and_copies_are_problems(folder: Path) -> None:
    images(
        folder,
        name("003", "01", "03", "051"),
        name("003", "01", "01", "999"),
        "data/session01/multiview/003/01/05_1/thumb.png",
        "later/001_01_02_051_07.png",
    )
    reading = MULTI_PIE.reading(folder)
    assert [(p.kind, p.where.rpartition("/")[2]) for p in reading.problems] == [
        ("misnamed", "thumb.png"),
        ("duplicate", "001_01_02_051_07.png"),
        ("misnamed", "003_01_01_999_07.png"),
        ("unknown label", "003_01_03_051_07.png"),
    ]
    assert len(reading.samples) == 6


def test_an_image_that_cannot_be_decoded_is_named(folder: Path) -> None:
    (folder / name("001", "01", "02", "051")).write_bytes(b"\x89PNG cut")
    with pytest.raises(InputError, match=r"001_01_02_051_07\.png"):
        MULTI_PIE.samples(folder).image(1)
