"""`mien predict`: sources to a terminal table, JSON lines, a table file, annotated images."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from mien.cli.progress import progress
from mien.errors import InputError
from mien.pipeline.batch import Batch, Settings, predict_to, read_all
from mien.pipeline.recognizer import load
from mien.pipeline.table import Row, check_suffix
from mien.results import Face

_FLAGS_SAID = {
    "small": "face too small",
    "turned": "turned too far",
    "blurred": "too blurred",
    "dark": "too dark",
    "flat": "too little contrast",
    "overexposed": "overexposed",
}


@dataclass(frozen=True, kw_only=True)
class Request:
    """The options of one call."""

    sources: tuple[str, ...]
    output: Path | None
    save: Path | None
    crops: bool
    json: bool
    threshold: float
    small_faces: bool
    detector: str
    labels: str | None
    priors: str
    min_confidence: float | None
    weights: str
    overwrite: bool
    quiet: bool


def predict_command(request: Request) -> int:
    """0: everything was read; 1: something was not."""
    cores = os.cpu_count() or 1
    settings = Settings(crops=request.crops, overwrite=request.overwrite, workers=cores, save=request.save)
    if request.output is not None:
        check_suffix(request.output)
    batch = Batch.of(request.sources, settings)
    if not batch.items:
        raise InputError(f"{', '.join(request.sources)}: no image there; name images or a folder with some")
    recognizer = load(
        request.weights,
        threshold=request.threshold,
        small_faces=request.small_faces,
        detector=request.detector,
        labels=request.labels,
        priors=request.priors,
        min_confidence=request.min_confidence,
        threads=1 if len(batch.items) > 1 else 0,  # many images are read side by side instead
    )
    tally = _Tally()
    shown: list[Row] = []
    with progress("reading", len(batch.items), quiet=request.quiet) as bar:

        def finished(faces: list[Face] | None, rows: list[Row]) -> None:
            tally.add(faces)
            if faces is None:
                bar.say(f"mien: {_plain(rows[0]['source'])}: {rows[0]['error']}")
            if request.json:
                for row in rows:
                    sys.stdout.write(json.dumps(row) + "\n")
            elif request.output is None:
                shown.extend(rows)
            bar.step()

        if request.output is not None:
            read_now = predict_to(recognizer, batch, request.output, settings, watch=finished)
            tally.kept = len(batch.items) - read_now
        else:
            for faces, rows in read_all(recognizer, batch.items, settings, batch.saver):
                finished(faces, rows)
    if shown:
        _print_table(shown, [f"p_{label}" for label in recognizer.labels])
    if not request.quiet and (request.output is not None or request.save is not None or len(batch.items) != 1):
        print(tally.sentence(request.output), file=sys.stderr)  # noqa: T201
    return 1 if tally.failed else 0


class _Tally:
    """What is said at the end."""

    def __init__(self) -> None:
        self.read, self.faces, self.empty, self.failed, self.kept = 0, 0, 0, 0, 0
        self.uncertain, self.flagged = 0, 0

    def add(self, faces: list[Face] | None) -> None:
        if faces is None:
            self.failed += 1
            return
        self.read += 1
        self.faces += len(faces)
        self.empty += not faces
        for face in faces:
            self.uncertain += face.certain is False
            self.flagged += face.quality is not None and bool(face.quality.flags)

    def sentence(self, output: Path | None) -> str:
        faces, images = "face" if self.faces == 1 else "faces", "image" if self.read == 1 else "images"
        parts = [f"{self.faces} {faces} in {self.read} {images}"]
        if self.uncertain:
            parts.append(f"{self.uncertain} uncertain")
        if self.flagged:
            parts.append(f"{self.flagged} hard to see")
        if self.empty:
            parts.append(f"{self.empty} without a face")
        if self.failed:
            parts.append(f"{self.failed} could not be read")
        if self.kept:
            parts.append(f"{self.kept} done before")
        return ", ".join(parts) + (f"; table: {output}" if output else "")


def _plain(name: str) -> str:
    """A file's name on one line, without control codes."""
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in name)


def _remarks(row: Row) -> list[str]:
    """What a person should know of an answer, in plain words."""
    uncertain = ["uncertain"] if row["certain"] is False else []
    return uncertain + [_FLAGS_SAID[flag] for flag in (row["flags"] or "").split()]


def _print_table(rows: list[Row], classes: list[str]) -> None:
    """Rows for a person: one line per face; the head's pose where the terminal is wide enough."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    posed = console.width >= 100
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("image", overflow="fold")
    table.add_column("face", justify="right")
    for name in ("expression", "next", "left top right bottom", *(["yaw pitch roll"] if posed else [])):
        table.add_column(name, no_wrap=True)
    for row in rows:
        if row["error"] is not None:
            continue
        image = Text(_plain(row["source"]))
        if row["face"] is None:
            table.add_row(image, "-", "no face found")
            continue
        first, second = sorted(classes, key=lambda name: -row[name])[:2]
        style = "not bold" if row["certain"] is False else "bold"
        cells = [
            str(row["face"]),
            "\n  ".join([f"[{style}]{row['expression']}[/] {row[first]:.0%}", *_remarks(row)]),
            f"{second.removeprefix('p_')} {row[second]:.0%}",
            " ".join(f"{row[side]:.0f}" for side in ("left", "top", "right", "bottom")),
        ]
        if posed:
            cells.append(" ".join(f"{row[angle]:+.0f}°" for angle in ("yaw_deg", "pitch_deg", "roll_deg")))
        table.add_row(image, *cells)
    if table.row_count:
        console.print(table)
