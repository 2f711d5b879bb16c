"""Figures of Matplotlib as files, the same bytes for the same figure."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mien.media.atomic import atomic_write
from mien.media.marking import marked_exif

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PIXELS = ("png", "jpg", "jpeg", "webp", "tif", "tiff")


def write_figure(figure: Figure, path: Path, *, dpi: int = 130) -> None:
    """In one step; the suffix chooses the format. Images say that they are no input (`mien.media.outputs`)."""
    import matplotlib as mpl

    kind, drawn = path.suffix.lstrip(".").lower(), BytesIO()
    options: dict[str, Any] = {"metadata": {"Date": None}} if kind == "svg" else {}
    options |= {"pil_kwargs": {"exif": marked_exif()}} if kind in _PIXELS else {}
    with mpl.rc_context({"svg.hashsalt": "mien", "svg.fonttype": "none"}):
        figure.savefig(drawn, dpi=dpi, format=kind, **options)
    atomic_write(path, drawn.getbuffer())
