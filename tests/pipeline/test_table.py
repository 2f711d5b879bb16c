from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.errors import InputError, OptionError, OutputError
from mien.geometry import Box
from mien.labels import FERPLUS, RAF_DB
from mien.pipeline.live import LiveTable
from mien.pipeline.read import read_predictions
from mien.pipeline.rows import rows_of
from mien.pipeline.table import read_table, schema, to_arrow, write_table
from mien.results import Face, ImageResult, Pose, Quality, Scores

COLUMNS = (
    "source frame time_s face track left top right bottom detection yaw_deg pitch_deg roll_deg "
    "eye_px off_axis_deg sharpness light contrast clipped upright flags expression certain "
    "smoothed smoothed_confidence scores_frame "
    "p_neutral p_happiness p_surprise p_sadness p_anger p_disgust p_fear p_contempt error"
).split()
SCORES = Scores(FERPLUS, (0.1, 0.6, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05), confidence_threshold=0.7)
QUALITY = Quality(eye_px=2.345, off_axis_deg=88.0, sharpness=0.5, light=0.8, contrast=0.6, clipped=0.0)
FACE = Face(Box(1.234, 2, 30, 40), 0.91, pose=Pose(1.5, -2.5, 0.25), quality=QUALITY, expression=SCORES)
GOOD = replace(
    FACE,
    quality=replace(QUALITY, eye_px=60.0, off_axis_deg=3.0),
    expression=replace(SCORES, confidence_threshold=0.5),
)


def test_the_columns_are_the_contract() -> None:
    assert schema(FERPLUS).names == COLUMNS


def test_a_face_becomes_one_row() -> None:
    (row,) = rows_of(ImageResult("a.jpg", (FACE,)), FERPLUS)
    assert list(row) == COLUMNS
    assert (row["source"], row["frame"], row["face"], row["expression"]) == ("a.jpg", 0, 0, "happiness")
    assert (row["left"], row["detection"], row["yaw_deg"]) == (1.23, 0.91, 1.5)
    assert row["p_happiness"] == 0.6
    assert (row["eye_px"], row["flags"], row["certain"]) == (2.35, "small off-axis", False)
    assert row["time_s"] is row["track"] is row["error"] is None


def test_a_flagged_face_is_never_certain() -> None:
    (row,) = rows_of(ImageResult("a.jpg", (replace(GOOD, quality=QUALITY),)), FERPLUS)
    assert (row["flags"], row["certain"]) == ("small off-axis", False)


def test_a_good_face_has_no_flags_and_unstated_certainty_is_null() -> None:
    (row,) = rows_of(ImageResult("a.jpg", (GOOD,)), FERPLUS)
    assert (row["flags"], row["certain"]) == (None, True)
    unstated = replace(GOOD, expression=replace(SCORES, confidence_threshold=None))
    (row,) = rows_of(ImageResult("a.jpg", (unstated,)), FERPLUS)
    assert row["certain"] is None


def test_no_face_is_one_row_without_face_and_without_error() -> None:
    (row,) = rows_of(ImageResult("a.jpg"), FERPLUS)
    assert row["source"] == "a.jpg"
    assert row["face"] is row["error"] is row["expression"] is row["p_anger"] is None


def test_an_error_is_one_row_with_nothing_else() -> None:
    (row,) = rows_of(ImageResult("a.jpg", error="is broken"), RAF_DB)
    assert {name for name, value in row.items() if value is not None} == {"source", "error"}


@given(st.lists(st.floats(1e-6, 1), min_size=8, max_size=8))
def test_written_probabilities_sum_to_exactly_one(values: list[float]) -> None:
    shares = tuple(value / sum(values) for value in values)
    (row,) = rows_of(ImageResult("a.jpg", (Face(Box(0, 0, 1, 1), expression=Scores(FERPLUS, shares)),)), FERPLUS)
    written = [row[f"p_{label}"] for label in FERPLUS]
    assert sum(round(value * 1_000_000) for value in written) == 1_000_000
    assert row["expression"] == FERPLUS[written.index(max(written))]


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_every_format_reads_back_the_same(tmp_path: Path, suffix: str) -> None:
    results = [
        ImageResult('a, "b"\nü.jpg', (FACE, GOOD)), ImageResult("c.jpg"), ImageResult("d.jpg", error="is broken")
    ]  # fmt: skip
    rows = [row for result in results for row in rows_of(result, FERPLUS)]
    path = tmp_path / f"table{suffix}"
    write_table(rows, FERPLUS, path)
    assert read_table(path, FERPLUS).to_pylist() == rows
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_parquet_has_typed_columns_and_pandas_reads_it(tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    write_table(rows_of(ImageResult("a.jpg", (FACE,)), FERPLUS), FERPLUS, tmp_path / "t.parquet")
    table = pq.read_table(tmp_path / "t.parquet")
    assert table.schema.equals(schema(FERPLUS))
    frame = table.to_pandas()
    assert frame.loc[0, "expression"] == "happiness"
    assert to_arrow(rows_of(ImageResult("a.jpg", (FACE,)), FERPLUS), FERPLUS).equals(table)


def test_json_lines_are_json(tmp_path: Path) -> None:
    write_table(rows_of(ImageResult("ü.jpg", (FACE,)), FERPLUS), FERPLUS, tmp_path / "t.jsonl")
    assert json.loads((tmp_path / "t.jsonl").read_text(encoding="utf-8"))["source"] == "ü.jpg"


@pytest.mark.parametrize("name", ["t.ods", "t", "absent/t.csv", "."])
def test_impossible_outputs_are_refused_with_the_reason(tmp_path: Path, name: str) -> None:
    with pytest.raises((OptionError, OutputError), match="tables are written as|does not exist|is a folder"):
        write_table([], FERPLUS, tmp_path / name)


def test_a_table_with_other_columns_is_not_taken_for_ours(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    with pytest.raises(OutputError, match="no table of mien|other columns"):
        read_table(tmp_path / "t.csv", FERPLUS)


YOUNGER = {"eye_px", "off_axis_deg", "sharpness", "light", "contrast", "clipped", "upright", "flags", "certain"}


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_a_table_from_before_there_were_flags_is_evaluated_but_not_extended(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"old{suffix}"
    (row,) = rows_of(ImageResult("a.jpg", (FACE,)), FERPLUS)
    old = {name: value for name, value in row.items() if name not in YOUNGER}
    if suffix == ".csv":
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(old))
            writer.writeheader()
            writer.writerow(old)
    elif suffix == ".jsonl":
        path.write_text(json.dumps(old) + "\n")
    else:
        columns = pa.schema([column for column in schema(FERPLUS) if column.name not in YOUNGER])
        pq.write_table(pa.Table.from_pylist([old], schema=columns), path)
    assert read_predictions(path) == (FERPLUS, [old])
    with pytest.raises(OutputError, match="other columns"):
        read_table(path, FERPLUS)


def test_a_table_with_some_of_the_columns_is_no_table_of_ours(tmp_path: Path) -> None:
    (row,) = rows_of(ImageResult("a.jpg", (FACE,)), FERPLUS)
    del row["flags"]
    (tmp_path / "t.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(InputError, match="other columns"):
        read_predictions(tmp_path / "t.jsonl")


def test_integers_that_pandas_wrote_as_floats_are_read(tmp_path: Path) -> None:
    path, rows = tmp_path / "t.csv", rows_of(ImageResult("a.jpg", (FACE, GOOD)), FERPLUS)
    write_table(rows, FERPLUS, path)
    text = path.read_text()
    assert "a.jpg,0,,1," in text
    path.write_text(text.replace("a.jpg,0,,0,", "a.jpg,0.0,,0.0,").replace("a.jpg,0,,1,", "a.jpg,0.0,,1.0,"))
    assert read_predictions(path) == (FERPLUS, rows)
    path.write_text(text.replace("a.jpg,0,,1,", "a.jpg,0,,1.5,"))
    with pytest.raises(InputError, match="no complete table"):
        read_predictions(path)


def test_a_live_table_does_not_keep_the_settings_of_the_one_it_replaces(tmp_path: Path) -> None:
    path, rows = tmp_path / "t.csv", rows_of(ImageResult("camera:0", (FACE,)), FERPLUS)
    settings = tmp_path / "t.csv.settings"
    settings.write_text('{"weights": "mine"}\n')
    with LiveTable(path, FERPLUS, overwrite=True) as table:
        table.add(rows)
    assert read_table(path, FERPLUS).to_pylist() == rows
    assert not settings.exists()
