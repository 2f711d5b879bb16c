from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mien.datasets import dataset_info
from mien.datasets.readers.ferplus import label_and_votes
from mien.errors import DataError, InputError
from tests.datasets.distributions import image, pixel_line, text

SET = dataset_info("ferplus")
HEADER = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
VOTES = (
    HEADER,
    "Training,fer0000000.png,4,0,0,1,3,2,0,0,0,0",
    "Training,,0,0,0,0,0,0,0,0,0,10",
    "PublicTest,fer0000001.png,0,8,2,0,0,0,0,0,0,0",
    "PrivateTest,fer0000002.png,0,5,5,0,0,0,0,0,0,0",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    text(tmp_path / "FERPlus/fer2013new.csv", *VOTES)
    for i, split in enumerate(("Train", "Valid", "Test")):
        image(tmp_path / f"FERPlus/data/FER2013{split}/fer000000{i}.png", seed=i, grey=True)
    return tmp_path


@pytest.fixture
def table(tmp_path: Path) -> Path:
    text(tmp_path / "fer2013new.csv", *VOTES)
    usages = ("Training", "Training", "PublicTest", "PrivateTest")
    lines = [pixel_line(0, usage, seed=i) for i, usage in enumerate(usages)]
    text(tmp_path / "fer2013/fer2013.csv", "emotion,pixels,Usage", *lines)
    return tmp_path


def test_folders_are_read_wherever_the_votes_lie_and_removed_rows_are_no_matter(folder: Path) -> None:
    samples = SET.samples(folder)
    assert samples.path.tolist() == [
        "data/FER2013Train/fer0000000.png",
        "data/FER2013Valid/fer0000001.png",
        "data/FER2013Test/fer0000002.png",
    ]
    assert samples.split.tolist() == ["train", "valid", "test"]
    assert samples.label.tolist() == [0, 1, -1]
    np.testing.assert_allclose(samples.votes[0], np.array([4, 0, 0, 0, 3, 2, 0, 0]) / 9)
    assert samples.image(0).shape == (48, 48, 3)


def test_rows_of_the_pixel_table_are_images_and_travel_between_processes(table: Path) -> None:
    samples = pickle.loads(pickle.dumps(SET.samples(table)))
    assert samples.path.tolist() == [f"fer2013/fer2013.csv#{row}" for row in (0, 2, 3)]
    assert samples.split.tolist() == ["train", "valid", "test"]
    for row, seed in enumerate((0, 2, 3)):
        pixels = np.array(pixel_line(0, "", seed=seed).split(",")[1].split(), dtype=np.uint8)
        np.testing.assert_array_equal(samples.image(row)[..., 1].ravel(), pixels)


def test_the_folders_own_lists_will_do(tmp_path: Path) -> None:
    text(tmp_path / "FER2013Train/label.csv", "fer0000000.png,4,0,0,1,3,2,0,0,0,0")
    text(tmp_path / "FER2013Valid/label.csv", '"fer0000001.png","(0, 0, 48, 48)",0,8,2,0,0,0,0,0,0,0')
    image(tmp_path / "FER2013Train/fer0000000.png")
    image(tmp_path / "FER2013Valid/fer0000001.png")
    assert SET.samples(tmp_path).label.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("counts", "most", "over_half", "votes"),
    [
        ([9, 1, 0, 0, 0, 0, 0, 0, 0, 0], "neutral", "neutral", [1, 0, 0, 0, 0, 0, 0, 0]),
        ([4, 0, 0, 1, 3, 2, 0, 0, 0, 0], "neutral", None, [4 / 9, 0, 0, 0, 3 / 9, 2 / 9, 0, 0]),
        ([5, 5, 0, 0, 0, 0, 0, 0, 0, 0], None, None, [0.5, 0.5, 0, 0, 0, 0, 0, 0]),
        ([5, 1, 1, 1, 1, 1, 0, 0, 0, 0], "neutral", "neutral", [1, 0, 0, 0, 0, 0, 0, 0]),
        ([4, 0, 0, 0, 0, 0, 0, 0, 6, 0], None, None, None),  # "unknown" wins
        ([0, 0, 0, 0, 0, 0, 0, 0, 0, 10], None, None, None),
        ([1] * 10, None, None, None),
    ],
)
def test_votes_are_evaluated_as_published(
    counts: list[int], most: str | None, over_half: str | None, votes: list[float] | None
) -> None:
    for rule, expected in ((False, most), (True, over_half)):
        label, found = label_and_votes(counts, over_half=rule)
        assert label == expected
        assert found is None if votes is None else found.tolist() == pytest.approx(votes)


def test_every_broken_row_is_named_and_the_rest_is_kept(folder: Path) -> None:
    text(folder / "FERPlus/fer2013new.csv", *VOTES,
         "Training,fer0000009.png,9,1,0,0,0,0,0,0,0,0",
         "Training,fer0000000.png,9,1,0,0,0,0,0,0,0,0",
         "Training,fer0000003.png,9,one,0,0,0,0,0,0,0,0",
         "Holdout,fer0000004.png,9,1,0,0,0,0,0,0,0,0",
         "Training,fer0000003.png,9,²,0,0,0,0,0,0,0,0")  # fmt: skip
    reading = SET.reading(folder)
    assert [(p.kind, p.where) for p in reading.problems] == [
        ("missing image", "fer2013new.csv:6"),
        ("duplicate", "fer2013new.csv:7"),
        ("wrong column", "fer2013new.csv:8"),
        ("wrong column", "fer2013new.csv:9"),
        ("wrong column", "fer2013new.csv:10"),
    ]
    assert len(reading.samples) == 3


def test_a_split_that_was_not_unpacked_is_a_note(folder: Path) -> None:
    (folder / "FERPlus/data/FER2013Test/fer0000002.png").unlink()
    reading = SET.reading(folder)
    assert reading.problems == ()
    assert reading.notes == ("no image of the test split is there (1 listed); unpack it to have it",)
    assert reading.samples.splits == ["train", "valid"]


def test_no_image_at_all_is_one_problem(tmp_path: Path) -> None:
    text(tmp_path / "fer2013new.csv", *VOTES, "Training,fer0000005.png,9,1,0,0,0,0,0,0,0,0")
    (problem,) = SET.reading(tmp_path).problems
    assert problem.kind == "missing image"
    assert problem.what == "none of the 4 images that are listed is there"


def test_a_missing_column_is_named(folder: Path) -> None:
    text(folder / "FERPlus/fer2013new.csv", HEADER.replace(",contempt", ""))
    with pytest.raises(DataError, match=r"fer2013new.csv:1: column contempt is missing"):
        SET.reading(folder)


def test_an_unreadable_image_is_named(folder: Path) -> None:
    (folder / "FERPlus/data/FER2013Valid/fer0000001.png").write_bytes(b"\x89PNG\r\n\x1a\nhalf")
    with pytest.raises(InputError, match="FER2013Valid/fer0000001.png"):
        SET.samples(folder).image(1)


def test_tables_that_do_not_go_together_are_refused(table: Path) -> None:
    text(table / "fer2013new.csv", *VOTES[:-1])
    assert "3 rows of votes for 4 images" in SET.reading(table).problems[0].what
    text(table / "fer2013new.csv", *VOTES[:-1], VOTES[1])
    assert "Usage is 'Training', but 'PrivateTest'" in SET.reading(table).problems[0].what


def test_nothing_of_the_set_says_what_to_get(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"fer2013new.csv is not there; get it from github.com/microsoft/FERPlus"):
        SET.samples(tmp_path)


@pytest.mark.parametrize("variant", SET.variants)
def test_the_real_set_has_the_published_counts(real: Callable[[str], Path], variant: str) -> None:
    reading = SET.reading(real("ferplus.zip"), variant=variant)
    assert reading.problems == ()
    counts = reading.samples.counts()
    for split in ("train", "valid"):
        assert counts[split] == SET.published(variant)[split]
    assert [sum(counts[split].values()) for split in ("train", "valid")] == [28558, 3579]
    assert reading.samples.image(20000).shape == (48, 48, 3)
