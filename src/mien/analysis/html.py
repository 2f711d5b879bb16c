"""A report as one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mien.analysis.series import TrackSeries
from mien.analysis.summary import COUNTED
from mien.analysis.units import ExpressionSummary
from mien.draw.palette import INK, UNCERTAIN, colours_of
from mien.draw.video import clock
from mien.media.paths import common_folder
from mien.pages.render import render

if TYPE_CHECKING:
    from mien.analysis.report import Part, Report, Timeline

MOST_FILES = 200  # listed by name
_WIDTH, _STRIP, _HIGH = 1000.0, 14.0, 70.0  # of a timeline's drawing, its strip of expressions and all of it
FLAG_MEANING = {
    "small": "eyes too near each other in pixels",
    "off-axis": "turned too far from the camera",
    "blurred": "out of focus or moved",
    "dark": "too little light",
    "flat": "too little contrast",
    "overexposed": "white without detail",
    "orientation": "which way is up is unknown",
}


def render_report(report: Report) -> str:
    """The text of the page."""
    return render(
        "mien.analysis",
        "report.html",
        report=report,
        colours=colours_of(report.labels),
        uncertain=UNCERTAIN,
        counted=COUNTED,
        flag_meaning=FLAG_MEANING,
        most_files=MOST_FILES,
        shown_in=shown_in,
        short_names=short_names,
        strip=strip,
        clock=clock,
    )


def shown_in(groups: Sequence[ExpressionSummary]) -> list[str]:
    """The expressions that at least one group shows."""
    shown = {one.expression for unit in groups for one in unit.expressions if one.amount > 0}
    return [one.expression for one in groups[0].expressions if one.expression in shown]


def short_names(part: Part) -> tuple[str, dict[str, str]]:
    """The folder in which groups by folder or file lie, and the name of each below it; ("", {}) without one."""
    names = [unit.source for unit in part.groups]
    folder = common_folder(names) if part.grouped_by in ("folder", "source") else ""
    if not folder:
        return "", {}
    return folder, {name: name.removeprefix(folder) for name in names}


def strip(track: TrackSeries, timeline: Timeline) -> str:
    """One track as SVG: above, the counted expression; below, stacked probabilities. As wide as its place."""
    span = max(timeline.end_s - timeline.begin_s, 1e-6)
    colours = colours_of(track.labels)

    def x(seconds: float) -> float:
        return _WIDTH * (seconds - timeline.begin_s) / span

    shapes = []
    for begin, end, index in track.runs():
        colour = UNCERTAIN if index < 0 else colours[track.labels[index]]
        shapes.append(f'<path fill="{colour}" d="M{x(begin):.1f} 0H{x(end):.1f}V{_STRIP:.0f}H{x(begin):.1f}z"/>')
    for part in track.segments:
        at = [x(seconds) for seconds in track.edges(part)]
        tops = np.concatenate(
            [np.zeros((part.stop - part.start, 1)), np.cumsum(track.scores[part], axis=1)], axis=1
        )
        rises = _HIGH - (_HIGH - _STRIP - 4) * np.minimum(tops, 1)
        for i, colour in enumerate(colours.values()):
            if track.scores[part, i].max() >= 0.02:
                shapes.append(f'<path fill="{colour}" d="{_band(at, rises[:, i + 1], rises[:, i])}"/>')
    line = f'<path stroke="{INK}" stroke-dasharray="3 3" vector-effect="non-scaling-stroke"'
    shapes += [f'{line} d="M{x(cut):.1f} 0V{_HIGH:g}"/>' for cut in timeline.cuts]
    return f'viewBox="0 0 {_WIDTH:g} {_HIGH:g}" preserveAspectRatio="none">{"".join(shapes)}'


def _band(at: list[float], upper: np.ndarray, lower: np.ndarray) -> str:
    """A closed path of steps: along the upper edge and back along the lower one."""
    there = "".join(f"V{y:.1f}H{end:.1f}" for y, end in zip(upper, at[1:], strict=True))
    back = "".join(f"V{y:.1f}H{begin:.1f}" for y, begin in zip(lower[::-1], at[-2::-1], strict=True))
    return f"M{at[0]:.1f} {lower[0]:.1f}{there}{back}z"
