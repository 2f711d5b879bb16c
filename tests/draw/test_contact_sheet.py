from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien.cli.app import run
from mien.draw.contact_sheet import Strip, class_strips, contact_sheet
from tests.datasets.distributions import image, text
from tests.datasets.tables import table


def strip(*images: np.ndarray | None, title: str = "fear") -> Strip:
    return Strip(title=title, caption="train 3", colour="#CC79A7", images=images)


RED = np.full((30, 60, 3), (200, 0, 0), dtype=np.uint8)


def test_a_wide_image_keeps_its_shape_in_a_square_cell() -> None:
    sheet = contact_sheet([strip(RED)], cell_px=40, columns=2)
    red = (sheet == (200, 0, 0)).all(axis=2)
    rows, columns = np.flatnonzero(red.any(axis=1)), np.flatnonzero(red.any(axis=0))
    assert (len(rows), len(columns)) == (20, 40)


def test_a_sheet_grows_by_lines_and_classes() -> None:
    one = contact_sheet([strip(RED)], cell_px=40, columns=2)
    three = contact_sheet([strip(RED, RED, RED)], cell_px=40, columns=2)
    both = contact_sheet([strip(RED), strip()], cell_px=40, columns=2)
    assert three.shape[0] == one.shape[0] + 44
    assert both.shape[0] > one.shape[0]
    assert one.shape[1] == three.shape[1] == both.shape[1]


def test_an_unreadable_image_has_a_crossed_cell() -> None:
    good, bad = (contact_sheet([strip(one)], cell_px=60, columns=1) for one in (RED, None))
    assert not (bad == (200, 0, 0)).all(axis=2).any()
    assert (bad == (176, 0, 32)).all(axis=2).sum() > 100
    assert good.shape == bad.shape


def test_the_seed_chooses_the_images(tmp_path: Path) -> None:
    names = [f"{i}.png" for i in range(12)]
    for seed, name in enumerate(names):
        image(tmp_path / name, seed=seed, side=24)
    samples = table(tmp_path, names)
    samples.label[6:] = -1

    def sheet(seed: int) -> np.ndarray:
        return contact_sheet(class_strips(samples, per_class=3, seed=seed), cell_px=24)

    strips = class_strips(samples, per_class=3)
    assert [len(one.images) for one in strips] == [3, 0, 0, 0, 0, 0, 0, 3]
    assert strips[-1].title == "no single label"
    assert strips[0].caption == "train 6"
    np.testing.assert_array_equal(sheet(0), sheet(0))
    assert (sheet(0) != sheet(1)).any()


def test_the_command_writes_a_sheet_of_one_split(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    top = tmp_path / "set"
    text(top / "EmoLabel/list_patition_label.txt", "train_00001.jpg 5", "test_0001.jpg 4")
    for name in ("train_00001", "test_0001"):
        image(top / f"Image/aligned/{name}_aligned.jpg", side=100)
    (top / "Image/aligned/train_00001_aligned.jpg").write_bytes(b"broken")
    save = tmp_path / "sheet.png"
    assert run(["data", "show", "raf-db", str(top), "--save", str(save), "--split", "train"]) == 0
    assert "1 of 1 image, 7 classes, 1 unreadable" in capsys.readouterr().out
    with Image.open(save) as sheet:
        assert sheet.width == 1204
    assert run(["data", "show", "raf-db", str(top), "--save", str(save), "--split", "valid"]) == 1
    assert "has no 'valid' split; it has train, test" in capsys.readouterr().err
    assert run(["data", "show", "raf-db", str(top), "--save", str(tmp_path / "absent/sheet.png")]) == 1
    assert "cannot be written" in capsys.readouterr().err
