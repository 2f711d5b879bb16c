"""`mien evaluate`."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from mien._version import __version__
from mien.cli.evaluate_folds import Folds, check_options, folds_of
from mien.cli.evaluate_print import print_report
from mien.cli.output import check_place, counted, write_json, write_text
from mien.cli.progress import Bar, progress
from mien.datasets import dataset_info
from mien.datasets.audit.duplicates import repeats_another_split
from mien.datasets.audit.scan import labelled_region
from mien.datasets.info import DatasetInfo
from mien.datasets.samples import Samples
from mien.errors import InputError, OptionError
from mien.evaluation.corruptions import Corruption
from mien.evaluation.corruptions import select_corruptions as chosen_corruptions
from mien.evaluation.corruptions import with_severities as all_versions
from mien.evaluation.html import Mistake, page
from mien.evaluation.predict import answer
from mien.evaluation.predict_corrupted import predict_corrupted
from mien.evaluation.predictions import Predictions, check_same, from_rows, matched
from mien.evaluation.report import mistakes, report
from mien.evaluation.robustness import Robustness, robustness
from mien.labels import LabelSet
from mien.models.paper_results import PaperResult, find_paper_result
from mien.pipeline.recognizer import Recognizer, load
from mien.pipeline.table import SUFFIXES, read_predictions
from mien.weights.folds import PLACE
from mien.weights.manifest import load_manifest


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
    under: str
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
    corruptions = chosen_corruptions(request.under) if request.under else []
    if corruptions and (request.predictions is not None or _is_table(request.compare)):
        raise OptionError("--under spoils images and reads them again: it needs weights, not tables of predictions")
    chosen = dataset_info(request.set)
    samples = chosen.samples(request.data, variant=request.variant, skip_broken=request.skip_broken)
    folds = _folds(request, chosen, samples)
    split, kept, repeated = "", np.ones(len(samples), dtype=bool), 0
    if folds is None:
        split = _split(samples, request.split)
        kept = samples.split == split
    else:
        kept = folds.of_row >= 0
    if request.no_duplicates:
        crossing = repeats_another_split(samples, workers=request.jobs) & kept
        repeated, kept = int(crossing.sum()), kept & ~crossing
    rows = np.flatnonzero(kept)
    if request.limit:
        rows = np.sort(rows[np.random.default_rng(0).permutation(len(rows))[: request.limit]])
    samples = samples.take(rows)
    folds = folds and folds.take(rows)
    crops = chosen.image_kind_of(request.variant) != "photo" if request.crops is None else request.crops
    read = partial(_answers, samples=samples, folds=folds, crops=crops, request=request)
    robust = None
    if corruptions:
        found, other, robust = _spoiled(samples, corruptions, crops=crops, request=request)
    else:
        found = read(request.predictions or request.weights)
        other = read(request.compare) if request.compare else None
    judged = report(
        found,
        of=_of(request, chosen, split, folds, crops) | _left_out(request, repeated),
        published=_published(request, chosen, split, folds, found.labels),
        other=other,
        compared_with=request.compare or "",
        robustness=robust,
        folds=None if folds is None else folds.parts(found),
    )
    print_report(judged)
    if request.json is not None:
        write_json(judged.to_dict(), request.json)
    if request.html is not None:
        write_text(page(judged, _mistakes(found, samples)), request.html)
    return 0


def _folds(request: Request, chosen: DatasetInfo, samples: Samples) -> Folds | None:
    """The folds that the weights were trained on, where this is the set of that training."""
    if PLACE in (request.compare or "") and (PLACE not in request.weights or request.predictions is not None):
        raise OptionError(f"--compare {request.compare}: give --weights with {PLACE} too, for the same folds")
    if request.predictions is not None:
        return None
    if PLACE in request.weights:
        check_options(split=request.split, no_duplicates=request.no_duplicates, under=request.under)
    return None if request.split else folds_of(request.weights, samples, set=chosen.name)


def _answers(
    source: str | Path, *, samples: Samples, folds: Folds | None, crops: bool, request: Request
) -> Predictions:
    """Predictions of weights by name or path, of the weights of all folds, or of a table that `mien predict` wrote."""
    if _is_table(source):
        answered, table = read_predictions(Path(source))
        probabilities = from_rows(
            table, answered, samples.path.tolist(), root=str(samples.files), boxes=samples.box
        )
        return _matched(probabilities, answered, samples)
    whole = [(str(source), np.arange(len(samples)))]
    parts = folds.weights(str(source)) if folds is not None and PLACE in str(source) else whole
    found, unread = [], list[str]()
    with progress("judging", len(samples), quiet=request.quiet) as bar:
        for place, rows in parts:
            recognizer = _recognizer(place, request)
            said, lost = answer(recognizer, samples.take(rows), search=not crops, jobs=request.jobs, step=bar.step)
            found.append((rows, said))
            unread += lost
        _say_unread(bar, unread, samples)
    probabilities = np.zeros((len(samples), len(recognizer.labels)))
    for rows, said in found:
        probabilities[rows] = said
    return _matched(probabilities, recognizer.labels, samples)


def _spoiled(
    samples: Samples, corruptions: list[Corruption], *, crops: bool, request: Request
) -> tuple[Predictions, Predictions | None, Robustness]:
    """Predictions of the weights and of those compared with, and how both fare when images get worse."""
    recognizers = [_recognizer(source, request) for source in (request.weights, request.compare) if source]
    check_same([_matched(np.zeros((len(samples), len(one.labels))), one.labels, samples) for one in recognizers])
    versions = list(all_versions(corruptions))
    with progress("judging", len(samples), quiet=request.quiet) as bar:
        said = predict_corrupted(recognizers, samples, versions, search=not crops, jobs=request.jobs, step=bar.step)
        _say_unread(bar, said.unread, samples)
    clean = [
        _matched(of, recognizer.labels, samples) for of, recognizer in zip(said.clean, recognizers, strict=True)
    ]
    worse = [
        [_matched(one, recognizer.labels, samples) for one in of]
        for of, recognizer in zip(said.versions, recognizers, strict=True)
    ]
    rows = clean[0].row
    judged = robustness(
        clean[0],
        [
            (corruption.name, strength, int(altered.sum()), after)
            for (corruption, strength), altered, after in zip(
                versions, said.altered[:, rows], worse[0], strict=True
            )
        ],
        yaw_deg=said.yaw_deg[rows],
        other=(clean[1], worse[1]) if len(recognizers) > 1 else None,
    )
    return clean[0], clean[1] if len(recognizers) > 1 else None, judged


def _is_table(source: str | Path | None) -> bool:
    return isinstance(source, Path) or (source is not None and Path(source).suffix.lower() in SUFFIXES)


def _recognizer(source: str | Path, request: Request) -> Recognizer:
    return load(source, priors=request.priors, tta=request.flip, threads=1)


def _say_unread(bar: Bar, unread: list[str], samples: Samples) -> None:
    for line in unread:
        bar.say(f"mien: {line}")
    if len(unread) == len(samples):
        raise InputError("no image could be read")


def _matched(probabilities: np.ndarray, answered: LabelSet, samples: Samples) -> Predictions:
    return matched(
        truth=samples.label,
        of=samples.labels,
        probabilities=probabilities,
        answered=answered,
        path=samples.path,
        subject=samples.subject,
        pose=_poses(samples),
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


def _of(request: Request, chosen: DatasetInfo, split: str, folds: Folds | None, crops: bool) -> dict[str, str]:
    of = {"set": chosen.title, "split": split or "all images"}
    if folds is not None:
        of |= {"split": folds.said}
        if folds.untested:
            of |= {"left out": f"{counted(folds.untested, 'image')} that no fold tests"}
    if request.predictions is None:
        manifest = load_manifest(request.weights if folds is None else folds.runs[0][0])
        of |= {
            "weights": manifest.name,
            "network": manifest.network,
            "faces": "as the set places them" if crops else "searched",
            "test-time augmentation": "yes" if (manifest.tta if request.flip is None else request.flip) else "no",
            "priors": request.priors,
        }
    else:
        of |= {"weights": request.predictions.name}
    if request.limit:
        of["limited to"] = f"{counted(request.limit, 'image')} drawn with seed 0"
    return of | {"mien": __version__, "command": "mien " + shlex.join(sys.argv[1:])}


def _left_out(request: Request, repeated: int) -> dict[str, str]:
    if not request.no_duplicates:
        return {}
    return {"left out": f"{counted(repeated, 'image')} with a near-duplicate in another split"}


def _published(
    request: Request, chosen: DatasetInfo, split: str, folds: Folds | None, labels: LabelSet
) -> PaperResult | None:
    """The paper's figure, where the whole split that papers report on was judged by a network they describe."""
    if request.predictions is not None or request.limit or request.no_duplicates or split not in ("", "test"):
        return None
    if folds is not None and not folds.whole:
        return None
    place = request.weights.replace(PLACE, "0")
    return find_paper_result(load_manifest(place).network, chosen.name, len(labels))


def _mistakes(found: Predictions, samples: Samples) -> list[Mistake]:
    return [
        Mistake(
            name=str(found.path[row]),
            truth=str(found.labels[found.truth[row]]),
            answer=str(found.labels[int(found.probabilities[row].argmax())]),
            confidence=sure,
            image=partial(labelled_region, samples, int(found.row[row])),
        )
        for row, sure in mistakes(found)
    ]
