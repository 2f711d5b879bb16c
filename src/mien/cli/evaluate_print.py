"""A report of `mien evaluate` as tables in a terminal."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from mien.cli.output import counted
from mien.evaluation.report import FOLD_METRICS, Report
from mien.evaluation.robustness import Robustness
from mien.metrics import Interval as Change


def print_report(judged: Report) -> None:
    """Everything but the plots."""
    console = Console()
    figures = judged.figures
    console.print(
        " · ".join(f"{key}: {value}" for key, value in judged.of.items() if key != "command"), style="dim"
    )
    table = _table("figure", "value", "95 % interval")
    for name, value, key in (
        ("accuracy", figures.accuracy, "accuracy"),
        ("balanced accuracy", figures.balanced_accuracy, "balanced_accuracy"),
        ("macro F1", figures.macro_f1, "macro_f1"),
        ("top 2", figures.top2_accuracy, ""),
        ("calibration error", figures.ece, ""),
    ):
        bound = judged.intervals.get(key)
        table.add_row(name, f"{value:.1%}", f"{bound.low:.1%} - {bound.high:.1%}" if bound else "")
    console.print(table)
    table = _table("class", "images", "recall", "95 % interval", "precision", "F1")
    for label, one in zip(judged.labels, figures.classes, strict=True):
        bound = judged.intervals.get(f"recall.{label}")
        shares = ["-" if share is None else f"{share:.0%}" for share in (one.recall, one.precision, one.f1)]
        between = f"{bound.low:.0%} - {bound.high:.0%}" if bound else ""
        table.add_row(label, str(one.count), shares[0], between, *shares[1:])
    console.print(table)
    columns = [*judged.labels, "none"] if figures.predicted < figures.images else judged.labels
    table = _table("truth \\ answer", *(name[:4] for name in columns))
    for label, row in zip(judged.labels, figures.confusion, strict=True):
        table.add_row(label, *(str(count or "·") for count in row[: len(columns)]))
    console.print(table)
    if judged.folds:
        _print_folds(console, judged)
    if judged.poses:
        table = _table("yaw", "images", "accuracy", "balanced")
        for pose in judged.poses:
            table.add_row(pose.pose, str(pose.images), f"{pose.accuracy:.1%}", f"{pose.balanced_accuracy:.1%}")
        console.print(table)
        console.print(f"Mean over poses: {judged.pose_average:.1%}")
    drawn = "people" if judged.by_subject else "images"
    console.print(f"{counted(figures.images, 'image')}, {figures.predicted:,} answered; intervals resample {drawn}.")
    for hook in judged.notes:
        console.print(f"{hook}.")
    if judged.published is not None:
        gap = 100 * (figures.accuracy - judged.published.accuracy)
        console.print(
            f"In the paper: {judged.published.accuracy:.2%} ({judged.published.source}); here {gap:+.2f} points."
        )
    if judged.comparison is not None:
        pair = judged.comparison
        console.print(
            f"Against {judged.compared_with}: {100 * (pair.only_first - pair.only_second) / figures.images:+.2f} points; right only here "
            f"{pair.only_first}, only there {pair.only_second}; McNemar p = {pair.p_value:.2g}."
        )
    if judged.robustness is not None:
        _print_robustness(console, judged.robustness, judged)


def _print_folds(console: Console, judged: Report) -> None:
    table = _table("fold", "images", "accuracy", "balanced", "macro F1")
    for fold in judged.folds:
        shares = (f"{share:.1%}" for share in (fold.accuracy, fold.balanced_accuracy, fold.macro_f1))
        table.add_row(fold.fold, str(fold.images), *shares)
    if table.rows:
        table.rows[-1].end_section = True
    over = (judged.over_folds(name) for name in FOLD_METRICS)
    table.add_row("mean ± deviation", "", *(f"{100 * mean:.1f} ± {100 * spread:.1f}" for mean, spread in over))
    console.print(table)


def _print_robustness(console: Console, found: Robustness, judged: Report) -> None:
    """With intervals of the change, or of the gain where weights are compared: both do not fit a terminal."""
    compared, clean = found.clean_gain is not None, judged.figures
    table = _table(
        "images", "accuracy", *(("change", "recall", "gain, 95 %") if compared else ("change, 95 %", "recall"))
    )
    row = ["as they are", f"{clean.accuracy:.1%}", "", f"{clean.balanced_accuracy:.1%}"]
    table.add_row(*row, *([_points(found.clean_gain)] if compared else []), end_section=True)
    for kind, versions in found.kinds.items():
        for one in versions:
            name = f"{kind if one is versions[0] else '':12}{one.strength}"
            moved = _points(one.accuracy_change, bounds=not compared) if one.altered else "same"
            gain = [_points(one.accuracy_gain)] if compared else []
            shares = (f"{one.accuracy:.1%}", moved, f"{one.balanced_accuracy:.1%}")
            table.add_row(name, *shares, *gain, end_section=one is versions[-1])
    console.print(table)
    console.print(
        f"Mean over kinds: accuracy {found.mean_accuracy:.1%}, recall {found.mean_balanced_accuracy:.1%}. "
        "Changes in points, images resampled in pairs."
        + (f" Gain: accuracy over {judged.compared_with} in the same images." if compared else "")
    )
    table = _table("head turned", "images", "accuracy", "95 % interval", "recall")
    for turned in found.turned:
        between = f"{turned.accuracy_interval.low:.1%} - {turned.accuracy_interval.high:.1%}"
        shares = (f"{turned.accuracy:.1%}", between, f"{turned.balanced_accuracy:.1%}")
        table.add_row(turned.yaw, str(turned.images), *shares)
    console.print(table)


def _points(change: Change | None, *, bounds: bool = True) -> str:
    """In points of a hundred."""
    if change is None:
        return ""
    between = f" ({100 * change.low:+.1f}, {100 * change.high:+.1f})" if bounds else ""
    return f"{100 * change.value:+.1f}{between}"


def _table(first: str, *others: str) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column(first, no_wrap=True)
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
    return table
