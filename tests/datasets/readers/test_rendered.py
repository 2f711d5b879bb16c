from __future__ import annotations

import json
from pathlib import Path

import pytest

from mien.datasets import dataset_info
from mien.datasets.readers.rendered import COLUMNS
from mien.errors import DataError, InputError
from tests.datasets.distributions import images, text

VIEWS = dataset_info("rendered")


def line(identity: int, expression: str, take: int, yaw: float, split: str, **other: str) -> str:
    values = {
        "file": f"images/{identity:04d}/{expression}_{take}_yaw{yaw:+g}.jpg",
        "split": split,
        "identity": str(identity),
        "expression": expression,
        "units": "1+2L",
        "intensity": "0" if expression == "neutral" else str(take),
        "take": str(take),
        "yaw_class": f"{yaw:g}",
        "yaw_deg": f"{yaw + 1.25}",
        "pitch_deg": "-4.5",
        "roll_deg": "0.0",
        "left": "10.0",
        "top": "12.0",
        "right": "40.0",
        "bottom": "44.0",
        "landmarks": " ".join(f"{number}.5" for number in range(136)),
        "visible": "1" * 60 + "0" * 8,
        **other,
    }
    return ",".join(values[name] for name in COLUMNS)


LINES = (
    line(0, "neutral", 1, -45, "train"),
    line(0, "fear", 3, -45, "train"),
    line(0, "fear", 3, 45, "train"),
    line(7, "contempt", 4, 0, "test"),
)


def table(folder: Path, *lines: str, count: int) -> None:
    text(folder / "faces.csv", ",".join(COLUMNS), *lines)
    text(folder / "dataset.json", json.dumps({"made_by": "mien data render", "images": count}))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    images(tmp_path / "rendered", *(row.partition(",")[0] for row in LINES), side=64)
    table(tmp_path / "rendered", *LINES, count=4)
    return tmp_path / "rendered"


def test_pose_points_and_box_come_from_the_table(folder: Path) -> None:
    samples = VIEWS.samples(folder.parent, variant="8")
    assert [samples.labels[i] for i in samples.label] == ["neutral", "fear", "fear", "contempt"]
    assert samples.split.tolist() == ["train", "train", "train", "test"]
    assert samples.subject.tolist() == ["0", "0", "0", "7"]
    assert samples.group.tolist() == ["0 neutral 1", "0 fear 3", "0 fear 3", "7 contempt 4"]
    assert samples.yaw_deg.tolist() == [-43.75, -43.75, 46.25, 1.25]
    assert samples.extra["yaw_class"].tolist() == [-45, -45, 45, 0]
    assert samples.extra["intensity"].tolist() == [0, 3, 3, 4]
    assert samples.points[0, 67].tolist() == [134.5, 135.5]
    assert samples.box[0].tolist() == [10, 12, 40, 44]
    assert samples.image(0).shape == (64, 64, 3)


def test_seven_classes_leave_contempt_out(folder: Path) -> None:
    assert len(VIEWS.samples(folder)) == 3


def test_every_broken_line_is_named_and_the_rest_is_kept(folder: Path) -> None:
    broken = (
        line(0, "happiness", 1, 0, "train"),
        line(0, "fear", 3, 45, "train"),
        line(0, "awe", 1, 0, "train"),
        line(0, "fear", 3, 45, "first"),
        line(0, "fear", 3, 45, "train", yaw_deg="left"),
        line(0, "fear", 3, 45, "train", landmarks="1 2 3"),
    )
    table(folder, *LINES, *broken, count=10)
    reading = VIEWS.reading(folder)
    assert [(p.kind, p.where) for p in reading.problems] == [
        ("missing image", "faces.csv:6"),
        ("duplicate", "faces.csv:7"),
        ("unknown label", "faces.csv:8"),
        ("wrong column", "faces.csv:9"),
        ("wrong column", "faces.csv:10"),
        ("wrong column", "faces.csv:11"),
    ]
    assert len(reading.samples) == 3


def test_a_set_that_is_not_whole_says_how_to_go_on(folder: Path) -> None:
    table(folder, *LINES[:2], count=4)
    with pytest.raises(DataError, match=r"2 rows; dataset\.json counts 4 images; run `mien data render` again"):
        VIEWS.samples(folder)
    (folder / "faces.csv").unlink()
    with pytest.raises(DataError, match=r"faces\.csv is not there; run `mien data render` again"):
        VIEWS.samples(folder)


def test_a_table_without_a_column_and_a_damaged_record_are_problems(folder: Path) -> None:
    text(folder / "faces.csv", "file,split", "images/a.jpg,train")
    with pytest.raises(DataError, match=r"faces\.csv:1: .*column identity, .* is missing"):
        VIEWS.samples(folder)
    table(folder, *LINES, count=4)
    text(folder / "dataset.json", "{")
    with pytest.raises(DataError, match=r"dataset\.json: it is damaged"):
        VIEWS.samples(folder)


def test_another_folder_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"dataset\.json is not there; give its folder"):
        VIEWS.samples(tmp_path)


def test_an_image_that_cannot_be_decoded_is_named(folder: Path) -> None:
    (folder / "images/0000/fear_3_yaw+45.jpg").write_bytes(b"\xff\xd8 cut")
    with pytest.raises(InputError, match=r"fear_3_yaw\+45\.jpg"):
        VIEWS.samples(folder).image(2)


def test_what_is_read_is_what_is_rendered() -> None:
    dataset = pytest.importorskip("mien.synthetic.generate")
    assert set(COLUMNS) <= set(dataset.COLUMNS)
