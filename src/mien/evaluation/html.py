"""A report as one self-contained HTML page: figures, plots, and the worst mistakes as images."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from PIL import Image

from mien.evaluation.plots import confusion_plot, corruption_plot, coverage_plot, pose_plot, reliability_plot
from mien.evaluation.report import FOLD_METRICS, Report
from mien.metrics import Interval as Change

STYLE = """
body{font:15px/1.5 system-ui,sans-serif;color:#1b2733;max-width:68rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem;margin-bottom:.2rem} h2{font-size:1.1rem;margin-top:2.2rem;border-bottom:1px solid #d8e0ea}
table{border-collapse:collapse;margin:.6rem 0} td,th{padding:.25rem .8rem .25rem 0;text-align:right}
td:first-child,th:first-child{text-align:left} tbody tr:nth-child(odd){background:#f5f8fb}
.close{font-size:.85rem;white-space:nowrap}
.big{display:flex;gap:2.2rem;flex-wrap:wrap;margin:1rem 0}.big b{display:block;font-size:1.9rem;font-weight:600}
.big small{color:#5b6b7d}.row{display:flex;flex-wrap:wrap;gap:1.2rem;align-items:flex-start}
.faces{display:grid;grid-template-columns:repeat(auto-fill,minmax(7.2rem,1fr));gap:.7rem}
figure{margin:0;font-size:.78rem;line-height:1.3;overflow-wrap:anywhere}
figure img{width:100%;aspect-ratio:1;object-fit:cover;border-radius:4px;background:#eee}
.hook{color:#5b6b7d} code{background:#f0f3f7;padding:.1rem .3rem;overflow-wrap:anywhere}
"""
THUMBNAIL_PX = 112


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """One wrong answer. `image` gives the pixels (H, W, 3) uint8 RGB, only called when the page is made."""

    name: str
    truth: str
    answer: str
    confidence: float
    image: Callable[[], np.ndarray]


def page(report: Report, mistakes: Sequence[Mistake] = ()) -> str:
    """The whole page as text; opens without a network."""
    title = f"{report.of.get('weights', 'answers')} on {report.of.get('set', 'images')}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        "<p class=hook>" + escape(" · ".join(f"{key}: {value}" for key, value in report.of.items())) + "</p>",
        _headline(report),
        _published(report),
        "".join(f"<p class=hook>{escape(hook)}.</p>" for hook in report.notes),
        _folds(report),
        _classes(report),
        "<h2>Confusion</h2>" + confusion_plot(report),
        "<h2>Confidence</h2><p>Left: on the line, a stated 80 % is right in 80 % of the cases; dots grow with the "
        "number of images. Right: answers below a least confidence (beside the line) are withheld.</p>"
        f"<div class=row>{reliability_plot(report)}{coverage_plot(report)}</div>",
        _poses(report),
        _comparison(report),
        _robustness(report),
        _mistakes(mistakes),
    ]
    return (
        "<!doctype html><html lang=en><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width,initial-scale=1'>"
        f"<title>{escape(title)}</title><style>{STYLE}</style><body>{''.join(parts)}</body></html>\n"
    )


def _headline(report: Report) -> str:
    figures = report.figures
    shown = [
        ("accuracy", figures.accuracy, "accuracy"),
        ("balanced accuracy", figures.balanced_accuracy, "balanced_accuracy"),
        ("macro F1", figures.macro_f1, "macro_f1"),
        ("top 2", figures.top2_accuracy, ""),
        ("calibration error", figures.ece, ""),
    ]
    cells = "".join(
        f"<div><b>{value:.1%}</b>{name}<br><small>{_bounds(report, key)}</small></div>"
        for name, value, key in shown
    )
    drawn = "people" if report.by_subject else "images"
    missing = figures.images - figures.predicted
    return (
        f"<div class=big>{cells}</div><p class=hook>{figures.images} images"
        + (f", {missing} without an answer (no face found), counted as wrong" if missing else "")
        + f". Beneath: 95 % intervals from resampling {drawn}.</p>"
    )


def _published(report: Report) -> str:
    if report.published is None:
        return ""
    gap = 100 * (report.figures.accuracy - report.published.accuracy)
    return (
        f"<p>Accuracy in the paper of {escape(report.published.network)}: {report.published.accuracy:.2%} "
        f"(<i>{escape(report.published.source)}</i>); here {gap:+.2f} points.</p>"
    )


def _folds(report: Report) -> str:
    if not report.folds:
        return ""
    rows = "".join(
        f"<tr><td>{escape(fold.fold)}<td>{fold.images}<td>{fold.accuracy:.1%}<td>{fold.balanced_accuracy:.1%}"
        f"<td>{fold.macro_f1:.1%}"
        for fold in report.folds
    )
    over = (report.over_folds(name) for name in FOLD_METRICS)
    rows += "<tr><td>mean ± deviation<td>" + "".join(f"<td>{100 * m:.1f} ± {100 * s:.1f}" for m, s in over)
    return (
        "<h2>Folds</h2><p>Each fold's weights answered for the images that they never saw; above, all answers "
        "together.</p><table><thead><tr><th>fold<th>images<th>accuracy<th>balanced<th>macro F1"
        f"<tbody>{rows}</table>"
    )


def _classes(report: Report) -> str:
    rows = "".join(
        f"<tr><td>{label}<td>{figure.count}<td>{_share(figure.recall)}<td>{_bounds(report, f'recall.{label}')}"
        f"<td>{_share(figure.precision)}<td>{_share(figure.f1)}"
        for label, figure in zip(report.labels, report.figures.classes, strict=True)
    )
    head = "<tr><th>class<th>images<th>recall<th>95 %<th>precision<th>F1"
    return f"<h2>Classes</h2><table><thead>{head}<tbody>{rows}</table>"


def _poses(report: Report) -> str:
    if not report.poses:
        return ""
    rows = "".join(
        f"<tr><td>{escape(pose.pose)}<td>{pose.images}<td>{pose.accuracy:.1%}<td>{pose.balanced_accuracy:.1%}"
        for pose in report.poses
    )
    return (
        f"<h2>Head pose</h2><p>Mean over poses: {report.pose_average:.1%}.</p><div class=row><table><thead>"
        f"<tr><th>pose<th>images<th>accuracy<th>balanced<tbody>{rows}</table>{pose_plot(report)}</div>"
    )


def _comparison(report: Report) -> str:
    found = report.comparison
    if found is None:
        return ""
    return (
        f"<h2>Compared with {escape(report.compared_with)}</h2>"
        f"<p>{100 * (found.only_first - found.only_second) / report.figures.images:+.2f} points of accuracy; right only here: {found.only_first}, "
        f"right only there: {found.only_second}, both: {found.both}, neither: {found.neither}. "
        f"McNemar's exact test: p = {found.p_value:.2g}.</p>"
    )


def _robustness(report: Report) -> str:
    found = report.robustness
    if found is None:
        return ""
    other, clean = escape(report.compared_with), report.figures
    gains = found.clean_gain is not None
    head = "<tr><th>images<th>altered<th>answered<th>accuracy<th>change, 95 %<th>balanced accuracy<th>change, 95 %"
    head += f"<th>accuracy over {other}, 95 %" if gains else ""
    rows = f"<tr><td>as they are<td><td>{clean.predicted}<td>{clean.accuracy:.1%}<td>"
    rows += f"<td>{clean.balanced_accuracy:.1%}<td>" + (f"<td>{_points(found.clean_gain)}" if gains else "")
    for one in found.versions:
        rows += (
            f"<tr><td>{escape(one.kind)}, {escape(one.strength)}<td>{one.altered}<td>{one.answered}"
            f"<td>{one.accuracy:.1%}<td>{_points(one.accuracy_change)}"
            f"<td>{one.balanced_accuracy:.1%}<td>{_points(one.balanced_accuracy_change)}"
        ) + (f"<td>{_points(one.accuracy_gain)}" if gains else "")
    turned = "".join(
        f"<tr><td>{one.yaw}<td>{one.images}<td>{one.accuracy:.1%}<td>{one.accuracy_interval.low:.1%} – "
        f"{one.accuracy_interval.high:.1%}<td>{one.balanced_accuracy:.1%}"
        for one in found.turned
    )
    plots = "".join(corruption_plot(kind, report) for kind in found.kinds.values())
    dashed = f", the dashed line {other}" if gains else ""
    return (
        "<h2>Robustness</h2><p>The same images made worse, before faces are aligned. Mean over kinds of the mean "
        f"over their strengths: accuracy {found.mean_accuracy:.1%}, "
        f"balanced accuracy {found.mean_balanced_accuracy:.1%}. The pale line is clean "
        f"accuracy, bars are 95 % intervals of the change{dashed}.</p>"
        f"<div class=row>{plots}</div>"
        f"<table class=close><thead>{head}<tbody>{rows}</table><p class=hook>"
        "Changes in points; both versions of an image are resampled together. "
        "Altered: images that the corruption changed at all.</p>"
        "<h2>Turned heads</h2><table><thead><tr><th>yaw, as measured<th>images<th>accuracy<th>95 %<th>balanced accuracy"
        f"<tbody>{turned}</table>"
    )


def _points(change: Change | None) -> str:
    if change is None:
        return ""
    return f"{100 * change.value:+.1f} ({100 * change.low:+.1f} to {100 * change.high:+.1f})"


def _mistakes(mistakes: Sequence[Mistake]) -> str:
    if not mistakes:
        return ""
    figures = "".join(
        f"<figure><img alt='' src='data:image/jpeg;base64,{_thumbnail(mistake.image())}'>"
        f"<b>{escape(mistake.answer)}</b> {mistake.confidence:.0%}<br>label: {escape(mistake.truth)}"
        f"<br><span class=hook>{escape(mistake.name)}</span></figure>"
        for mistake in mistakes
    )
    return (
        "<h2>Surest mistakes</h2><p>What the network was most certain of and the label denies. "
        f"Not rarely the label is at fault.</p><div class=faces>{figures}</div>"
    )


def _thumbnail(image: np.ndarray) -> str:
    pil = Image.fromarray(image)
    pil.thumbnail((2 * THUMBNAIL_PX, 2 * THUMBNAIL_PX))
    file = io.BytesIO()
    pil.save(file, "JPEG", quality=80)
    return base64.b64encode(file.getvalue()).decode()


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _bounds(report: Report, key: str) -> str:
    bound = report.intervals.get(key)
    return f"{bound.low:.1%} – {bound.high:.1%}" if bound else ""
