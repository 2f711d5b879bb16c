"""A page from its template, in one file that opens without a network."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from PIL import Image

from mien.draw.palette import colours_of
from mien.errors import MissingPackageError
from mien.results import percent
from mien.wording import share

THUMBNAIL_PX = 224


def render(folder: str, template: str, **values: Any) -> str:
    """The text of a page. `folder`: the module whose templates/ has it; base.html and parts.html are here."""
    try:
        from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
    except ModuleNotFoundError as error:
        raise MissingPackageError("An HTML page", "jinja2", "report") from error
    pages = Environment(
        loader=ChoiceLoader([PackageLoader(folder), PackageLoader("mien.pages")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.globals.update(thumbnail=thumbnail, percent=percent, colours_of=colours_of)
    pages.filters.update(share=share, points=points)
    return pages.get_template(template).render(**values)


def thumbnail(image: np.ndarray, *, side_px: int = THUMBNAIL_PX) -> str:
    """A JPEG of at most this side, as base64 text."""
    pil = Image.fromarray(image)
    pil.thumbnail((side_px, side_px))
    file = io.BytesIO()
    pil.save(file, "JPEG", quality=80)
    return base64.b64encode(file.getvalue()).decode()


def points(value: float | None) -> str:
    """A difference of shares in points of a hundred, with its sign."""
    return "–" if value is None else f"{100 * value:+.1f}".replace("-", "−")
