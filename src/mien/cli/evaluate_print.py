"""An `Evaluation` as tables in a terminal."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table as RichTable

from mien.evaluation import tables
from mien.evaluation.result import Evaluation
from mien.wording import counted, share


def print_evaluation(evaluation: Evaluation) -> None:
    """Everything but the plots."""
    console, metrics = Console(), evaluation.metrics
    settings = dict(evaluation.settings)
    caution = settings.pop("caution", None)
    shown = [f"{key}: {value}" for key, value in settings.items() if key != "command"]
    console.print(" · ".join(shown), style="dim")
    for table in (tables.summary_table, tables.class_table, tables.confusion_table):
        _print(console, table(evaluation))
    if evaluation.folds:
        _print(console, tables.fold_table(evaluation))
    if evaluation.poses:
        _print(console, tables.pose_table(evaluation))
        console.print(f"Mean over poses: {share(evaluation.pose_average)}.")
    images = counted(metrics.images, "image")
    sentences = [f"{images}, {metrics.predicted:,} with a prediction; intervals: {evaluation.resampled} resampled."]
    sentences += [f"{note}." for note in evaluation.notes]
    sentences += [f"Caution: {caution}."] if caution else []
    sentences += [tables.paper_text(evaluation), tables.comparison_text(evaluation)]
    console.print("\n".join(filter(None, sentences)))
    if evaluation.robustness is not None:
        columns = ("accuracy", "balanced accuracy", "gain") if evaluation.comparison else ("accuracy", "change")
        _print(console, tables.corruption_table(evaluation).select("images", *columns))
        console.print(
            f"Mean over corruptions: accuracy {evaluation.robustness.mean_accuracy:.1%}, balanced accuracy "
            f"{evaluation.robustness.mean_balanced_accuracy:.1%}. Changes and gains in points, paired."
        )
        _print(console, tables.yaw_table(evaluation))


def _print(console: Console, table: tables.Table) -> None:
    rich = RichTable(box=box.SIMPLE_HEAD, pad_edge=False)
    for i, name in enumerate(table.columns):
        rich.add_column(name, justify="right" if i else "left", no_wrap=True)
    for row in table.rows:
        rich.add_row(*row)
    console.print(rich)
