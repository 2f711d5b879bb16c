"""`mien data render`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from mien.cli.progress import progress
from mien.errors import OptionError
from mien.synthetic.generate import TABLE, RenderSettings, render_faces


def render_command(
    model: Path, out: Path, yaws: str, *, workers: int, overwrite: bool, quiet: bool, **settings: Any
) -> None:
    """Render, and print how many."""
    try:
        angles = tuple(float(yaw) for yaw in yaws.split(","))
    except ValueError:
        raise OptionError(f"--yaws {yaws!r}: give angles with commas between, like --yaws=-45,0,45") from None
    wanted = RenderSettings(yaws=angles, **settings)
    with progress("rendering", len(wanted), quiet=quiet) as bar:
        now = render_faces(model, out, wanted, workers=workers, overwrite=overwrite, progress=bar)
    if not quiet:
        before = f", {len(wanted) - now} done before" if now < len(wanted) else ""
        print(f"{now} faces rendered{before}; table: {out / TABLE}", file=sys.stderr)  # noqa: T201
