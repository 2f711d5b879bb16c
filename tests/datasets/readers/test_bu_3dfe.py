from __future__ import annotations

from pathlib import Path

import pytest

from mien.datasets import dataset_info
from mien.errors import DataError, InputError
from tests.datasets.distributions import images, text

BU_3DFE = dataset_info("bu-3dfe")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    top = tmp_path / "BU_3DFE"
    images(
        top,
        "F0001/F0001_AN01WH_F2D.bmp",
        "F0001/F0001_AN01WH_F3D.bmp",
        "F0001/F0001_NE00WH_F2D.bmp",
        "M0044/M0044_SU04IN_F2D.bmp",
    )
    text(top / "F0001/F0001_AN01WH_F3D.wrl", "#VRML V2.0 utf8")
    return tmp_path


@pytest.fixture
def views(folder: Path) -> Path:
    images(
        folder / "BU_3DFE/views",
        "F0001_AN01WH_y+0_p+0.png",
        "F0001_AN01WH_y-90_p+15.png",
        "M0044_SU04IN_F3D_y30_p-15.png",
        "M0044_NE00IN_y+30_p+0.png",
    )
    return folder


def test_frontal_images_are_the_f2d_ones(folder: Path) -> None:
    samples = BU_3DFE.samples(folder, variant="frontal-7")
    assert samples.path.tolist() == [
        "F0001/F0001_AN01WH_F2D.bmp", "F0001/F0001_NE00WH_F2D.bmp", "M0044/M0044_SU04IN_F2D.bmp",
    ]  # fmt: skip
    assert samples.subject.tolist() == ["F0001", "F0001", "M0044"]
    assert samples.extra["intensity"].tolist() == [1, 0, 4]
    assert samples.extra["ancestry"].tolist() == ["WH", "WH", "IN"]
    assert samples.yaw_deg.tolist() == [0, 0, 0]
    assert samples.image(0).shape == (48, 48, 3)


def test_six_expressions_leave_neutral_out(folder: Path) -> None:
    assert len(BU_3DFE.samples(folder, variant="frontal-6")) == 2


def test_views_state_their_pose_and_belong_to_their_scan(views: Path) -> None:
    samples = BU_3DFE.samples(views)
    assert samples.yaw_deg.tolist() == [0, -90, 30]
    assert samples.pitch_deg.tolist() == [0, 15, -15]
    assert samples.group.tolist() == ["F0001_AN01WH", "F0001_AN01WH", "M0044_SU04IN"]
    assert len(BU_3DFE.samples(views, variant="views-7")) == 4


def test_without_rendered_views_the_naming_is_told(folder: Path) -> None:
    with pytest.raises(DataError, match=r"no rendered view is there; .*F0001_AN01WH_y\+30_p-15\.png"):
        BU_3DFE.samples(folder)


def test_strange_names_codes_and_copies_are_problems(views: Path) -> None:
    images(
        views / "BU_3DFE/views",
        "F0002_AN00WH_y+0_p+0.png",
        "F0002_AN01XX_y+0_p+0.png",
        "F0002_AN01WH_left.png",
        "F0002_XX01WH_y+0_p+0.png",
        "more/F0001_AN01WH_y+0_p+0.png",
    )
    reading = BU_3DFE.reading(views)
    assert [(p.kind, p.where.rpartition("/")[2]) for p in reading.problems] == [
        ("misnamed", "F0002_AN01WH_left.png"),
        ("duplicate", "F0001_AN01WH_y+0_p+0.png"),
        ("misnamed", "F0002_AN00WH_y+0_p+0.png"),
        ("misnamed", "F0002_AN01XX_y+0_p+0.png"),
        ("unknown label", "F0002_XX01WH_y+0_p+0.png"),
    ]
    assert len(reading.samples) == 3


def test_an_image_that_cannot_be_decoded_is_named(folder: Path) -> None:
    (folder / "BU_3DFE/F0001/F0001_AN01WH_F2D.bmp").write_bytes(b"BM")
    with pytest.raises(InputError, match=r"F0001_AN01WH_F2D\.bmp"):
        BU_3DFE.samples(folder, variant="frontal-6").image(0)
