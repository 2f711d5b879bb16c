"""The plots of a data set: balance of the classes per split, votes, poses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mien.datasets.audit.summary import POSE_DEG, Poses, Summary, Votes
from mien.draw.figure_file import write_figure
from mien.draw.matplotlib_cache import leave_home_alone
from mien.draw.palette import MUTED, SERIES, colours_of
from mien.errors import MissingPackageError, OutputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_summary(summary: Summary, path: Path, *, title: str) -> None:
    """Write the plots to `path`; its suffix chooses the format (.png, .pdf, .svg).

    Raises `MissingPackageError` without Matplotlib, `OutputError` for a suffix it does not know.
    """
    leave_home_alone()
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingPackageError("The plot of a data set", "Matplotlib", "plots") from error
    panels: list[Callable[[Axes], None]] = [lambda axes: _balance(axes, summary)]
    if (votes := summary.votes) is not None:
        panels += [lambda axes: _agreement(axes, votes), lambda axes: _entropy(axes, votes)]
    if (poses := summary.poses) is not None:
        panels.append(lambda axes: _poses(axes, poses))
    columns = 2 if len(panels) == 4 else len(panels)
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(6.2 * columns, 0.5 + 4.2 * rows), layout="constrained")
    for i, panel in enumerate(panels, start=1):
        panel(figure.add_subplot(rows, columns, i))
    figure.suptitle(f"{title}: {summary.images:,} images", fontsize=13)
    if path.suffix.lstrip(".").lower() not in figure.canvas.get_supported_filetypes():
        raise OutputError(f"{path}: plots cannot be saved as {path.suffix!r}; use .png, .pdf or .svg")
    write_figure(figure, path)


def _balance(axes: Axes, summary: Summary) -> None:
    """Share of every class within its split, so that splits of unequal size compare."""
    splits = list(summary.counts)
    names = [name for name in next(iter(summary.counts.values())) if _any(summary, name)]
    positions, thick = np.arange(len(names)), 0.8 / len(splits)
    for i, split in enumerate(splits):
        counts = np.array([summary.counts[split][name] for name in names])
        share = 100 * counts / max(1, counts.sum())
        at = positions + (i - (len(splits) - 1) / 2) * thick
        colour = SERIES[i % len(SERIES)]
        bars = axes.barh(at, share, thick * 0.92, color=colour, label=f"{split or 'all'} ({counts.sum():,})")
        axes.bar_label(bars, [f"{count:,}" for count in counts], padding=3, fontsize=8 if len(splits) < 3 else 7)
    axes.set_yticks(positions, names)
    axes.invert_yaxis()
    axes.margins(x=0.14)
    axes.set_xlabel("share of the split in %; images at the bars")
    axes.set_title("Classes", loc="left")
    if splits != [""]:
        axes.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 1), ncols=len(splits))
    _plain(axes)


def _any(summary: Summary, name: str) -> bool:
    return name != "no label" or any(counts[name] for counts in summary.counts.values())


def _agreement(axes: Axes, votes: Votes) -> None:
    """How many voters chose the first class."""
    share = 100 * np.array(votes.agreement) / votes.rows
    axes.bar(np.arange(10), share, 0.92, color=SERIES[0])
    axes.set_xticks(np.arange(10), [f"{10 * i + 10}" for i in range(10)])
    axes.set_xlabel("votes for the majority class, up to %")
    axes.set_ylabel("share of the images in %")
    axes.set_title(f"Agreement: unanimous {votes.unanimous:.0%}, majority {votes.majority:.0%}")
    _plain(axes)


def _entropy(axes: Axes, votes: Votes) -> None:
    """How uncertain voters are about each class."""
    names = list(votes.entropy_bits)
    colours = list(colours_of(names).values())
    bars = axes.barh(np.arange(len(names)), list(votes.entropy_bits.values()), 0.75, color=colours)
    axes.bar_label(bars, fmt="%.2f", padding=3, fontsize=8)
    axes.axvline(votes.mean_entropy_bits, color=MUTED, linestyle="--", linewidth=1)
    axes.set_yticks(np.arange(len(names)), names)
    axes.invert_yaxis()
    axes.margins(x=0.1)
    axes.set_xlabel("bits; dashed: mean over all images")
    axes.set_title("Entropy of the votes per class")
    _plain(axes)


def _poses(axes: Axes, poses: Poses) -> None:
    """Yaw and, where the set states it, pitch."""
    drawn = [("yaw", poses.yaw), *([("pitch", poses.pitch)] if sum(poses.pitch) else [])]
    thick = 0.86 / len(drawn)
    for i, (name, counts) in enumerate(drawn):
        at = np.arange(len(POSE_DEG)) + (i - (len(drawn) - 1) / 2) * thick
        axes.bar(at, counts, thick * 0.95, color=SERIES[i], label=name)
    axes.set_xticks(np.arange(len(POSE_DEG)), [f"{angle:+d}°" if angle else "0°" for angle in POSE_DEG])
    axes.set_xlabel("degrees; yaw to the right edge of the image and pitch up are positive")
    axes.set_ylabel("images")
    axes.set_title(f"Pose of the head ({poses.rows:,} images)")
    axes.legend(frameon=False)
    _plain(axes)


def _plain(axes: Any) -> None:
    axes.spines[["top", "right"]].set_visible(False)
