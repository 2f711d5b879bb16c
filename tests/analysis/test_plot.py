from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien.analysis.faces import read_faces
from mien.analysis.plot import figure_of, plot_table
from mien.analysis.series import MOST_STEPS, cuts, track_series
from mien.analysis.timing import frame_times
from mien.draw.palette import COLOURS, rgb
from mien.errors import InputError, OptionError
from tests.analysis.tables import arrow, conversation, row, track


@pytest.mark.parametrize("style", ["stacked", "lines"])
@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_a_plot_is_written_in_the_colours_of_the_expressions(tmp_path: Path, style: str, suffix: str) -> None:
    path = tmp_path / f"p.{suffix}"
    plot_table(arrow(conversation(20.0)), path, style=style)
    if suffix == "svg":
        assert COLOURS["sadness"].lower() in path.read_text()
    else:
        pixels = np.asarray(Image.open(path).convert("RGB")).reshape(-1, 3)
        assert (pixels == rgb(COLOURS["happiness"])).all(axis=1).sum() > 500


def test_an_svg_is_the_same_each_time(tmp_path: Path) -> None:
    for name in "ab":
        plot_table(arrow(conversation(5.0)), str(tmp_path / f"{name}.svg"))
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_minutes_of_shifted_times_are_right(tmp_path: Path) -> None:
    plot_table(arrow(track(["neutral"] * 900, fps=5.0, start_s=-90.0)), tmp_path / "p.svg")
    assert "-1:20" in (tmp_path / "p.svg").read_text().replace("\N{MINUS SIGN}", "-")


def test_a_track_has_a_gap_where_nobody_is_seen() -> None:
    faces = read_faces(
        arrow([*track(["neutral"] * 10), *track([None] * 30, start_s=1), *track(["fear"], start_s=4)])
    )
    series = track_series(faces, 0, np.unique(faces.time_s))
    assert [part.stop - part.start for part in series.segments] == [10, 1]
    assert list(series.runs()) == [(0.0, pytest.approx(1.0), 0), (4.0, pytest.approx(4.1), 6)]


def test_a_short_absence_is_a_gap_too() -> None:
    """As in a table of every fifth second, in which five of them are less than the longest gap."""
    faces = read_faces(arrow(track(["neutral"] * 10 + [None] * 2 + ["fear"] * 10, fps=0.2)))
    series = track_series(faces, 0, np.unique(faces.time_s))
    assert list(series.runs()) == [(0.0, pytest.approx(50.0), 0), (60.0, pytest.approx(110.0), 6)]
    long = ["neutral"] * 10 * MOST_STEPS + [None] * 100 + ["fear"] * 100
    faces = read_faces(arrow(track(long, fps=30.0)))
    series = track_series(faces, 0, np.unique(faces.time_s))
    (_, left, _), (came, _, _) = series.runs()
    assert came - left == pytest.approx(100 / 30, abs=0.8)


def test_absences_are_gaps_in_a_table_of_one_track_too() -> None:
    rows = track(["neutral"] * 20 + [None] * 8 + ["fear"] * 20)
    kept = read_faces(arrow([one for one in rows if one["track"] == 0]))
    series = track_series(kept, 0, frame_times(kept))
    assert list(series.runs()) == [(0.0, pytest.approx(2.0), 0), (2.8, pytest.approx(4.8), 6)]
    other = [one | {"track": 1} if one["time_s"] > 2.5 and one["track"] == 0 else one for one in rows]
    assert not len(cuts(read_faces(arrow([one for one in other if one["track"] is not None]))))


def test_many_frames_are_averaged_and_sums_stay_one() -> None:
    faces = read_faces(arrow(track(["neutral", "anger"] * 3000)))
    series = track_series(faces, 0, np.unique(faces.time_s))
    assert len(series.times) <= MOST_STEPS + 1
    assert np.allclose(series.scores.sum(axis=1), 1)
    assert series.segments == [slice(0, len(series.times))]


def test_a_cut_is_where_all_tracks_change() -> None:
    rows = [*track(["neutral"] * 20), *track(["neutral"] * 20, start_s=2.0, track=1)]
    assert cuts(read_faces(arrow(rows))).tolist() == [2.0]
    stays = [one | {"face": 1} for one in track(["neutral"] * 40, track=2)]
    assert not len(cuts(read_faces(arrow([*rows, *stays]))))


def test_a_baseline_adds_a_panel_per_track() -> None:
    assert len(figure_of(read_faces(arrow(conversation(30.0)))).axes) == 2
    assert len(figure_of(read_faces(arrow(conversation(30.0))), baseline="auto").axes) == 4


def test_images_are_plotted_per_folder(tmp_path: Path) -> None:
    rows = [row(f"{folder}/{i}.jpg") for folder in "ab" for i in range(4)]
    (axes,) = figure_of(read_faces(arrow(rows))).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]


def test_what_cannot_be_plotted_is_refused(tmp_path: Path) -> None:
    table = arrow(conversation(2.0))
    with pytest.raises(OptionError, match="saved as"):
        plot_table(table, tmp_path / "p.bmp")
    with pytest.raises(OptionError, match="stacked or lines"):
        plot_table(table, tmp_path / "p.png", style="pie")
    with pytest.raises(InputError, match="nothing to plot"):
        plot_table(arrow([row("a.jpg", None)]), tmp_path / "p.png")


def test_scores_are_smoothed_where_the_expressions_are() -> None:
    rows = track(["neutral", "anger"] * 20)
    smoothed = [one | {"smoothed": "neutral"} for one in rows]
    spread = [
        np.ptp(track_series(read_faces(arrow(some)), 0, np.arange(40) / 10).scores[5:35, 0])
        for some in (rows, smoothed)
    ]
    assert spread[1] < spread[0] / 2
