"""`mien data render`."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from mien.cli.progress import progress
from mien.errors import OptionError
from mien.synthetic import generate


@dataclass(frozen=True, kw_only=True)
class Request:
    """The options of one call."""

    model: Path
    out: Path
    identities: int
    seed: int
    size: int
    classes: int
    yaws: str
    yaw_jitter: float
    pitch: float
    jobs: int
    overwrite: bool
    quiet: bool


def render_views_command(request: Request) -> None:
    """Render, and say how many."""
    try:
        angles = tuple(float(yaw) for yaw in request.yaws.split(","))
    except ValueError:
        raise OptionError(
            f"--yaws {request.yaws!r}: give angles with commas between, like --yaws=-45,0,45"
        ) from None
    if request.jobs < 1:
        raise OptionError(f"--jobs is {request.jobs}; at least one process is needed")
    settings = generate.RenderSettings(
        identities=request.identities,
        seed=request.seed,
        size_px=request.size,
        classes=request.classes,
        yaws=angles,
        yaw_jitter_deg=request.yaw_jitter,
        pitch_limit_deg=request.pitch,
    )
    with progress("rendering", len(settings), quiet=request.quiet) as bar:
        made = generate.render_faces(
            request.model, request.out, settings, jobs=request.jobs, overwrite=request.overwrite, watch=bar.step
        )
    if not request.quiet:
        before = f", {len(settings) - made} done before" if made < len(settings) else ""
        print(f"{made} views rendered{before}; table: {request.out / 'views.csv'}", file=sys.stderr)  # noqa: T201
