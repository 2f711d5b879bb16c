"""An evaluation as one self-contained HTML page: tables, plots, and the most confident errors as images."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

from mien.errors import MissingPackageError
from mien.evaluation import plots, tables
from mien.evaluation.result import Evaluation
from mien.results import percent

THUMBNAIL_PX = 224


def render(evaluation: Evaluation) -> str:
    """The page as text; it opens without a network."""
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ModuleNotFoundError as error:
        raise MissingPackageError("The HTML page", "jinja2", "evaluate") from error
    pages = Environment(
        loader=PackageLoader("mien.evaluation"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return pages.get_template("evaluation.html").render(
        evaluation=evaluation,
        metrics=evaluation.metrics,
        tables=tables,
        plots=plots,
        thumbnail=_thumbnail,
        percent=percent,
    )


def _thumbnail(image: np.ndarray) -> str:
    """A JPEG as base64 text."""
    pil = Image.fromarray(image)
    pil.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
    file = io.BytesIO()
    pil.save(file, "JPEG", quality=80)
    return base64.b64encode(file.getvalue()).decode()
