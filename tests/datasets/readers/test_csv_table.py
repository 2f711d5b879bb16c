from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from mien.datasets import dataset_info
from mien.errors import DataError, InputError
from tests.datasets.distributions import images, text

CSV = dataset_info("csv")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    images(tmp_path, "images/a.png", "images/b.png", "images/c.png")
    return tmp_path


def problems(folder: Path, *lines: str, variant: str = "ferplus") -> list[tuple[str, str, str]]:
    text(folder / "labels.csv", *lines)
    return [(p.kind, p.where, p.what) for p in CSV.reading(folder, variant=variant).problems]


def test_an_image_and_a_label_are_enough(folder: Path) -> None:
    text(
        folder / "labels.csv", "Image, Emotion", "images/a.png, happy", "images\\b.png,ANGER", "./images/c.png,fear"
    )
    samples = CSV.samples(folder)
    assert samples.path.tolist() == ["images/a.png", "images/b.png", "images/c.png"]
    assert [samples.labels[i] for i in samples.label] == ["happiness", "anger", "fear"]
    assert samples.splits == []
    assert samples.image(1).shape == (48, 48, 3)


def test_all_columns_are_read(folder: Path) -> None:
    text(
        folder / "labels.csv",
        "file,label,split,subject,yaw_deg,pitch_deg,left,top,right,bottom,camera",
        "images/a.png,happy,training,anna,-30,5.5,1,2,30,40,x",
        "images/b.png,sad,val,,,,,,,,y",
    )
    samples = CSV.samples(folder)
    assert samples.split.tolist() == ["train", "valid"]
    assert samples.subject.tolist() == ["anna", ""]
    assert np.array_equal(samples.yaw_deg, [-30, np.nan], equal_nan=True)
    assert samples.box[0].tolist() == [1, 2, 30, 40]
    assert np.isnan(samples.box[1]).all()
    assert CSV.reading(folder).notes == ("columns that are not used: camera",)


def test_several_faces_of_one_image_differ_in_their_boxes(folder: Path) -> None:
    header, face = "path,label,left,top,right,bottom", "images/a.png,happy,1,1,20,20"
    text(folder / "labels.csv", header, face, "images/a.png,sad,22,1,40,20", face)
    reading = CSV.reading(folder)
    assert len(reading.samples) == 2
    assert [(p.kind, p.where) for p in reading.problems] == [("duplicate", "labels.csv:4")]


def test_numbers_follow_the_order_that_is_named(folder: Path) -> None:
    text(folder / "labels.csv", "path,label", "images/a.png,1", "images/b.png,7")
    samples = CSV.samples(folder, variant="raf-db")
    assert [samples.labels[i] for i in samples.label] == ["surprise", "neutral"]
    with pytest.raises(DataError, match="numbers need an order of classes"):
        CSV.samples(folder)


def test_votes_are_normalised_and_give_the_label_where_there_is_none(folder: Path) -> None:
    text(
        folder / "labels.csv",
        "path,label,happy,sad,neutral",
        "images/a.png,,6,2,0",
        "images/b.png,,5,,5",
        "images/c.png,sad,9,1,0",
    )
    samples = CSV.samples(folder)
    happiness, sadness = (samples.labels.index(name) for name in ("happiness", "sadness"))
    assert samples.label.tolist() == [happiness, -1, sadness]
    assert samples.votes[0, happiness] == 0.75
    assert samples.votes.sum(axis=1).tolist() == [1, 1, 1]


def test_other_labels_are_classes_of_ones_own(folder: Path) -> None:
    text(folder / "labels.csv", "path,label", "images/a.png,sad", "images/b.png, Bored", "images/c.png,3")
    reading = CSV.reading(folder)
    assert reading.samples.labels == ("sadness", "bored")
    assert reading.samples.label.tolist() == [0, 1]
    assert [problem.where for problem in reading.problems] == ["labels.csv:4"]
    assert "classes beyond the eight of FER+: bored" in reading.notes


def test_soft_labels_of_ones_own_classes_have_columns(folder: Path) -> None:
    text(folder / "labels.csv", "path,p_happy,p_bored,notes", "images/a.png,0.25,0.75,x", "images/b.png,1,,y")
    samples = CSV.samples(folder)
    assert samples.labels == ("happiness", "bored")
    assert samples.votes.tolist() == [[0.25, 0.75], [1, 0]]
    assert samples.label.tolist() == [1, 0]


def test_labels_that_their_votes_contradict_are_noted(folder: Path) -> None:
    text(folder / "labels.csv", "path,label,happy,sad", "images/a.png,sad,3,1", "images/b.png,sad,1,1")
    (note,) = CSV.reading(folder).notes
    assert note == "in 1 line another class has more votes than the label: the votes train, the label tests"


def test_the_table_itself_can_be_pointed_at(folder: Path) -> None:
    text(folder / "one.csv", "path,label", "images/a.png,happy")
    text(folder / "two.csv", "path,label", "images/a.png,happy", "images/b.png,sad")
    samples = CSV.samples(folder / "two.csv")
    assert len(samples) == 2
    assert pickle.loads(pickle.dumps(samples.files)).read("images/a.png")
    with pytest.raises(DataError, match=r"2 tables: one\.csv, two\.csv; give the path of the CSV itself"):
        CSV.samples(folder)


def test_a_table_further_down_has_its_images_beside_it(folder: Path) -> None:
    text(folder / "images/labels.csv", "path,label", "a.png,happy")
    assert CSV.samples(folder).path.tolist() == ["a.png"]


def test_every_broken_line_is_named_and_the_rest_is_kept(folder: Path) -> None:
    lines = (
        "path,label,split,yaw_deg,left,top,right,bottom",
        "images/a.png,happy,train,10,0,0,9,9",
        "images/z.png,happy,train,,,,,",
        "images/b.png,joyous,train,,,,,",
        "images/a.png,happy,train,,0,0,9,9",
        "images/b.png,happy,trial,,,,,",
        "images/b.png,happy,train,left,,,,",
        "images/b.png,happy,train,200,,,,",
        "images/b.png,happy,train,,1,2,,",
        "images/b.png,happy,train,,5,5,1,9",
        "../b.png,happy,train,,,,,",
        "/data/b.png,happy,train,,,,,",
        ",happy,train,,,,,",
        "images/b.png,,train,,,,,",
        "images/b.png",
        "images/c.png,sad,test,nan,,,,",
    )
    assert problems(folder, *lines) == [
        ("missing image", "labels.csv:3", "images/z.png is not there"),
        ("unknown label", "labels.csv:4", "label 'joyous' is unknown"),
        ("duplicate", "labels.csv:5", "images/a.png 0 0 9 9 stands in labels.csv:2 already"),
        ("wrong column", "labels.csv:6", "split 'trial' is unknown"),
        ("wrong column", "labels.csv:7", "yaw_deg is 'left'"),
        ("wrong column", "labels.csv:8", "yaw_deg is '200'"),
        ("wrong column", "labels.csv:9", "the box is incomplete"),
        ("wrong column", "labels.csv:10", "the box 5 5 1 9 is empty"),
        ("wrong column", "labels.csv:11", "../b.png is not below the folder of the table"),
        ("wrong column", "labels.csv:12", "/data/b.png is not below the folder of the table"),
        ("wrong column", "labels.csv:13", "there is no path"),
        ("unknown label", "labels.csv:14", "there is no label"),
        ("unknown label", "labels.csv:15", "there is no label"),
        ("wrong column", "labels.csv:16", "yaw_deg is 'nan'"),
    ]
    assert len(CSV.samples(folder, variant="ferplus", skip_broken=True)) == 1


@pytest.mark.parametrize(
    ("header", "what"),
    [
        ("photo,label", "no column for the image; found photo, label"),
        ("path,kind", "no column for the class; found path, kind"),
        ("path;label", "columns are separated by ';'"),
        ("path,happy,joy", "two columns of votes for one class"),
        ("path,happy,scream", "votes for scream"),
        ("path,label,Label", "two columns are called label"),
        ("path,label,left,top", "a box needs left, top, right, bottom"),
        ("", "no column for the image; found nothing"),
    ],
)
def test_a_wrong_header_is_the_only_problem(folder: Path, header: str, what: str) -> None:
    [(kind, where, found)] = problems(folder, header, "images/a.png,happy")
    assert (kind, where) == ("wrong column", "labels.csv:1")
    assert found.startswith(what)


def test_a_quotation_mark_that_is_not_closed_is_named(folder: Path) -> None:
    [(kind, where, what)] = problems(folder, "path,label", '"images/a.png,happy', "images/b.png,sad")
    assert (kind, where) == ("wrong column", "labels.csv:3")
    assert what.startswith("a quotation mark above swallows lines")


@pytest.mark.parametrize("word", ["1.0", "-1", "8"])
def test_a_number_that_is_no_class_is_told_the_numbers(folder: Path, word: str) -> None:
    text(folder / "labels.csv", "path,label", f"images/a.png,{word}")
    [problem] = CSV.reading(folder, variant="raf-db").problems
    assert problem.remedy == "raf-db numbers its classes 1 to 7"


def test_a_folder_without_a_table_says_so(folder: Path) -> None:
    with pytest.raises(DataError, match="there is no CSV; give the path of the CSV itself"):
        CSV.samples(folder)


def test_an_image_that_cannot_be_decoded_is_named(folder: Path) -> None:
    text(folder / "labels.csv", "path,label", "images/a.png,happy")
    (folder / "images/a.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"images/a\.png: the file is empty"):
        CSV.samples(folder).image(0)
