"""Expressions over time per track, and counts per folder of images, as one figure."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mien.analysis.baseline import Baseline, at_rest, check_baseline, parse_baseline
from mien.analysis.faces import FaceTable, read_faces
from mien.analysis.series import CUT_NOTE, TrackSeries, cuts, frame_ends, track_series
from mien.analysis.timing import by_source, frame_times
from mien.arguments import checked
from mien.draw.figure_file import write_figure
from mien.draw.matplotlib_cache import leave_home_alone
from mien.draw.palette import FAINT, GREY, INK, MUTED, UNCERTAIN, colours_of
from mien.errors import InputError, MissingPackageError, OptionError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STYLES = ("stacked", "lines")
SUFFIXES = (".png", ".svg", ".pdf")
MOST_TRACKS = 12  # of a video, those seen longest
MOST_PANELS = 48
MOST_FOLDERS = 40
_WIDTH_IN = 11.0
_SHOWN_FROM = 0.05  # expressions that never reach it are not in the legend
_LINE_FROM = 0.15  # ... and get no line


@dataclass(frozen=True)
class _Panel:
    height_in: float
    draw: Callable[[Axes], None]
    expressions: tuple[str, ...]  # that it shows


@checked
def plot_table(
    table: Any,
    path: str | os.PathLike[str],
    *,
    style: str = "stacked",
    raw: bool = False,
    baseline: str | Sequence[str] = (),
) -> None:
    """Write a figure of a prediction table; the suffix of `path` chooses .png, .svg or .pdf.

    Videos: the probabilities of each track over time, `style` "stacked" or "lines", gaps where the person is not
    seen, dotted lines at cuts. Images: counts per folder. `baseline`: also the change against each person at rest
    (`mien.summarize`). Raises `MissingPackageError` without Matplotlib, `OptionError` for another style or suffix.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise OptionError(
            f"{path}: plots are saved as {', '.join(SUFFIXES)}, not {path.suffix or 'without ending'}"
        )
    figure = figure_of(read_faces(table, raw=raw), style=style, baseline=baseline)
    write_figure(figure, path)


def figure_of(faces: FaceTable, *, style: str = "stacked", baseline: str | Sequence[str] = ()) -> Figure:
    """The figure of `plot_table`."""
    leave_home_alone()
    try:
        from matplotlib.figure import Figure
        from matplotlib.lines import Line2D
        from matplotlib.patches import Patch
    except ModuleNotFoundError as error:
        raise MissingPackageError("A plot of a table", "Matplotlib", "plots") from error
    if style not in STYLES:
        raise OptionError(f"style is {style!r}; give {' or '.join(STYLES)}")
    rest = parse_baseline([baseline] if isinstance(baseline, str) else baseline)
    if rest is not None:
        check_baseline(rest, faces)
    panels = _panels(faces, style, rest)
    if not panels:
        raise InputError("the table has no face with a prediction, so there is nothing to plot")
    heights = [panel.height_in for panel in panels]
    figure = Figure(figsize=(_WIDTH_IN, sum(heights) + 0.7), layout="constrained")
    axes = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights)[:, 0]
    for one, panel in zip(axes, panels, strict=True):
        panel.draw(one)
    shown = {name for panel in panels for name in panel.expressions}
    lines = style == "lines" and bool(faces.timed.any())
    keys: list[Any] = []
    for i, (name, colour) in enumerate(colours_of(faces.labels).items()):
        if name in shown:
            patch = Line2D([], [], color=colour, linewidth=3, linestyle=_dash(i)) if lines else Patch(color=colour)
            patch.set_label(name)
            keys.append(patch)
    keys.append(Patch(color=UNCERTAIN, label="not counted: uncertain or flagged"))
    figure.legend(handles=keys, loc="outside upper left", ncols=min(len(keys), 9), frameon=False, fontsize=9)
    return figure


def _dash(index: int) -> Literal["-", "--"]:
    """Lines differ by more than their colour."""
    return "-" if index < 4 else "--"


def _panels(faces: FaceTable, style: str, rest: Baseline | None) -> list[_Panel]:
    panels: list[_Panel] = []
    for rows in by_source(faces, faces.timed & ~np.isnan(faces.time_s)):
        panels += _video_panels(faces.take(rows), style, rest)
    if len(panels) > MOST_PANELS:
        raise OptionError(
            f"the table has tracks for {len(panels)} panels, more than {MOST_PANELS}; plot fewer videos"
        )
    images = faces.take(~faces.timed)
    if images.seen.any():
        panels.append(_folder_panel(images))
    return panels


def _video_panels(video: FaceTable, style: str, rest: Baseline | None) -> list[_Panel]:
    times = frame_times(video)
    numbers = np.unique(video.track[video.seen])
    series = [track_series(video, int(number), times) for number in numbers]
    longest = sorted(series, key=lambda one: -one.seen_s)[:MOST_TRACKS]
    kept = [one for one in series if one in longest]
    omitted, at_cuts, panels = len(series) - len(kept), cuts(video), []
    for i, one in enumerate(kept):
        title = f"{video.source[0]}  " if i == 0 else ""
        title += "faces without a track" if one.track < 0 else f"track {one.track}"
        if omitted and i == 0:
            title += f"   ({omitted} shorter tracks are not shown)"
        last = i == len(kept) - 1 and rest is None
        panels.append(_track_panel(one, title, style, times, at_cuts, labelled=last))
        if rest is not None:
            panels.append(_change_panel(video, one, rest, times, at_cuts, labelled=i == len(kept) - 1))
    return panels


def _track_panel(
    one: TrackSeries, title: str, style: str, times: np.ndarray, at_cuts: np.ndarray, *, labelled: bool
) -> _Panel:
    least = _LINE_FROM if style == "lines" else _SHOWN_FROM
    shown = tuple(name for i, name in enumerate(one.labels) if np.nanmax(one.scores[:, i], initial=0) >= least)

    def draw(axes: Axes) -> None:
        colours = colours_of(one.labels)
        for part in one.segments:
            at, scores = one.edges(part), one.scores[part].T
            scores = np.concatenate([scores, scores[:, -1:]], axis=1)
            if style == "stacked":
                tops = np.vstack([np.zeros(scores.shape[1]), np.cumsum(scores, axis=0)])
                for low, high, colour in zip(tops, tops[1:], colours.values(), strict=False):
                    axes.fill_between(at, low, high, step="post", color=colour, linewidth=0)
            else:
                for i, (name, colour) in enumerate(colours.items()):
                    if name in shown:
                        axes.plot(at, scores[i], color=colour, linewidth=1.6, linestyle=_dash(i))
        for begin, end, index in one.runs():
            colour = UNCERTAIN if index < 0 else colours[one.labels[index]]
            axes.fill_between([begin, end], 1.06, 1.18, color=colour, linewidth=0)
        axes.set(ylim=(0, 1.18), yticks=(0, 0.5, 1))
        axes.set_yticklabels(["0", "50 %", "100 %"])
        axes.set_title(title, loc="left", fontsize=10)
        _time_axis(axes, times, at_cuts, labelled=labelled)

    return _Panel(1.55, draw, shown)


def _change_panel(
    video: FaceTable, one: TrackSeries, rest: Baseline, times: np.ndarray, at_cuts: np.ndarray, *, labelled: bool
) -> _Panel:
    """Scores minus those at rest, in points; the stretches at rest shaded."""
    rows = np.flatnonzero(video.seen & (video.track == one.track))
    track = video.take(rows[np.argsort(video.time_s[rows], kind="stable")])
    inside = at_rest(rest, track) if one.track >= 0 else np.zeros(len(track), dtype=bool)
    means = track.probabilities[inside].mean(axis=0) if inside.any() else np.full(len(one.labels), np.nan)
    change = 100 * (one.scores - means)
    most = np.nanmax(np.abs(change), axis=0, initial=0) if inside.any() else np.zeros(len(one.labels))
    shown = tuple(name for name, peak in zip(one.labels, most, strict=True) if peak >= 100 * _LINE_FROM)

    def draw(axes: Axes) -> None:
        if not inside.any():
            axes.text(
                0.01, 0.5, "no stretch at rest", transform=axes.transAxes, va="center", color=MUTED, fontsize=9
            )
        ends = frame_ends(times)[np.searchsorted(times, track.time_s)]
        for begin, end, _ in TrackSeries.spans(track.time_s, ends, inside.astype(np.int64) - 1):
            axes.axvspan(begin, end, color=FAINT, linewidth=0)
        axes.axhline(0, color=GREY, linewidth=0.8)
        for i, (name, colour) in enumerate(colours_of(one.labels).items()):
            for part in one.segments if name in shown else ():
                values = np.append(change[part, i], change[part, i][-1:])
                axes.plot(one.edges(part), values, color=colour, linewidth=1.4, linestyle=_dash(i))
        axes.set_ylim(-105, 105)
        axes.set_yticks((-100, 0, 100), ["−100", "rest", "+100"])
        axes.set_title("change against rest in points (grey: at rest)", loc="left", fontsize=9, color=MUTED)
        _time_axis(axes, times, at_cuts, labelled=labelled)

    return _Panel(1.3, draw, shown)


def _time_axis(axes: Axes, times: np.ndarray, at_cuts: np.ndarray, *, labelled: bool) -> None:
    from matplotlib.ticker import FuncFormatter

    for cut in at_cuts:
        axes.axvline(cut, color=INK, linewidth=0.9, linestyle=":")
    end = frame_ends(times)[-1]
    axes.set_xlim(times[0], end)
    long = end >= 60
    axes.xaxis.set_major_formatter(
        FuncFormatter(
            lambda s, _: f"{'-' if s < 0 else ''}{int(abs(s)) // 60}:{int(abs(s)) % 60:02}" if long else f"{s:g}"
        )
    )
    axes.tick_params(labelsize=8, labelbottom=labelled)
    if labelled:
        unit = "min:s" if long else "s"
        axes.set_xlabel(f"time ({unit}){CUT_NOTE if len(at_cuts) else ''}", fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)


def _folder_panel(images: FaceTable) -> _Panel:
    """Counted faces per folder and expression, then those that are not counted."""
    folders = sorted(set(images.folder.tolist()))[:MOST_FOLDERS]
    counts = np.zeros((len(folders), len(images.labels) + 1))
    for i, folder in enumerate(folders):
        inside = images.folder == folder
        counts[i, :-1] = np.bincount(images.expression[inside & images.counted], minlength=len(images.labels))
        counts[i, -1] = (inside & images.seen & ~images.counted).sum()
    shown = tuple(name for i, name in enumerate(images.labels) if counts[:, i].any())

    def draw(axes: Axes) -> None:
        left, rows = np.zeros(len(folders)), np.arange(len(folders))
        colours = [*colours_of(images.labels).values(), UNCERTAIN]
        for i, colour in enumerate(colours):
            axes.barh(rows, counts[:, i], 0.72, left=left, color=colour, edgecolor="white", linewidth=0.5)
            left += counts[:, i]
        for row, total in enumerate(left):
            axes.text(total, row, f" {total:,.0f}", va="center", fontsize=9, color=MUTED)
        axes.set_yticks(
            rows, [folder if len(folder) < 40 else "…" + folder[-38:] for folder in folders], fontsize=9
        )
        axes.set_ylim(len(folders) - 0.4, -0.6)
        axes.set_xlabel("faces", fontsize=9)
        axes.margins(x=0.06)
        axes.tick_params(labelsize=9)
        axes.spines[["top", "right"]].set_visible(False)

    return _Panel(0.7 + 0.32 * len(folders), draw, shown)
