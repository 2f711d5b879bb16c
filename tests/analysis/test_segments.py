"""Segments that the user names: seconds, missing time and onsets, by hand; and the episodes of a table."""

from __future__ import annotations

import csv
import io
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import mien
from mien.analysis.units import ExpressionSummary
from mien.cli.app import run
from mien.errors import InputError, OptionError
from mien.labels import FERPLUS
from mien.pipeline.table import write_table
from tests.analysis.tables import arrow, conversation, row, track


def of(unit: ExpressionSummary, expression: str) -> Any:
    return next(one for one in unit.expressions if one.expression == expression)


def segments(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(rows))


def study() -> pa.Table:
    """p1.mp4: 2 s neutral, 1 s nobody, 3 s happiness; another person from 4 s on. p2.mp4: fear."""
    first = track(["neutral"] * 20 + [None] * 10 + ["happiness"] * 30, source="study/p1.mp4")
    other = track(["sadness"] * 20, source="study/p1.mp4", start_s=4.0, track=1, face=1)
    return arrow([*first, *other, *track(["fear"] * 10, source="study/p2.mp4", fps=5.0)])


def test_a_segment_has_the_seconds_of_its_person_in_its_time() -> None:
    (unit,) = mien.summarize(
        study(), segments=segments({"source": "p1.mp4", "from_s": 1.0, "to_s": 4.5, "track": 0, "person": "A"})
    ).segments
    assert unit.segment == (("person", "A"),)
    assert unit.duration_s == pytest.approx(3.5)
    assert [unit.seen_s, unit.not_seen_s] == pytest.approx([2.5, 1.0])
    assert (unit.frames, unit.without_face, unit.faces) == (35, 10, 25)
    assert [of(unit, name).amount for name in ("neutral", "happiness", "sadness")] == pytest.approx([1.0, 1.5, 0.0])
    assert of(unit, "happiness").share == pytest.approx(0.6)
    assert of(unit, "happiness").onset_s == pytest.approx(3.0)
    assert of(unit, "sadness").onset_s is None
    assert of(unit, "neutral").mean_probability == pytest.approx((1.0 * 0.9 + 1.5 * 0.1 / 7) / 2.5)


def test_where_only_another_person_is_seen_this_one_is_missing() -> None:
    table = study()
    (unit,) = mien.summarize(table, segments=segments({"source": "p1.mp4", "track": 1, "person": "B"})).segments
    assert [unit.duration_s, unit.not_seen_s, unit.frames] == pytest.approx([6.0, 4.0, 60])
    assert of(unit, "sadness").amount == pytest.approx(2.0)
    assert unit.faces == 20
    by_track = {one.track: one for one in mien.summarize(table).tracks if one.source == "study/p1.mp4"}
    assert by_track[1].not_seen_s == pytest.approx(4.0)
    assert by_track[1].duration_s == pytest.approx(6.0)


def test_frames_are_cut_at_the_ends_of_a_segment_so_that_neighbours_add_up() -> None:
    rows = arrow(track(["neutral", "happiness"] * 5, fps=1.0))
    edges = [0.0, 2.3, 3.1, 7.75, 20.0]
    parts = segments(
        *({"source": "talk.mp4", "from_s": a, "to_s": b, "n": i} for i, (a, b) in enumerate(pairwise(edges)))
    )
    units = mien.summarize(rows, segments=parts).segments
    assert [unit.duration_s for unit in units] == pytest.approx([2.3, 0.8, 4.65, 2.25])
    whole = mien.summarize(rows).videos[0]
    assert sum(of(unit, "happiness").amount for unit in units) == pytest.approx(of(whole, "happiness").amount)
    assert units[1].first_s == pytest.approx(2.3)  # not before it begins


def test_rows_of_the_same_values_are_one_unit_and_count_no_second_twice() -> None:
    named = segments(
        {"source": "p1.mp4", "from_s": 0.0, "to_s": 1.5, "track": 0, "who": 1},
        {"source": "p1.mp4", "from_s": 1.0, "to_s": 2.0, "track": 0, "who": 1},
        {"source": "p2.mp4", "from_s": None, "to_s": None, "track": None, "who": 1},
    )
    (unit,) = mien.summarize(study(), segments=named).segments
    assert of(unit, "neutral").amount == pytest.approx(2.0)
    assert of(unit, "fear").amount == pytest.approx(2.0)
    assert (unit.files, unit.source, unit.first_s) == (2, "", None)
    assert of(unit, "fear").onset_s is None  # two videos have no common time


def test_all_of_a_table_as_one_segment_is_the_summary_of_the_video() -> None:
    rows = arrow(conversation(240.0))
    (unit,) = mien.summarize(rows, segments=segments({"source": "talk.mp4"})).segments
    (video,) = mien.summarize(rows).videos
    assert unit.expressions == video.expressions
    assert unit.not_seen_s == video.not_seen_s
    assert unit.resampled == video.resampled != ""


def test_images_and_folders_are_segments_too() -> None:
    rows = arrow([row(f"photos/p{n}/{i}.jpg", "fear") for n in (1, 2) for i in range(3)])
    result = mien.summarize(
        rows, segments=segments({"source": "photos/p1", "p": 1}, {"source": "p2/0.jpg", "p": 2})
    )
    assert [unit.counted for unit in result.segments] == [3, 1]
    assert result.notes[-1] == "2 files of the table are in no segment"
    with pytest.raises(InputError, match="is an image; leave track"):
        mien.summarize(rows, segments=segments({"source": "p1/0.jpg", "from_s": 1}))


def test_an_unread_video_is_a_unit_of_nothing_with_an_error() -> None:
    rows = arrow([*track(["fear"] * 20), row("b.mp4", None, frame=None, error="is damaged")])
    (unit,) = mien.summarize(rows, segments=segments({"source": "b.mp4", "who": "B"})).segments
    assert (unit.failed, unit.faces, unit.duration_s) == (1, 0, 0.0)
    assert all(one.share is None for one in unit.expressions)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        pytest.param([{"file": "p1.mp4"}], "no column source", id="no source"),
        pytest.param([{"source": "p9.mp4"}], "no source 'p9.mp4'", id="unknown"),
        pytest.param([{"source": None}], "row 1 .* has no source", id="empty"),
        pytest.param([{"source": "p1.mp4", "from_s": 3, "to_s": 2}], "not after its begin", id="backwards"),
        pytest.param([{"source": "p1.mp4", "from_s": "soon"}], "from_s is 'soon'", id="no time"),
        pytest.param([{"source": "p1.mp4", "track": "the left one"}], "track is", id="no track"),
        pytest.param([{"source": "p1.mp4", "from_s": 60}], "it has those from 0 to 5.9 s", id="behind the end"),
        pytest.param([{"source": "p1.mp4", "share": 1}], "a column share of its own", id="a name of the summary"),
        pytest.param([], "no rows", id="none"),
    ],
)
def test_segments_that_fit_nothing_are_refused(rows: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        mien.summarize(study(), segments=segments(*rows))


def test_a_name_in_two_folders_needs_its_path() -> None:
    rows = arrow([*track(["fear"] * 9, source="a/x.mp4"), *track(["fear"] * 9, source="b/x.mp4")])
    with pytest.raises(InputError, match=r"a/x.mp4 and also b/x.mp4"):
        mien.summarize(rows, segments=segments({"source": "x.mp4"}))
    with pytest.raises(OptionError, match="cannot be combined"):
        mien.summarize(rows, segments=segments({"source": "a/x.mp4"}), baseline="auto")


def test_episodes_add_up_to_the_summary_and_end_where_the_frame_does() -> None:
    rows = track(["neutral"] * 20 + [None] * 15 + ["neutral"] * 10 + ["happiness"] * 5)
    episodes = mien.episodes(arrow(rows))
    assert [one.expression for one in episodes] == ["neutral", "neutral", "happiness"]
    assert [one.begin_s for one in episodes] == pytest.approx([0.0, 3.5, 4.5])
    assert [one.end_s for one in episodes] == pytest.approx([2.0, 4.5, 5.0])
    table = arrow(conversation(60.0))
    of_table = mien.episodes(table)
    for unit in mien.summarize(table).tracks:
        for one in unit.expressions:
            mine = [e for e in of_table if (e.track, e.expression) == (unit.track, one.expression)]
            assert sum(e.counted_s for e in mine) == pytest.approx(one.amount)
            assert len(mine) == one.episodes
            assert min((e.begin_s for e in mine), default=None) == one.onset_s


SHEET = "source;from_s;to_s;participant\np1.mp4;0:01;4,5;01\np2.mp4;;;02\n"  # as a German Excel saves it


@pytest.mark.parametrize("text", [SHEET, SHEET.replace(",", ".").replace(";", ","), SHEET.replace(";", "\t")])
def test_the_command_reads_what_a_spreadsheet_saves_and_writes_long_and_wide(tmp_path: Path, text: str) -> None:
    write_table(study().to_pylist(), FERPLUS, tmp_path / "t.parquet")
    (tmp_path / "s.csv").write_text(text, encoding="utf-8-sig")
    command = ["summary", str(tmp_path / "t.parquet"), "--segments", str(tmp_path / "s.csv")]
    assert run([*command, "-o", str(tmp_path / "long.csv")]) == 0
    assert run([*command, "-o", str(tmp_path / "wide.csv"), "--wide"]) == 0
    long, wide = (list(csv.DictReader(io.StringIO((tmp_path / n).read_text()))) for n in ("long.csv", "wide.csv"))
    assert len(long) == 2 * len(FERPLUS)
    assert [one["participant"] for one in wide] == ["01", "02"]
    happiness = next(one for one in long if one["expression"] == "happiness")
    assert float(wide[0]["share_happiness"]) == float(happiness["share"]) == pytest.approx(1.5 / 3.0, abs=1e-6)
    assert run([*command, "--wide"]) == 2


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        pytest.param("s.csv", "source,who,who\np1.mp4,a,b\n", "two columns are called 'who'", id="twice"),
        pytest.param("s.csv", "source,who\np1.mp4\n", "a row has 1 cells and the heading 2", id="short row"),
        pytest.param("s.csv", "", "it is empty", id="empty"),
        pytest.param("s.doc", "source\n", "tables end in", id="another ending"),
        pytest.param("s.jsonl", '{"source": "p9.mp4"}\n', "no source 'p9.mp4'", id="JSON lines are read"),
    ],
)
def test_files_that_are_no_table_of_segments_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, text: str, message: str
) -> None:
    write_table(study().to_pylist(), FERPLUS, tmp_path / "t.parquet")
    (tmp_path / name).write_text(text)
    assert run(["summary", str(tmp_path / "t.parquet"), "--segments", str(tmp_path / name)]) == 1
    assert message in capsys.readouterr().err


def test_workbooks_are_written_and_read(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    write_table(study().to_pylist(), FERPLUS, tmp_path / "t.parquet")
    book = openpyxl.Workbook()
    book.active.append(["source", "participant"])
    book.active.append(["p2.mp4", 7])
    book.save(tmp_path / "s.xlsx")
    command = ["summary", str(tmp_path / "t.parquet"), "--segments", str(tmp_path / "s.xlsx")]
    assert run([*command, "-o", str(tmp_path / "o.xlsx"), "--episodes", str(tmp_path / "e.xlsx")]) == 0
    rows = list(openpyxl.load_workbook(tmp_path / "o.xlsx").worksheets[0].values)
    assert rows[0][:2] == ("participant", "kind")
    assert {one[0] for one in rows[1:]} == {7}
    episodes = list(openpyxl.load_workbook(tmp_path / "e.xlsx").worksheets[0].values)
    assert episodes[1][:4] == ("study/p1.mp4", 0, "neutral", 0)
