from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.csv
import pytest

import mien
from mien.analysis.units import ExpressionSummary
from mien.errors import InputError, OptionError
from mien.labels import FERPLUS
from mien.media.frames import Sampling
from mien.pipeline.rows import TableRow
from mien.pipeline.table import write_table
from tests.analysis.tables import arrow, conversation, row, track


def share_of(unit: ExpressionSummary, expression: str) -> float | None:
    return {one.expression: one.share for one in unit.expressions}[expression]


def amount_of(unit: ExpressionSummary, expression: str) -> float:
    return {one.expression: one.amount for one in unit.expressions}[expression]


def test_seconds_come_from_presentation_times() -> None:
    """A slow first half: one frame a second, then ten a second."""
    slow = track(["neutral"] * 10, fps=1.0)
    fast = [one | {"frame": 10 + i} for i, one in enumerate(track(["happiness"] * 100, fps=10.0, start_s=10.0))]
    (unit,) = mien.summarize(arrow([*slow, *fast])).tracks
    assert amount_of(unit, "neutral") == pytest.approx(10.0)
    assert amount_of(unit, "happiness") == pytest.approx(10.0)
    assert share_of(unit, "neutral") == pytest.approx(0.5)
    assert (unit.first_s, unit.last_s) == (0.0, 19.9)


def test_a_gap_is_nobodys_time() -> None:
    first, second = track(["neutral"] * 20), track(["neutral"] * 20, start_s=60.0)
    (unit,) = mien.summarize(arrow([*first, *second])).tracks
    assert unit.seen_s == pytest.approx(4.0)


def test_times_that_were_rounded_do_not_make_more_seconds() -> None:
    """At 30 frames a second three of them have the same tenth of a second."""
    exact = track([*["neutral"] * 60, *["happiness"] * 30], fps=30.0)
    rounded = [one | {"time_s": one["frame"] // 3 / 10} for one in exact]
    for rows in (exact, rounded):
        (unit,) = mien.summarize(arrow(rows)).tracks
        assert amount_of(unit, "neutral") == pytest.approx(2.0)
        assert amount_of(unit, "happiness") == pytest.approx(1.0)


def test_frames_without_the_person_are_not_theirs() -> None:
    rows = track(["neutral"] * 10 + [None] * 5 + ["neutral"] * 10)
    (unit,) = mien.summarize(arrow(rows)).tracks
    assert unit.seen_s == pytest.approx(2.0)
    assert mien.summarize(arrow(rows)).videos[0].without_face == 5


def test_a_table_of_one_track_has_the_seconds_of_the_whole_one() -> None:
    """Rows without a face, and those of others, are gone; the frames that are left have their numbers."""
    rows = track(["neutral"] * 30 + [None] * 8 + ["happiness"] * 5 + [None] * 3 + ["fear"] * 30)
    (whole,) = mien.summarize(arrow(rows)).tracks
    (kept,) = mien.summarize(arrow([one for one in rows if one["track"] == 0])).tracks
    assert whole.seen_s == pytest.approx(6.5)
    assert (kept.seen_s, kept.expressions) == (pytest.approx(whole.seen_s), whole.expressions)
    every = [one | {"frame": 5 * one["frame"]} for one in rows if one["track"] == 0]  # as with --every 5
    assert mien.summarize(arrow(every)).tracks[0].seen_s == pytest.approx(whole.seen_s)


@pytest.mark.parametrize(
    ("source", "numbers"),
    [
        pytest.param("talk.mp4", [1, 1, 1, 1, 1, 1, 1, 1], id="one image shown for long"),
        pytest.param("talk.mp4", [1, 2, 1, 2, 1, 2, 2, 1], id="two of three frames examined"),
        pytest.param("camera:0", [3, 3, 4, 3, 20, 3, 3, 3], id="frames that a camera dropped"),
    ],
)
def test_steps_of_a_whole_table_are_no_absence(source: str, numbers: list[int]) -> None:
    steps = [0.1, 0.1, 0.1, 0.1, 0.7, 0.1, 0.1, 0.1]
    rows = track(["neutral"] * 9)
    for i, one in enumerate(rows):
        one |= {"source": source, "frame": sum(numbers[:i]), "time_s": sum(steps[:i])}
    assert mien.summarize(arrow(rows)).videos[0].seen_s == pytest.approx(sum(steps) + 0.1)


def examined(rate: float, fps: float | None, *, frames: int = 900) -> list[TableRow]:
    """The rows of a person in every frame that is examined of a video with a constant rate."""
    selected = Sampling(fps=fps).selector()
    rows = track(["neutral"] * frames, fps=rate)
    return [one | {"time_s": round(one["time_s"], 6)} for one in rows if selected(one["frame"], one["time_s"])]


@pytest.mark.parametrize("frames", [11, 900])
@pytest.mark.parametrize(("rate", "fps"), [(30, None), (30, 25), (25, 24), (30, 29), (30, 20), (25, 15), (30, 12)])
def test_frames_that_are_examined_at_any_rate_are_no_absence(rate: float, fps: float | None, frames: int) -> None:
    rows = examined(rate, fps, frames=frames)
    times = np.array([one["time_s"] for one in rows])
    whole = times[-1] - times[0] + np.median(np.diff(times))
    for shift in (0.0, 7.7):  # times of a table that a user shifted
        shifted = [one | {"time_s": one["time_s"] + shift} for one in rows]
        assert mien.summarize(arrow(shifted)).videos[0].seen_s == pytest.approx(whole, abs=1e-4)


@pytest.mark.parametrize(("rate", "fps"), [(30, None), (30, 10), (25, 15), (30, 12), (30, 8)])
@pytest.mark.parametrize("absent", [1, 2])
def test_absences_of_a_frame_or_two_are_nobodys_time(rate: float, fps: float | None, absent: int) -> None:
    rows = examined(rate, fps)
    apart = np.cumsum(np.random.default_rng(0).integers(4, 30, size=100))
    out = {int(first) + i for first in apart for i in range(absent)} & {*range(1, len(rows) - 1)}
    kept = [one for i, one in enumerate(rows) if i not in out]
    whole = mien.summarize(arrow(rows)).videos[0].seen_s
    assert whole is not None
    expected = whole * len(kept) / len(rows)
    assert mien.summarize(arrow(kept)).videos[0].seen_s == pytest.approx(expected, rel=0.01)


def test_only_certain_faces_without_flags_count() -> None:
    rows = [
        *track(["neutral"] * 10),
        *track(["anger"] * 10, start_s=1.0, confidence=0.4),
        *track(["fear"] * 10, start_s=2.0, flags="blurred", certain=False),
    ]
    (unit,) = mien.summarize(arrow(rows)).tracks
    assert (unit.counted, unit.uncertain, unit.flagged) == (10, 10, 10)
    assert (unit.counted_s, unit.uncertain_s, unit.flagged_s) == (pytest.approx(1.0),) * 3
    assert share_of(unit, "neutral") == 1.0


def test_without_a_threshold_unflagged_faces_count_and_a_note_says_so() -> None:
    summary = mien.summarize(arrow(track(["neutral"] * 4, certain=None)))
    assert summary.tracks[0].counted == 4
    assert "whatever their confidence" in summary.notes[0]


def test_changes_per_minute_skip_gaps() -> None:
    rows = [*track(["neutral"] * 30 + ["anger"] * 30), *track(["neutral"] * 60, start_s=30.0)]
    (unit,) = mien.summarize(arrow(rows)).tracks
    assert unit.changes_per_minute == pytest.approx(1 / (12.0 / 60))


def test_faces_without_tracks_have_no_changes() -> None:
    summary = mien.summarize(arrow([one | {"track": None} for one in track(["neutral", "anger"] * 10)]))
    assert summary.tracks == ()
    assert summary.videos[0].changes_per_minute is None


def test_smoothed_expressions_are_used_where_there_are_some() -> None:
    rows = [one | {"smoothed": "neutral"} for one in track(["neutral", "anger"] * 10)]
    assert share_of(mien.summarize(arrow(rows)).tracks[0], "neutral") == 1.0
    assert share_of(mien.summarize(arrow(rows), raw=True).tracks[0], "neutral") == pytest.approx(0.5)


def test_images_are_counted_per_folder_with_intervals_over_files() -> None:
    rows = [row(f"a/{i}.jpg", "neutral" if i % 2 else "anger") for i in range(20)]
    rows += [row("b/1.jpg", None), row("b/2.jpg", None, frame=None, error="is empty")]
    first, second = mien.summarize(arrow(rows)).folders
    assert (first.source, first.files, first.counted, first.resampled) == ("a", 20, 20, "files")
    assert (second.without_face, second.failed, second.counted) == (1, 1, 0)
    neutral = first.expressions[0]
    assert neutral.share == 0.5
    assert neutral.low is not None
    assert neutral.high is not None
    assert 0.2 < neutral.low < 0.5 < neutral.high < 0.8


def test_an_error_behind_the_rows_of_a_video_belongs_to_the_video() -> None:
    summary = mien.summarize(arrow([*track(["neutral"] * 5), row(expression=None, frame=None, error="is cut off")]))
    assert summary.folders == ()
    assert summary.videos[0].failed == 1
    assert summary.videos[0].frames == 5


def test_a_single_frame_has_no_duration() -> None:
    (unit,) = mien.summarize(arrow(track(["neutral"]))).tracks
    assert (unit.seen_s, share_of(unit, "neutral"), unit.changes_per_minute) == (0.0, None, None)


def test_a_baseline_reports_the_change_against_rest() -> None:
    rows = track((["neutral"] * 40 + ["anger"] * 20) * 12)
    (unit,) = mien.summarize(arrow(rows), baseline="auto").tracks
    assert unit.resting is not None
    assert unit.resting.rest_s == pytest.approx(48.0)
    assert len(unit.resting.stretches) == 12
    anger = next(one for one in unit.resting.scores if one.expression == "anger")
    assert (anger.score, anger.rest, anger.change) == (
        pytest.approx(0.9), pytest.approx(0.1 / 7), pytest.approx(0.9 - 0.1 / 7),
    )  # fmt: skip


def test_stated_seconds_replace_the_neutral_stretches() -> None:
    rows = track(["anger"] * 50 + ["neutral"] * 50)
    (unit,) = mien.summarize(arrow(rows), baseline="0:0-4.9").tracks
    assert unit.resting is not None
    assert unit.resting.stretches == ((0.0, 4.9),)
    neutral = unit.resting.scores[0]
    assert neutral.change > 0.8


def test_too_little_rest_is_a_problem_with_advice() -> None:
    (unit,) = mien.summarize(arrow(track(["anger"] * 50 + ["neutral"] * 15)), baseline="auto").tracks
    assert unit.resting is not None
    assert unit.resting.scores == ()
    assert "1.5 s of neutral stretches" in unit.resting.problem


@pytest.mark.parametrize("baseline", ["0", "0:5", "0:5-4", "7:0-1", "b.mp4:0:0-1", "autos"])
def test_a_baseline_that_cannot_be(baseline: str) -> None:
    with pytest.raises(OptionError):
        mien.summarize(arrow(track(["neutral"] * 5)), baseline=baseline)


def test_a_track_number_in_two_videos_needs_its_file() -> None:
    rows = [*track(["neutral"] * 50, source="a.mp4"), *track(["neutral"] * 50, source="b.mp4")]
    with pytest.raises(OptionError, match="give a.mp4:0:FROM-TO"):
        mien.summarize(arrow(rows), baseline="0:0-1")
    tracks = mien.summarize(arrow(rows), baseline="b.mp4:0:0-1").tracks
    assert [unit.resting is not None for unit in tracks] == [False, True]


def test_copies_of_an_image_are_noted() -> None:
    rows = [row("a.jpg"), row("a (copy).jpg"), row("b.jpg", confidence=0.8), row("c.jpg", left=11.0)]
    (note,) = mien.summarize(arrow(rows)).notes
    assert note == "1 face of images is exactly like one of another image, as in copies of a file; each counts"
    assert mien.summarize(arrow(rows[1:])).notes == ()
    still = track(["fear"] * 3)  # frames of a video that shows one image are no copies
    assert not any("copies" in note for note in mien.summarize(arrow(still)).notes)


def test_images_have_no_resting_face() -> None:
    with pytest.raises(OptionError, match="needs tracks of a video"):
        mien.summarize(arrow([row("a.jpg")]), baseline="auto")


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl", "xlsx"])
def test_every_format_gives_the_same_summary(tmp_path: Path, suffix: str) -> None:
    rows = conversation(20.0)
    path = tmp_path / f"t.{suffix}"
    write_table(rows, FERPLUS, path)
    assert mien.summarize(path).rows() == mien.summarize(arrow(rows)).rows()  # a sheet has 16 digits


def test_a_data_frame_and_added_columns_are_taken() -> None:
    table = arrow(conversation(10.0))
    frame = table.to_pandas()
    frame["group"] = "a"
    assert mien.summarize(frame) == mien.summarize(table)


def test_what_is_no_table_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    (tmp_path / "b.csv").write_text("source;face;expression;p_a;p_b\n")
    for name, reason in {"a.csv": "no p_ columns", "b.csv": "semicolons", "c.csv": "does not exist"}.items():
        with pytest.raises(InputError, match=reason):
            mien.summarize(tmp_path / name)
    with pytest.raises(InputError, match="no column face"):
        mien.summarize(pyarrow.table({"source": ["a"], "expression": ["x"]}))


def test_rows_are_one_per_expression() -> None:
    summary = mien.summarize(arrow(conversation(20.0)), baseline="auto")
    rows = summary.rows()
    assert len(rows) == 3 * len(FERPLUS)
    assert len({tuple(one) for one in rows}) == 1
    assert np.isclose(sum(one["share"] for one in rows if one["kind"] == "video"), 1)


def test_strange_times_and_names_are_taken_or_refused() -> None:
    far = [*track(["neutral"] * 20), *track(["neutral"] * 20, start_s=1e9)]
    assert mien.summarize(arrow(far)).tracks[0].seen_s == pytest.approx(4.0)
    assert mien.summarize(arrow(track(["neutral"] * 20, start_s=-5.0))).tracks[0].first_s == -5.0
    same = [one | {"time_s": 1.0} for one in track(["neutral"] * 5)]
    assert mien.summarize(arrow(same)).tracks[0].seen_s == 0
    untimed = [*same, same[0] | {"time_s": None, "frame": 7}]
    for wrong, reason in (
        (untimed, "'talk.mp4' without a time_s"),
        ([same[0] | {"p_anger": 9.0}], "not from 0 to 1"),
        ([same[0] | {"p_anger": None}], "empty"),
    ):
        with pytest.raises(InputError, match=reason):
            mien.summarize(arrow(wrong))
    with pytest.raises(InputError, match="infinite"):
        mien.summarize(arrow([one | {"time_s": float("inf")} for one in same]))
    assert list(mien.summarize(arrow([row("a")]).slice(0, 0))) == []


def test_joined_tables_that_overlap_count_each_row_once() -> None:
    rows = track(["neutral"] * 20 + ["happiness"] * 20)
    once, twice = mien.summarize(arrow(rows)), mien.summarize(arrow([*rows, *rows[10:]]))
    assert twice.tracks == once.tracks
    assert twice.notes == ("rows that are there twice count once (30 left out)",)
    with pytest.raises(InputError, match=r"different rows of 'talk\.mp4', frame 0, face 0"):
        mien.summarize(arrow([*rows, rows[0] | {"expression": "anger"}]))


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".xlsx", ".parquet"])
def test_tables_that_pandas_has_written_are_read(tmp_path: Path, suffix: str) -> None:
    """Rows without a face make its whole numbers floats: 0.0 for 0."""
    pandas = pytest.importorskip("pandas")
    if suffix == ".xlsx":
        pytest.importorskip("openpyxl")
    path, rows = tmp_path / f"t{suffix}", [*track(["neutral"] * 20), row("none.jpg", None)]
    frame = pandas.DataFrame(rows).astype({"time_s": float})
    assert frame["face"].dtype == float
    frame["group"] = "a"
    write = {".csv": "to_csv", ".jsonl": "to_json", ".xlsx": "to_excel", ".parquet": "to_parquet"}[suffix]
    options = {"orient": "records", "lines": True} if suffix == ".jsonl" else {"index": False}
    getattr(frame, write)(path, **options)
    assert mien.summarize(path).rows() == mien.summarize(arrow(rows)).rows()  # a sheet has 16 digits


def test_a_table_that_r_has_written_is_read(tmp_path: Path) -> None:
    """`write.csv`: a column of row names, text in quotes, NA, TRUE and FALSE."""
    rows, path = [*track(["neutral"] * 20), row("none.jpg", None)], tmp_path / "t.csv"

    def cell(value: object) -> str:
        if value is None:
            return "NA"
        return str(value).upper() if isinstance(value, bool) else json.dumps(value, ensure_ascii=False)

    lines = [["", *rows[0]], *([str(i), *one.values()] for i, one in enumerate(rows, 1))]
    path.write_text("\n".join(",".join(map(cell, line)) for line in lines))
    assert mien.summarize(path).rows() == mien.summarize(arrow(rows)).rows()  # a sheet has 16 digits


def test_a_text_table_that_leaves_utf8_far_below_is_refused_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    write_table([*track(["neutral"] * 200), row("tälk.jpg", None)], FERPLUS, path)
    path.write_bytes(path.read_text().encode("latin-1"))
    with pytest.raises(InputError, match="CSV UTF-8"):
        mien.summarize(path)


def test_text_tables_of_other_kinds_are_refused_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    write_table(track(["neutral"]), FERPLUS, path)
    text = path.read_text()
    for content, reason in (
        (text.replace(",", "\t").encode(), "separated by tabs"),
        (text.replace(",", ";").encode(), "separated by semicolons"),
        (text.encode("utf-16"), "CSV UTF-8"),
        (text.replace("talk", "tälk").encode("latin-1"), "CSV UTF-8"),
    ):
        path.write_bytes(content)
        with pytest.raises(InputError, match=reason):
            mien.summarize(path)
