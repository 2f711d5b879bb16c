"""Confusion, reliability and coverage as images (SVG text), drawn with Matplotlib."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from mien.errors import MissingPackageError
from mien.evaluation.report import Report
from mien.evaluation.robustness import Version

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, PALE, OTHER = "#1f3a5f", "#c9d6e6", "#c2571a"


def confusion_plot(report: Report) -> str:
    """Row per true class, column per answer; shade and percentage are shares of the row."""
    names = [str(label) for label in report.labels]
    counts = np.array(report.figures.confusion)
    unanswered = counts[:, -1].any()
    counts, columns = (counts, [*names, "no answer"]) if unanswered else (counts[:, :-1], names)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    with _canvas(1.4 + 0.72 * len(columns), 1.0 + 0.55 * len(names)) as (axes, drawn):
        axes.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        axes.set_xticks(range(len(columns)), columns, rotation=35, ha="right")
        axes.set_yticks(range(len(names)), names)
        axes.set_xlabel("answer")
        axes.set_ylabel("truth")
        for row, column in np.ndindex(*counts.shape):
            if counts[row, column]:
                colour = "white" if share[row, column] > 0.55 else INK
                text = f"{share[row, column]:.0%}\n{counts[row, column]}"
                axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=7)
        axes.spines[:].set_visible(False)
    return drawn[0]


def reliability_plot(report: Report) -> str:
    """Accuracy against stated confidence; on the diagonal, probabilities mean what they say."""
    bars = report.figures.reliability
    with _canvas(3.6, 3.4) as (axes, drawn):
        axes.plot([0, 1], [0, 1], color=PALE, linewidth=1)
        most = max((bar.count for bar in bars), default=1)
        axes.scatter(
            [bar.confidence for bar in bars],
            [bar.accuracy for bar in bars],
            s=[15 + 160 * bar.count / most for bar in bars],
            color=INK,
            alpha=0.85,
        )
        axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="confidence", ylabel="accuracy")
    return drawn[0]


def coverage_plot(report: Report) -> str:
    """Accuracy of what is still answered, as the least confidence rises."""
    covers = [(c.threshold, c.coverage, c.accuracy) for c in report.figures.risk_coverage if c.accuracy is not None]
    with _canvas(3.6, 3.4) as (axes, drawn):
        axes.plot([share for _, share, _ in covers], [right for _, _, right in covers], color=INK, marker="o", ms=3)
        for threshold, share, right in told_apart(covers[::4]):
            axes.annotate(f"{threshold:.1f}", (share, right), (4, 4), textcoords="offset points", fontsize=7)
        axes.set(xlim=(0, 1.02), xlabel="share of images answered", ylabel="accuracy of those")
    return drawn[0]


def told_apart(covers: Sequence[tuple[float, float, float]]) -> list[tuple[float, float, float]]:
    """(threshold, share, accuracy) by rising threshold; of those with one share, the highest threshold."""
    return list({one[1]: one for one in covers}.values())


def pose_plot(report: Report) -> str:
    """Accuracy for each class of head pose."""
    with _canvas(1.2 + 0.5 * len(report.poses), 3.0) as (axes, drawn):
        axes.bar([pose.pose for pose in report.poses], [pose.accuracy for pose in report.poses], color=INK)
        axes.set(ylim=(0, 1), xlabel="pose", ylabel="accuracy")
    return drawn[0]


def corruption_plot(kind: Sequence[Version], report: Report) -> str:
    """Accuracy from the clean images to the hardest strength of one kind, with the interval of the change."""
    clean = report.figures.accuracy
    names = ["clean", *(one.strength.removesuffix(" of face") for one in kind)]
    with _canvas(2.5, 1.9) as (axes, drawn):
        axes.axhline(clean, color=PALE, linewidth=1)
        moved = [(0.0, 0.0, 0.0), *((c.value, c.low, c.high) for c in (one.accuracy_change for one in kind))]
        values, low, high = (clean + np.array(column) for column in zip(*moved, strict=True))
        axes.vlines(range(len(names)), low, high, color=INK, linewidth=1)
        axes.plot(range(len(names)), values, color=INK, marker="o", ms=3, linewidth=1)
        if all(one.accuracy_gain is not None for one in kind):
            other = [one.accuracy - one.accuracy_gain.value for one in kind if one.accuracy_gain]
            gain = report.robustness.clean_gain if report.robustness else None
            axes.plot(
                range(len(names)),
                [clean - (gain.value if gain else 0), *other],
                color=OTHER,
                marker="o",
                ms=3,
                linewidth=1,
                linestyle="--",
            )
        axes.set_xticks(range(len(names)), names, rotation=35, ha="right")
        axes.set(ylim=(0, 1), title=kind[0].kind)
        axes.spines[["top", "right"]].set_visible(False)
    return drawn[0]


@contextmanager
def _canvas(width: float, height: float) -> Iterator[tuple[Axes, list[str]]]:
    """Axes of a size in inches, and a list into which the finished SVG is put."""
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
