"""`mien evaluate`."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from mien import __version__
from mien.cli.output import check_place, write_json, write_text
from mien.cli.progress import progress
from mien.data import data_set
from mien.data.duplicates import repeats_another_split
from mien.data.record import DataSet
from mien.data.samples import Samples
from mien.data.survey import shown
from mien.errors import InputError, OptionError
from mien.evaluate.answers import Answers, from_rows, matched
from mien.evaluate.page import Mistake, page
from mien.evaluate.report import Report, mistakes, report
from mien.labels import LabelSet
from mien.models.published import Published, published
from mien.pipeline.answer import answer
from mien.pipeline.reader import load
from mien.pipeline.table import SUFFIXES, read_predictions
from mien.weights.record import load_record


@dataclass(frozen=True, kw_only=True)
class Request:
    """The words of the command line."""

    set: str
    data: Path
    variant: str
    split: str
    weights: str
    predictions: Path | None
    compare: str | None
    crops: bool | None
    flip: bool | None
    priors: str
    skip_broken: bool
    no_duplicates: bool
    limit: int
    jobs: int
    html: Path | None
    json: Path | None
    quiet: bool


def evaluate_command(request: Request) -> int:
    """Judge, print, and write what was asked for."""
    check_place(request.json, request.html)
    chosen = data_set(request.set)
    samples = chosen.samples(request.data, variant=request.variant, skip_broken=request.skip_broken)
    split = _split(samples, request.split)
    kept = samples.split == split
    repeated = 0
    if request.no_duplicates:
        crossing = repeats_another_split(samples, jobs=request.jobs) & kept
        repeated, kept = int(crossing.sum()), kept & ~crossing
    samples = samples.take(kept)
    if request.limit:
        rows = np.random.default_rng(0).permutation(len(samples))[: request.limit]
        samples = samples.take(np.sort(rows))
    crops = chosen.shows(request.variant) != "photo" if request.crops is None else request.crops
    read = partial(_answers, samples=samples, crops=crops, request=request)
    found = read(request.predictions or request.weights)
    judged = report(
        found,
        of=_of(request, chosen, split, crops) | _left_out(request, repeated),
        published=_published(request, chosen, split, found.labels),
        other=read(request.compare) if request.compare else None,
        compared_with=request.compare or "",
    )
    _print(judged)
    if request.json is not None:
        write_json(judged.to_dict(), request.json)
    if request.html is not None:
        write_text(page(judged, _mistakes(found, samples)), request.html)
    return 0


def _answers(source: str | Path, *, samples: Samples, crops: bool, request: Request) -> Answers:
    """Answers of weights by name or path, or of a table that `mien predict` wrote."""
    pose = _poses(samples)
    if isinstance(source, Path) or Path(source).suffix.lower() in SUFFIXES:
        answered, rows = read_predictions(Path(source))
        probabilities = from_rows(rows, answered, samples.path.tolist(), root=str(samples.files), boxes=samples.box)
    else:
        reader = load(source, priors=request.priors, mirror=request.flip, threads=1)
        answered = reader.labels
        with progress("judging", len(samples), quiet=request.quiet) as bar:
            probabilities, unread = answer(reader, samples, search=not crops, jobs=request.jobs, step=bar.step)
            for line in unread:
                bar.say(f"mien: {line}")
        if len(unread) == len(samples):
            raise InputError("no picture could be read")
    return matched(
        truth=samples.label,
        of=samples.labels,
        probabilities=probabilities,
        answered=answered,
        path=samples.path,
        subject=samples.subject,
        pose=pose,
    )


def _poses(samples: Samples) -> np.ndarray | None:
    """Names of pose classes: the yaw in whole degrees, where a set states it at a few angles."""
    if samples.yaw_deg is None:
        return None
    yaw = samples.yaw_deg
    known = np.isfinite(yaw)
    nearest = np.where(known, np.round(np.where(known, yaw, 0) / 15) * 15, 0).astype(int)
    return np.array([f"{angle:+d}" if angle else "0" for angle in nearest], dtype=object) * known


def _split(samples: Samples, wanted: str) -> str:
    if wanted:
        samples.of(wanted)
        return wanted
    if not samples.splits:
        return ""
    if "test" in samples.splits:
        return "test"
    raise OptionError(f"there is no test split here; say which with --split: {', '.join(samples.splits)}")


def _of(request: Request, chosen: DataSet, split: str, crops: bool) -> dict[str, str]:
    of = {"set": chosen.title, "split": split or "all pictures"}
    if request.predictions is None:
        record = load_record(request.weights)
        of |= {
            "weights": record.name,
            "network": record.network,
            "faces": "as the set places them" if crops else "searched",
            "mirror average": "yes" if (record.mirror if request.flip is None else request.flip) else "no",
            "priors": request.priors,
        }
    else:
        of |= {"weights": request.predictions.name}
    if request.limit:
        of["limited to"] = f"{request.limit} pictures drawn with seed 0"
    return of | {"mien": __version__, "command": "mien " + shlex.join(sys.argv[1:])}


def _left_out(request: Request, repeated: int) -> dict[str, str]:
    if not request.no_duplicates:
        return {}
    return {"left out": f"{repeated} pictures with a near-duplicate in another split"}


def _published(request: Request, chosen: DataSet, split: str, labels: LabelSet) -> Published | None:
    """The paper's figure, where the whole split that papers report on was judged by a network they describe."""
    if request.predictions is not None or request.limit or request.no_duplicates or split not in ("", "test"):
        return None
    return published(load_record(request.weights).network, chosen.name, len(labels))


def _mistakes(found: Answers, samples: Samples) -> list[Mistake]:
    rows = {path: row for row, path in enumerate(samples.path.tolist())}
    return [
        Mistake(
            name=str(found.path[row]),
            truth=str(found.labels[found.truth[row]]),
            answer=str(found.labels[int(found.probabilities[row].argmax())]),
            confidence=sure,
            picture=partial(shown, samples, rows[found.path[row]]),
        )
        for row, sure in mistakes(found)
    ]


def _print(judged: Report) -> None:
    """The report for a terminal."""
    console = Console()
    figures = judged.figures
    console.print(
        " · ".join(f"{key}: {value}" for key, value in judged.of.items() if key != "command"), style="dim"
    )
    table = _table("figure", "value", "95 % interval")
    for name, value, key in (
        ("accuracy", figures.accuracy, "accuracy"),
        ("balanced accuracy", figures.balanced_accuracy, "balanced_accuracy"),
        ("macro F1", figures.macro_f1, "macro_f1"),
        ("top 2", figures.top2, ""),
        ("calibration error", figures.calibration_error, ""),
    ):
        bound = judged.intervals.get(key)
        table.add_row(name, f"{value:.1%}", f"{bound.low:.1%} - {bound.high:.1%}" if bound else "")
    console.print(table)
    table = _table("class", "pictures", "recall", "95 % interval", "precision", "F1")
    for label, one in zip(judged.labels, figures.classes, strict=True):
        bound = judged.intervals.get(f"recall.{label}")
        shares = ["-" if share is None else f"{share:.0%}" for share in (one.recall, one.precision, one.f1)]
        between = f"{bound.low:.0%} - {bound.high:.0%}" if bound else ""
        table.add_row(label, str(one.count), shares[0], between, *shares[1:])
    console.print(table)
    columns = [*judged.labels, "none"] if figures.answered < figures.pictures else judged.labels
    table = _table("truth \\ answer", *(name[:4] for name in columns))
    for label, row in zip(judged.labels, figures.confusion, strict=True):
        table.add_row(label, *(str(count or "·") for count in row[: len(columns)]))
    console.print(table)
    if judged.poses:
        table = _table("yaw", "pictures", "accuracy", "balanced")
        for pose in judged.poses:
            table.add_row(pose.pose, str(pose.pictures), f"{pose.accuracy:.1%}", f"{pose.balanced_accuracy:.1%}")
        console.print(table)
        console.print(f"Mean over poses: {judged.pose_average:.1%}")
    drawn = "people" if judged.by_subject else "pictures"
    console.print(f"{figures.pictures} pictures, {figures.answered} answered; intervals resample {drawn}.")
    for note in judged.notes:
        console.print(f"{note}.")
    if judged.published is not None:
        gap = 100 * (figures.accuracy - judged.published.accuracy)
        console.print(
            f"Published: {judged.published.accuracy:.2%} ({judged.published.source}); here {gap:+.2f} points."
        )
    if judged.comparison is not None:
        pair = judged.comparison
        console.print(
            f"Against {judged.compared_with}: {100 * pair.difference:+.2f} points; right only here "
            f"{pair.only_first}, only there {pair.only_second}; McNemar p = {pair.p_value:.2g}."
        )


def _table(first: str, *others: str) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column(first, no_wrap=True)
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
    return table
