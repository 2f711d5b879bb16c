"""The plots of an evaluation as SVG text, drawn with Matplotlib."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from mien.draw.matplotlib_cache import leave_home_alone
from mien.errors import MissingPackageError
from mien.evaluation.result import Evaluation
from mien.evaluation.robustness import CorruptionMetrics

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, PALE, OTHER = "#1f3a5f", "#c9d6e6", "#c2571a"


def confusion_plot(evaluation: Evaluation) -> str:
    """Row per true class, column per predicted class; shade and percentage are shares of the row."""
    names = [str(label) for label in evaluation.labels]
    counts = np.array(evaluation.metrics.confusion)
    missing = counts[:, -1].any()
    counts, columns = (counts, [*names, "none"]) if missing else (counts[:, :-1], names)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    with _canvas(1.4 + 0.72 * len(columns), 1.0 + 0.55 * len(names)) as (axes, drawn):
        axes.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        axes.set_xticks(range(len(columns)), columns, rotation=35, ha="right")
        axes.set_yticks(range(len(names)), names)
        axes.set_xlabel("predicted")
        axes.set_ylabel("truth")
        for row, column in np.ndindex(*counts.shape):
            if counts[row, column]:
                colour = "white" if share[row, column] > 0.55 else INK
                text = f"{share[row, column]:.0%}\n{counts[row, column]}"
                axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=7)
        axes.spines[:].set_visible(False)
    return drawn[0]


def reliability_plot(evaluation: Evaluation) -> str:
    """The reliability diagram: accuracy against confidence."""
    bars = evaluation.metrics.reliability
    with _canvas(3.6, 3.4) as (axes, drawn):
        axes.plot([0, 1], [0, 1], color=PALE, linewidth=1)
        most = max((bar.count for bar in bars), default=1)
        axes.scatter(
            [bar.confidence for bar in bars],
            [bar.accuracy for bar in bars],
            s=[15 + 160 * bar.count / most for bar in bars],
            color=INK,
            alpha=0.85,
            clip_on=False,
            zorder=3,
        )
        axes.set(xlim=(-0.05, 1.05), ylim=(-0.05, 1.05), xlabel="confidence", ylabel="accuracy")
    return drawn[0]


def coverage_plot(evaluation: Evaluation) -> str:
    """Selective accuracy against coverage, as the confidence threshold rises."""
    points = [
        (one.threshold, one.coverage, one.accuracy)
        for one in evaluation.metrics.risk_coverage
        if one.accuracy is not None
    ]
    with _canvas(3.6, 3.4) as (axes, drawn):
        axes.plot(
            [coverage for _, coverage, _ in points],
            [accuracy for _, _, accuracy in points],
            color=INK,
            marker="o",
            ms=3,
            clip_on=False,
        )
        for threshold, coverage, accuracy in distinct(points[::4]):
            axes.annotate(f"{threshold:.1f}", (coverage, accuracy), (4, 4), textcoords="offset points", fontsize=7)
        axes.set(xlim=(0, 1.02), xlabel="coverage", ylabel="selective accuracy")
    return drawn[0]


def distinct(points: Sequence[tuple[float, float, float]]) -> list[tuple[float, float, float]]:
    """(threshold, coverage, accuracy) by rising threshold; of those with one coverage, the highest threshold."""
    return list({one[1]: one for one in points}.values())


def pose_plot(evaluation: Evaluation) -> str:
    """Accuracy for each class of head pose."""
    with _canvas(1.2 + 0.5 * len(evaluation.poses), 3.0) as (axes, drawn):
        axes.bar([pose.pose for pose in evaluation.poses], [pose.accuracy for pose in evaluation.poses], color=INK)
        axes.set(ylim=(0, 1), xlabel="pose", ylabel="accuracy")
    return drawn[0]


def corruption_plot(severities: Sequence[CorruptionMetrics], evaluation: Evaluation) -> str:
    """Accuracy from clean images to the highest severity of one corruption, with the interval of the change."""
    clean, pair = evaluation.metrics.accuracy, evaluation.comparison
    names = ["clean", *(one.severity.removesuffix(" of face") for one in severities)]
    steps = range(len(names))
    with _canvas(2.5, 1.9) as (axes, drawn):
        axes.axhline(clean, color=PALE, linewidth=1)
        moved = [(0.0, 0.0, 0.0), *((c.value, c.low, c.high) for c in (one.accuracy_change for one in severities))]
        values, low, high = (clean + np.array(column) for column in zip(*moved, strict=True))
        axes.vlines(steps, low, high, color=INK, linewidth=1)
        axes.plot(steps, values, color=INK, marker="o", ms=3, linewidth=1)
        if pair is not None:
            gains = [pair.accuracy.value, *(one.accuracy_gain.value for one in severities if one.accuracy_gain)]
            axes.plot(steps, values - gains, color=OTHER, marker="o", ms=3, linewidth=1, linestyle="--")
        axes.set_xticks(steps, names, rotation=35, ha="right")
        axes.set(ylim=(0, 1), title=severities[0].corruption)
        axes.spines[["top", "right"]].set_visible(False)
    return drawn[0]


@contextmanager
def _canvas(width: float, height: float) -> Iterator[tuple[Axes, list[str]]]:
    """Axes of a size in inches, and a list into which the finished SVG is put."""
    leave_home_alone()
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise MissingPackageError("Drawing the report", "matplotlib", "evaluate") from error
    drawn: list[str] = []
    with mpl.rc_context({"svg.hashsalt": "mien", "svg.fonttype": "none", "font.size": 8}):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure.add_subplot(), drawn
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
    drawn.append(file.getvalue()[file.getvalue().index("<svg") :])
