"""An evaluation as one self-contained HTML page: tables, plots, and the most confident errors as images."""

from __future__ import annotations

from mien.evaluation import plots, tables
from mien.evaluation.result import Evaluation
from mien.pages.render import render as render_page


def render(evaluation: Evaluation) -> str:
    """The page as text; it opens without a network."""
    return render_page(
        "mien.evaluation",
        "evaluation.html",
        evaluation=evaluation,
        metrics=evaluation.metrics,
        tables=tables,
        plots=plots,
    )
