"""The tables of an evaluation as text cells: what the terminal, the HTML page and Markdown documents show."""

from __future__ import annotations

from dataclasses import dataclass

from mien.evaluation.result import FOLD_METRICS, Evaluation
from mien.metrics import Interval
from mien.wording import share


@dataclass(frozen=True)
class Table:
    """Rows of cells under their columns."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def select(self, *columns: str) -> Table:
        """Some of the columns, in this order."""
        keep = [self.columns.index(name) for name in columns]
        return Table(columns, tuple(tuple(row[i] for i in keep) for row in self.rows))


def summary_table(evaluation: Evaluation) -> Table:
    """Accuracy, balanced accuracy, macro-F1, top-2 accuracy and calibration error."""
    metrics = evaluation.metrics
    rows = [(name, getattr(metrics, key), evaluation.intervals.get(key)) for name, key in (
        ("accuracy", "accuracy"), ("balanced accuracy", "balanced_accuracy"), ("macro F1", "macro_f1"),
        ("top-2 accuracy", "top2_accuracy"), ("ECE", "ece"),
    )]  # fmt: skip
    return Table(("metric", "value", "95 % interval"), tuple((n, share(v), bounds(i)) for n, v, i in rows))


def class_table(evaluation: Evaluation) -> Table:
    """Recall with its interval, precision and F1 of each class."""
    rows = []
    for label, one in zip(evaluation.labels, evaluation.metrics.classes, strict=True):
        recall = (share(one.recall), bounds(evaluation.intervals.get(f"recall.{label}")))
        rows.append((label, str(one.count), *recall, share(one.precision), share(one.f1)))
    return Table(("class", "images", "recall", "95 % interval", "precision", "F1"), tuple(rows))


def confusion_table(evaluation: Evaluation) -> Table:
    """Counts: truth in rows, predictions in columns, "none" for images without one."""
    metrics, names = evaluation.metrics, [label[:4] for label in evaluation.labels]
    columns = [*names, "none"] if metrics.predicted < metrics.images else names
    rows = [
        (label, *(str(count or "·") for count in row[: len(columns)]))
        for label, row in zip(evaluation.labels, metrics.confusion, strict=True)
    ]
    return Table(("truth", *columns), tuple(rows))


def fold_table(evaluation: Evaluation) -> Table:
    """Each fold, then mean and standard deviation over the folds."""
    rows = [
        (one.fold, str(one.images), *(share(getattr(one, name)) for name in FOLD_METRICS))
        for one in evaluation.folds
    ]
    over = [evaluation.over_folds(name) for name in FOLD_METRICS]
    rows.append(("mean ± std", "", *(f"{100 * mean:.1f} ± {100 * std:.1f}" for mean, std in over)))
    return Table(("fold", "images", "accuracy", "balanced accuracy", "macro F1"), tuple(rows))


def pose_table(evaluation: Evaluation) -> Table:
    """Each class of head pose that the set states."""
    rows = [
        (one.pose, str(one.images), share(one.accuracy), share(one.balanced_accuracy)) for one in evaluation.poses
    ]
    return Table(("yaw", "images", "accuracy", "balanced accuracy"), tuple(rows))


def corruption_table(evaluation: Evaluation) -> Table:
    """Clean images, then each corruption and severity; changes in points, with paired intervals."""
    clean, pair = evaluation.metrics, evaluation.comparison
    accuracy, balanced = share(clean.accuracy), share(clean.balanced_accuracy)
    gain = points(pair.accuracy) if pair else ""
    rows = [("clean", "", str(clean.predicted), accuracy, "", balanced, "", gain)]
    for one in evaluation.robustness.corruptions if evaluation.robustness else ():
        accuracy, balanced = share(one.accuracy), share(one.balanced_accuracy)
        changes = (points(one.accuracy_change), points(one.balanced_accuracy_change))
        first, second = changes if one.altered else ("same images", "")
        counts = (f"{one.corruption}, {one.severity}", str(one.altered), str(one.predicted))
        rows.append((*counts, accuracy, first, balanced, second, points(one.accuracy_gain)))
    columns = ("images", "altered", "predicted", "accuracy", "change", "balanced accuracy", "its change", "gain")
    table = Table(columns, tuple(rows))
    return table if pair else table.select(*columns[:-1])


def yaw_table(evaluation: Evaluation) -> Table:
    """Clean images by the measured yaw of the head."""
    bins = evaluation.robustness.yaw_bins if evaluation.robustness else ()
    rows = [(one.range, str(one.images), one.accuracy, one.balanced_accuracy) for one in bins]
    return Table(
        ("measured yaw", "images", "accuracy", "95 % interval", "balanced accuracy"),
        tuple((name, images, share(a.value), bounds(a), share(b.value)) for name, images, a, b in rows),
    )


def comparison_text(evaluation: Evaluation) -> str:
    """The comparison in one sentence; "" where there is none."""
    if (pair := evaluation.comparison) is None:
        return ""
    caution = ""
    if evaluation.resampled != "images":
        caution = f" as if images were independent; the interval is of {evaluation.resampled}"
    return (
        f"Accuracy over {pair.second}: {points(pair.accuracy)} points; correct only here "
        f"{pair.mcnemar.only_first}, only there {pair.mcnemar.only_second}; McNemar p = {pair.mcnemar.p_value:.2g}"
        f"{caution}."
    )


def paper_text(evaluation: Evaluation) -> str:
    """The paper's accuracy in one sentence; "" where there is none."""
    if (paper := evaluation.paper_result) is None:
        return ""
    gap = 100 * (evaluation.metrics.accuracy - paper.accuracy)
    return (
        f"Accuracy in the paper of {paper.network}: {paper.accuracy:.2%} ({paper.source}); here {gap:+.2f} points."
    )


def bounds(interval: Interval | None) -> str:
    """The ends of an interval in percent."""
    return f"{interval.low:.1%} – {interval.high:.1%}" if interval else ""


def points(difference: Interval | None) -> str:
    """A difference in points of a hundred, with its interval."""
    if difference is None:
        return ""
    return f"{100 * difference.value:+.1f} ({100 * difference.low:+.1f} to {100 * difference.high:+.1f})"
