"""`mien data`: making and preparing sets of pictures."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

data_app = typer.Typer(help="Make and prepare sets of pictures.", no_args_is_help=True)


@data_app.callback()
def _data() -> None:
    pass


@data_app.command("render-views")
def render_views(
    model: Annotated[
        Path,
        typer.Option(help="ICT-FaceKit: its folder FaceXModel, or an .npz of it.", show_default=False),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the set. A set begun there goes on.", show_default=False)],
    identities: Annotated[int, typer.Option(help="Number of subjects.")] = 100,
    seed: Annotated[int, typer.Option(help="Another seed gives other subjects and pictures.")] = 0,
    size: Annotated[int, typer.Option(help="Side of the pictures in pixels.")] = 128,
    classes: Annotated[int, typer.Option(help="7: neutral and the six basic emotions; 8: with contempt.")] = 7,
    yaws: Annotated[
        str, typer.Option(help="Head turns in degrees; positive to the right edge of the picture.")
    ] = "-90,-60,-45,-30,0,30,45,60,90",
    yaw_jitter: Annotated[float, typer.Option(help="Stray this far around each yaw, degrees.")] = 0.0,
    pitch: Annotated[float, typer.Option(help="Largest nod up or down, degrees.")] = 30.0,
    jobs: Annotated[int, typer.Option(help="Processes that render.")] = 1,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start over instead of resuming.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar and no summary.")] = False,
) -> None:
    """Render faces of known expression, identity and head pose from a 3D face model."""
    from mien.data.views import dataset
    from mien.errors import OptionError

    try:
        angles = tuple(float(yaw) for yaw in yaws.split(","))
    except ValueError:
        raise OptionError(f"--yaws {yaws!r}: give angles with commas between, like --yaws=-45,0,45") from None
    if jobs < 1:
        raise OptionError(f"--jobs is {jobs}; at least one process is needed")
    settings = dataset.ViewSettings(
        identities=identities, seed=seed, size_px=size, classes=classes, yaws=angles,
        yaw_jitter_deg=yaw_jitter, pitch_limit_deg=pitch,
    )  # fmt: skip
    with progress("rendering", len(settings), quiet) as advance:
        made = dataset.render_views(model, out, settings, jobs=jobs, fresh=fresh, watch=advance)
    if not quiet:
        before = f", {len(settings) - made} done before" if made < len(settings) else ""
        print(f"{made} views rendered{before}; table: {out / 'views.csv'}", file=sys.stderr)  # noqa: T201


@contextmanager
def progress(what: str, total: int, quiet: bool) -> Iterator[Callable[[int], None]]:
    """A bar on stderr with rate and time left, where a person watches; yields what advances it by a count."""
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{60 * task.speed:.0f}/min" if task.speed else "")

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, speed_estimate_period=60) as bar:
        task = bar.add_task(what, total=total)
        yield lambda count: bar.advance(task, count)
