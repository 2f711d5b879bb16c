from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest

import mien
from mien.errors import InputError, OutputError
from mien.labels import FERPLUS
from mien.pipeline import xlsx
from mien.pipeline.read import read_predictions
from mien.pipeline.rows import rows_of
from mien.pipeline.table import read_table, write_all, write_table
from mien.results import ImageResult
from tests.media.videos import write_video
from tests.pipeline.test_table import FACE, GOOD

ROWS = [
    *rows_of(ImageResult("=1+1.jpg", (GOOD, FACE)), FERPLUS),
    *rows_of(ImageResult("a\x01b.jpg"), FERPLUS),
    *rows_of(ImageResult("a\r\nb\rc\td_x000D_e\uffff.jpg"), FERPLUS),
    *rows_of(ImageResult("c.jpg", error="=cmd|'/c calc'!A1"), FERPLUS),
]


def test_a_workbook_gives_the_rows_back(tmp_path: Path) -> None:
    write_table(ROWS, FERPLUS, tmp_path / "t.xlsx")
    labels, rows = read_predictions(tmp_path / "t.xlsx")
    assert labels == FERPLUS
    assert rows == ROWS
    assert read_table(tmp_path / "t.xlsx", FERPLUS).to_pylist() == ROWS
    sheet = openpyxl.load_workbook(tmp_path / "t.xlsx").active
    assert sheet is not None
    assert sheet.auto_filter.ref == sheet.dimensions


def test_a_column_without_a_heading_moves_no_other(tmp_path: Path) -> None:
    write_table(ROWS, FERPLUS, tmp_path / "t.xlsx")
    book = openpyxl.load_workbook(tmp_path / "t.xlsx")
    assert book.active is not None
    book.active.insert_cols(2)
    book.save(tmp_path / "t.xlsx")
    assert read_table(tmp_path / "t.xlsx", FERPLUS).to_pylist() == ROWS


def test_the_same_rows_are_the_same_bytes_whenever_they_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_table(ROWS, FERPLUS, tmp_path / "a.xlsx")
    monkeypatch.setattr("zipfile.time.localtime", lambda *_: (2031, 5, 6, 7, 8, 9, 0, 0, 0))
    monkeypatch.setattr("time.time", lambda: 2e9)
    write_table(ROWS, FERPLUS, tmp_path / "b.xlsx")
    assert (tmp_path / "a.xlsx").read_bytes() == (tmp_path / "b.xlsx").read_bytes()
    assert openpyxl.load_workbook(tmp_path / "a.xlsx").properties.modified.year == 1980


def test_text_that_looks_like_a_formula_is_text(tmp_path: Path) -> None:
    write_table(ROWS, FERPLUS, tmp_path / "t.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "t.xlsx").active
    assert (sheet["A2"].value, sheet["A2"].data_type) == ("=1+1.jpg", "s")
    kinds = {cell.data_type for row in sheet.iter_rows() for cell in row}
    assert "f" not in kinds
    assert sheet.freeze_panes == "B2"


def test_more_rows_than_a_sheet_holds_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx, "MOST_ROWS", 2)
    with pytest.raises(OutputError, match="holds 2 rows"):
        write_table(ROWS, FERPLUS, tmp_path / "t.xlsx")
    assert not list(tmp_path.iterdir())


def test_the_rows_that_a_sheet_does_not_hold_are_kept_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xlsx, "MOST_ROWS", 2)
    with pytest.raises(OutputError, match=r"not written: .* All rows are in .*t\.xlsx\.parquet"):
        write_all(lambda: ROWS, FERPLUS, tmp_path / "t.xlsx")
    assert read_table(tmp_path / "t.xlsx.parquet", FERPLUS).num_rows == len(ROWS)
    assert not (tmp_path / "t.xlsx").exists()


def test_more_frames_than_a_sheet_holds_are_refused_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recognizer: mien.Recognizer
) -> None:
    monkeypatch.setattr(xlsx, "MOST_ROWS", 2)
    video = write_video(tmp_path / "a.mp4", 6)
    with pytest.raises(OutputError, match="about 6 images and frames; name a .parquet"):
        recognizer.predict_video(video, output=tmp_path / "t.xlsx")
    recognizer.predict_video(video, output=tmp_path / "t.xlsx", every=3)


def test_what_is_no_workbook_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "t.xlsx").write_bytes(b"PK nothing")
    with pytest.raises(InputError, match="no Excel workbook"):
        read_predictions(tmp_path / "t.xlsx")
