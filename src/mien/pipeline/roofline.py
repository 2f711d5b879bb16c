"""The roofline of a machine and where its networks lie under it, as an image."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mien.draw.figure_file import write_figure
from mien.draw.matplotlib_cache import leave_home_alone
from mien.errors import MissingPackageError, OptionError
from mien.pipeline.bench import BenchResult

SUFFIXES = (".png", ".svg", ".pdf")
_COLOURS = {"float32": "#1f3a5f", "int8": "#c2571a"}
_MARKS = "osD^v"


def check_plot(path: Path) -> None:
    """Raise `OptionError` for a name that is no image's, `MissingPackageError` without Matplotlib."""
    if path.suffix not in SUFFIXES:
        raise OptionError(f"{path}: the plot's name must end in {', '.join(SUFFIXES)}")
    leave_home_alone()
    try:
        import matplotlib.figure  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingPackageError("The roofline plot", "matplotlib", "plots") from error


def draw_roofline(result: BenchResult, path: Path) -> None:
    """Multiply-adds a second over multiply-adds a byte, both logarithmic, for one thread; a point per setting."""
    check_plot(path)
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 4.4), layout="constrained")
    axes = figure.add_subplot()
    points = [one for one in result.networks if one.threads == 1]
    top = result.billion_products_s[1]
    per_byte = np.geomspace(0.25, 2 * max(one.products_per_byte for one in points), 200)
    axes.plot(per_byte, np.minimum(top, result.gigabytes_s * per_byte), color="#7a8aa0", linewidth=1.5)
    axes.annotate(
        f"float32 products: {top:g} G/s", (per_byte[-1], top), (0, 4), textcoords="offset points", ha="right"
    )
    names = list(dict.fromkeys(one.network for one in points))
    for name in names:
        for precision, colour in _COLOURS.items():
            series = [one for one in points if (one.network, one.precision) == (name, precision)]
            if series:
                axes.plot(
                    [one.products_per_byte for one in series], [one.billion_products_s for one in series],
                    linestyle=":", marker=_MARKS[names.index(name) % len(_MARKS)], color=colour,
                    label=f"{name}, {precision}, batch {', '.join(str(one.batch) for one in series)}",
                )  # fmt: skip
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="multiply-adds per byte of weights",
        ylabel="billion multiply-adds a second",
        title=f"{result.machine['processor']}, one thread",
    )
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    write_figure(figure, path, dpi=140)
