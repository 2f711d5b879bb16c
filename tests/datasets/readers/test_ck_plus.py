from __future__ import annotations

from pathlib import Path

import pytest

from mien.datasets import dataset_info
from mien.errors import DataError, InputError
from tests.datasets.distributions import images, pixel_line, text

CK_PLUS = dataset_info("ck+")
IMAGES = "extended-cohn-kanade-images/cohn-kanade-images"


def sequence(top: Path, subject: str, number: str, frames: int, emotion: str | None) -> None:
    stem = f"{subject}_{number}_{{:08}}"
    images(top, *(f"{IMAGES}/{subject}/{number}/{stem.format(i)}.png" for i in range(1, frames + 1)))
    folder = top / f"Emotion/{subject}/{number}"
    folder.mkdir(parents=True)
    if emotion is not None:
        text(folder / f"{stem.format(frames)}_emotion.txt", f"   {emotion}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    top = tmp_path / "CK+"
    sequence(top, "S005", "001", 6, "3.0000000e+00")
    sequence(top, "S010", "002", 5, "2.0000000e+00")
    sequence(top, "S010", "003", 4, None)
    return top


def landmarks(folder: Path, frame: str, lines: int = 68) -> None:
    subject, number, _ = frame.split("_")
    points = (f"   {100 + i:.7e}   {200 + i:.7e}" for i in range(lines))
    text(folder / f"Landmarks/{subject}/{number}/{frame}_landmarks.txt", *points)


def test_the_last_three_frames_show_the_class_and_the_first_is_neutral(folder: Path) -> None:
    samples = CK_PLUS.samples(folder)
    assert [path.rpartition("_")[2] for path in samples.path] == [
        "00000001.png", "00000004.png", "00000005.png", "00000006.png",
        "00000001.png", "00000003.png", "00000004.png", "00000005.png",
    ]  # fmt: skip
    assert [samples.labels[i] for i in samples.label] == [
        "neutral", "disgust", "disgust", "disgust", "neutral", "contempt", "contempt", "contempt",
    ]  # fmt: skip
    assert samples.subject.tolist() == ["S005"] * 4 + ["S010"] * 4
    assert set(samples.group) == {"S005_001", "S010_002"}
    assert samples.points is None
    assert samples.image(0).shape == (48, 48, 3)


def test_seven_classes_leave_out_sequences_of_contempt(folder: Path) -> None:
    samples = CK_PLUS.samples(folder, variant="7")
    assert set(samples.group) == {"S005_001"}
    assert "contempt" not in samples.labels
    [note] = CK_PLUS.reading(folder, variant="7").notes
    assert note.startswith("1 left out: contempt")


def test_landmarks_are_read_where_they_are(folder: Path) -> None:
    landmarks(folder, "S005_001_00000006")
    samples = CK_PLUS.samples(folder)
    assert samples.points.shape == (8, 68, 2)
    assert samples.points[3, 67].tolist() == [167, 267]


def test_every_broken_sequence_is_named_and_the_rest_is_kept(folder: Path) -> None:
    sequence(folder, "S011", "001", 5, "9.0000000e+00")
    sequence(folder, "S011", "002", 5, "happy")
    sequence(folder, "S011", "003", 5, "5.0000000e+00")
    (folder / IMAGES / "S011/003/S011_003_00000005.png").unlink()
    text(folder / "Emotion/S012/001/S012_001_00000014_emotion.txt", "1.0")
    landmarks(folder, "S005_001_00000006", lines=60)
    reading = CK_PLUS.reading(folder)
    assert [(p.kind, p.where.rpartition("/")[2]) for p in reading.problems] == [
        ("wrong column", "S005_001_00000006_landmarks.txt"),
        ("unknown label", "S011_001_00000005_emotion.txt:1"),
        ("unknown label", "S011_002_00000005_emotion.txt:1"),
        ("missing image", "S011_003_00000005_emotion.txt:1"),
        ("missing image", "S012_001_00000014_emotion.txt:1"),
    ]
    assert len(reading.samples) == 7


def test_frames_without_emotions_say_which_archive_is_missing(tmp_path: Path) -> None:
    images(tmp_path, f"{IMAGES}/S005/001/S005_001_00000001.png")
    with pytest.raises(DataError, match=r"unpack Emotion_labels\.zip; or take the variant 48"):
        CK_PLUS.samples(tmp_path)


def test_an_image_that_cannot_be_decoded_is_named(folder: Path) -> None:
    (folder / IMAGES / "S005/001/S005_001_00000001.png").write_bytes(b"\x89PNG cut")
    with pytest.raises(InputError, match=r"S005_001_00000001\.png"):
        CK_PLUS.samples(folder).image(0)


def test_the_48_pixel_copy_is_read_by_its_folders(tmp_path: Path) -> None:
    images(
        tmp_path / "CK+48",
        "anger/S010_004_00000017.png",
        "happy/S010_006_00000013.png",
        "contempt/S138_008_00000007.png",
    )
    samples = CK_PLUS.samples(tmp_path, variant="48")
    assert [samples.labels[i] for i in samples.label] == ["anger", "contempt", "happiness"]
    assert samples.subject.tolist() == ["S010", "S138", "S010"]
    images(tmp_path / "CK+48", "awe/S010_001_00000001.png", "happy/S010_004_00000017.png", "happy/me.png")
    assert [(p.kind, p.where) for p in CK_PLUS.reading(tmp_path, variant="48").problems] == [
        ("duplicate", "happy/S010_004_00000017.png"),
        ("misnamed", "happy/me.png"),
        ("unknown label", "awe/S010_001_00000001.png"),
    ]


def test_the_published_counts_add_up() -> None:
    assert sum(CK_PLUS.expected["8"][""].values()) == 327 * 4
    assert sum(CK_PLUS.expected["48"][""].values()) == 981


def test_the_table_of_pixels_is_read_row_by_row(tmp_path: Path) -> None:
    rows = [pixel_line(7, "Training", seed=1), pixel_line(6, "PublicTest"), pixel_line(3, "PrivateTest")]
    text(tmp_path / "ckextended.csv", "emotion,pixels,Usage", *rows)
    samples = CK_PLUS.samples(tmp_path, variant="48-csv")
    assert [samples.labels[i] for i in samples.label] == ["contempt", "neutral", "happiness"]
    assert samples.split.tolist() == ["train", "valid", "test"]
    assert samples.image(0).shape == (48, 48, 3)
    text(tmp_path / "ckextended.csv", "emotion,pixels,Usage", *rows, pixel_line(8, "Training"), "3,1 2 3")
    assert [(p.kind, p.where) for p in CK_PLUS.reading(tmp_path, variant="48-csv").problems] == [
        ("wrong column", "ckextended.csv:6"),
        ("unknown label", "ckextended.csv:5"),
    ]


def test_a_folder_without_the_table_of_pixels_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"ckextended\.csv is not there"):
        CK_PLUS.samples(tmp_path, variant="48-csv")
