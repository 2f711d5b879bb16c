"""Which images are held out, on fabricated archives."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from research.fer.muxspace_people import main as write_table
from research.held_out import by_class, ferplus_validation, muxspace, muxspace_people

PEOPLE = [f"Person_{letter}" for letter in "abcdefghijklmnopqrst"]


def png(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """Two images of each person, the second of some labelled contempt."""
    rows = [
        (f"{person}_{number:04d}.png", "contempt" if number == 2 and i % 3 == 0 else "happiness")
        for i, person in enumerate(PEOPLE)
        for number in (1, 2)
    ]
    with zipfile.ZipFile(tmp_path / "muxspace.zip", "w") as archive:
        archive.writestr("legend.csv", "image,emotion\n" + "".join(f"{name},{label}\n" for name, label in rows))
        for seed, (name, _) in enumerate(rows):
            archive.writestr(f"images/{name}", png(seed))
    return tmp_path / "muxspace.zip"


def test_a_person_is_in_one_split_and_none_held_out_is_trained_on(people: Path) -> None:
    samples, held_out = muxspace(people), muxspace_people(people)
    assert samples.subject is not None
    split_of = dict(zip(samples.subject.tolist(), samples.split.tolist(), strict=True))
    assert [split_of[person] for person in samples.subject.tolist()] == samples.split.tolist()
    assert set(split_of.values()) == {"train", "valid", "test"}
    assert {split_of[person] for person in held_out.clusters.tolist()} == {"valid", "test"}
    assert "contempt" not in {held_out.samples.labels[label] for label in held_out.truth}


def test_the_table_of_people_has_every_image_with_its_split(people: Path, tmp_path: Path) -> None:
    write_table([str(people), "--out", str(tmp_path / "out")])
    lines = (tmp_path / "out/people.csv").read_text().splitlines()
    assert lines[0] == "path,label,split,subject"
    assert len(lines) == 1 + 2 * len(PEOPLE)
    path, _, split, subject = lines[1].split(",")
    assert (tmp_path / "out" / path).is_file()
    assert (split, subject) in {
        (s, p) for s, p in zip(muxspace(people).split, muxspace(people).subject, strict=True)
    }


def test_tied_votes_are_left_out_and_repeats_of_training_images_on_request(tmp_path: Path) -> None:
    votes = [
        "Training,fer0.png,9,0",
        "PublicTest,fer1.png,9,0",
        "PublicTest,fer2.png,0,9",
        "PublicTest,fer3.png,5,5",
    ]
    header = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
    with zipfile.ZipFile(tmp_path / "ferplus.zip", "w") as archive:
        archive.writestr("fer2013new.csv", "\n".join([header, *(f"{line}{',0' * 8}" for line in votes), ""]))
        archive.writestr("FER2013Train/fer0.png", png(0))
        for number, seed in ((1, 0), (2, 2), (3, 3)):  # fer1 repeats fer0
            archive.writestr(f"FER2013Valid/fer{number}.png", png(seed))
    everything = ferplus_validation(tmp_path / "ferplus.zip")
    assert everything.clusters.tolist() == ["FER2013Valid/fer1.png", "FER2013Valid/fer2.png"]
    assert everything.truth.tolist() == [0, 1]
    assert [rows.tolist() for rows in by_class(everything)[:2]] == [[0], [1]]
    alone = ferplus_validation(tmp_path / "ferplus.zip", deduplicated=True)
    assert alone.clusters.tolist() == ["FER2013Valid/fer2.png"]
    assert [image.shape for image in alone.images()] == [(48, 48, 3)]
