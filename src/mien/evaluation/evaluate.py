"""`mien.evaluate` and `mien.compare`: a data set and weights, or a table of predictions, to an `Evaluation`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mien._version import __version__
from mien.arguments import checked
from mien.datasets import dataset_info
from mien.datasets.audit.duplicates import repeats_another_split
from mien.datasets.audit.scan import labelled_region
from mien.datasets.info import DatasetInfo
from mien.datasets.samples import Samples
from mien.errors import InputError, OptionError
from mien.evaluation.corruptions import select_corruptions, with_severities
from mien.evaluation.folds import PLACEHOLDER, Folds, folds_of
from mien.evaluation.predict import SamplePredictions, predict_samples
from mien.evaluation.predictions import Predictions, align_labels, check_same, predictions_from_table
from mien.evaluation.result import Comparison, Evaluation, MisclassifiedImage, most_confident_errors, summarize
from mien.evaluation.robustness import Robustness, robustness
from mien.media.work import Progress, no_progress
from mien.models.paper_results import PaperResult, find_paper_result
from mien.pipeline.loading import load
from mien.pipeline.read import read_predictions
from mien.pipeline.recognizer import Recognizer
from mien.pipeline.rows import SUFFIXES
from mien.preprocess import IMAGE
from mien.weights.manifest import load_manifest
from mien.wording import counted

PathLike = str | os.PathLike[str]


@checked
def evaluate(
    dataset: str | DatasetInfo,
    data: PathLike,
    *,
    weights: PathLike = "default",
    predictions: PathLike | None = None,
    split: str = "",
    variant: str = "",
    compare: PathLike | None = None,
    corruptions: str | Iterable[str] = (),
    detect: bool | None = None,
    align: bool = True,
    tta: bool | None = None,
    priors: str = "default",
    skip_broken: bool = False,
    exclude_duplicates: bool = False,
    limit: int = 0,
    workers: int = 2,
    progress: Progress = no_progress,
) -> Evaluation:
    """Metrics of weights, or of a table of `predictions`, on the images of a data set.

    `dataset`: by name (`mien data list`), unpacked in `data`, a folder or .zip. `weights`: by name or path; with
    {fold} for the number, those of all folds of a protocol, each on the images that it was not trained on.
    `predictions`: a table that `mien predict` wrote, instead of weights. `split`: by default the test split, or all
    images where the set has no splits. `compare`: other weights or another table, on the same images.
    `corruptions`: names, or "all": the same images are evaluated under each severity too. `detect`: detect faces,
    or take each image (or the set's box) for one face; None: as the set needs. `align`: False feeds each image, or
    the inside of its box, as it is, only resized, as authors evaluate on faces that a set has aligned. `tta`:
    test-time augmentation; None: as the weights say. `priors`: class frequencies to assume. `skip_broken`: without
    broken rows of the set. `exclude_duplicates`: without images that have a near-duplicate in another split.
    `limit`: only so many images, drawn with seed 0. `workers`: images at a time.

    Raises `OptionError`, `InputError` and `WeightsError` that say what to do.
    """
    info = dataset_info(dataset) if isinstance(dataset, str) else dataset
    sources = [_Source.of(weights) if predictions is None else _Source(os.fspath(predictions), table=True)]
    sources += [] if compare is None else [_Source.of(compare)]
    chosen = select_corruptions(corruptions)
    if chosen and any(source.table for source in sources):
        raise OptionError("corruptions need weights, not tables of predictions: images are corrupted and predicted")
    if not align and (detect or chosen):
        raise OptionError("without alignment images are fed as they are: neither detect nor corruptions go with it")
    of_weights = {
        "detect": detect is not None,
        "align": not align,
        "tta": tta is not None,
        "priors": priors != "default",
    }
    if all(source.table for source in sources) and (names := [name for name, given in of_weights.items() if given]):
        raise OptionError(f"{', '.join(names)}: not with tables of predictions, which mien predict made already")
    samples = info.samples(Path(data), variant=variant, skip_broken=skip_broken)
    part = _select(
        info, samples, sources, split=split, exclude_duplicates=exclude_duplicates, limit=limit, workers=workers
    )
    photos = info.image_kind_of(variant) == "photo"
    if photos and not align and not part.samples.all_boxed:
        raise OptionError(f"{info.title} shows photos, in which faces must be found: alignment cannot be left out")
    detect = align and photos if detect is None else detect
    versions = list(with_severities(chosen))
    made = _predict(
        [source for source in sources if not source.table],
        part,
        partial(load, priors=priors, tta=tta, precision="float32", threads=1),
        corruptions=versions,
        detect=detect,
        align=align,
        workers=workers,
        progress=progress,
    )
    of_networks = iter(() if made is None else _aligned(made, part.samples))
    results = [_read_table(one.name, part.samples) if one.table else next(of_networks) for one in sources]
    clean = results[0]
    first = sources[0]
    result = summarize(
        clean,
        settings=_settings(info, part, first, detect=detect, align=align, tta=tta, priors=priors)
        | {"data": Path(data).absolute().name},
        other=results[1] if len(results) > 1 else None,
        compared=(first.name, sources[-1].name),
        folds=None if part.folds is None else part.folds.parts(clean.row),
        robustness=_robustness(made, results, [(one.name, severity) for one, severity in versions], part.samples),
        paper_result=None if limit or exclude_duplicates else _paper_result(info, part, first, clean),
        unread=() if made is None else tuple(made.unread),
        misclassified=_misclassified(clean, part.samples),
    )
    framed = _framed_anew(sources, part, possible=not photos or part.samples.all_boxed) if align else ()
    return replace(result, notes=(*result.notes, *framed))


@checked
def compare(
    dataset: str | DatasetInfo, data: PathLike, weights_a: PathLike, weights_b: PathLike, **options: Any
) -> Comparison:
    """Two sets of weights, or tables of predictions, on the same images: McNemar's test and paired intervals.

    `options` as `evaluate`.
    """
    options["predictions" if _Source.of(weights_a).table else "weights"] = weights_a
    result = evaluate(dataset, data, compare=weights_b, **options)
    assert result.comparison is not None  # noqa: S101
    return result.comparison


@dataclass(frozen=True)
class _Source:
    """Where predictions come from."""

    name: str
    table: bool

    @classmethod
    def of(cls, path: PathLike) -> _Source:
        """A table by its suffix, otherwise weights."""
        return cls(os.fspath(path), table=Path(path).suffix.lower() in SUFFIXES)

    @property
    def all_folds(self) -> bool:
        return not self.table and PLACEHOLDER in self.name


@dataclass(frozen=True, kw_only=True)
class _Part:
    """The images that are evaluated, and how they were selected."""

    samples: Samples
    split: str
    folds: Folds | None
    settings: dict[str, str]


def _select(
    info: DatasetInfo,
    samples: Samples,
    sources: Sequence[_Source],
    *,
    split: str,
    exclude_duplicates: bool,
    limit: int,
    workers: int,
) -> _Part:
    folds = _folds(info, samples, sources, split=split, exclude_duplicates=exclude_duplicates)
    settings = {"dataset": info.title}
    excluded = []
    if folds is None:
        split = _split(samples, split)
        kept = samples.split == split
        settings["split"] = split or "all images"
    else:
        kept = folds.test_fold >= 0
        settings["split"] = folds.title
        if folds.untested:
            excluded.append(f"{counted(folds.untested, 'image')} that no fold tests")
    if seen := _trained_here(info, samples, sources, split, folds):
        settings["caution"] = f"{', '.join(seen)} trained on images of this set: higher than on new images"
    if exclude_duplicates:
        repeated = repeats_another_split(samples, workers=workers) & kept
        kept &= ~repeated
        excluded.append(f"{counted(int(repeated.sum()), 'image')} with a near-duplicate in another split")
    rows = np.flatnonzero(kept)
    if excluded:
        settings["excluded"] = ", ".join(excluded)
    if limit:
        rows = np.sort(rows[np.random.default_rng(0).permutation(len(rows))[:limit]])
        settings["limit"] = f"{counted(limit, 'image')} drawn with seed 0"
    return _Part(samples=samples.take(rows), split=split, folds=folds and folds.take(rows), settings=settings)


def _trained_here(
    info: DatasetInfo, samples: Samples, sources: Sequence[_Source], split: str, folds: Folds | None
) -> list[str]:
    """The weights that images of this split trained or chose, as far as their manifests say."""
    names = [
        source.name if folds is None else folds.weights(source.name)[0] for source in sources if not source.table
    ]
    manifests = [load_manifest(name) for name in names]
    splits = [split] if split and folds is None else samples.splits
    names = [info.name]
    if folds is None and any(entry.startswith(f"{info.name}:") for one in manifests for entry in one.trained_on):
        names.append(f"{info.name}:{samples.fingerprint()}")
    return [one.name for one in manifests if any(one.saw(name, splits) for name in names)]


def _folds(
    info: DatasetInfo, samples: Samples, sources: Sequence[_Source], *, split: str, exclude_duplicates: bool
) -> Folds | None:
    """The folds that the weights were trained on, where this is the data set of that training."""
    first, *others = sources
    for other in others:
        if other.all_folds and not first.all_folds:
            raise OptionError(f"compare {other.name}: give weights with {PLACEHOLDER} too, for the same folds")
    given = {"split": bool(split), "exclude_duplicates": exclude_duplicates}
    if first.all_folds and any(given.values()):
        names = ", ".join(name for name, there in given.items() if there)
        raise OptionError(f"{names}: not with {PLACEHOLDER} in weights; the folds determine the images")
    return None if first.table or split else folds_of(first.name, samples, dataset=info.name)


def _split(samples: Samples, wanted: str) -> str:
    if wanted:
        samples.of(wanted)
        return wanted
    if not samples.splits:
        return ""
    if "test" in samples.splits:
        return "test"
    raise OptionError(f"there is no test split here; choose one with split: {', '.join(samples.splits)}")


def _predict(
    networks: Sequence[_Source], part: _Part, load_weights: Callable[[str], Recognizer], **options: Any
) -> SamplePredictions | None:
    """Predictions of all weights; an image is read once for all."""
    if not networks:
        return None
    samples, folds = part.samples, part.folds
    if folds is not None and any(source.all_folds for source in networks):
        rows, weights = folds.rows(), [folds.weights(source.name) for source in networks]
    else:
        rows, weights = [np.arange(len(samples))], [[source.name] for source in networks]
    label_sets = [load_manifest(paths[0]).label_set for paths in weights]
    nothing = SamplePredictions.empty(label_sets, len(samples), 0)
    check_same(_aligned(nothing, samples))  # before the work
    runs = ((rows[i], [load_weights(paths[i]) for paths in weights]) for i in range(len(rows)))
    made = predict_samples(runs, samples, **options)
    if len(made.unread) == len(samples):
        raise InputError(f"no image could be read; the first: {made.unread[0]}")
    return made


def _aligned(made: SamplePredictions, samples: Samples) -> list[Predictions]:
    return [align_labels(*pair, samples) for pair in zip(made.clean, made.labels, strict=True)]


def _read_table(path: str, samples: Samples) -> Predictions:
    labels, rows = read_predictions(Path(path))
    return align_labels(predictions_from_table(rows, labels, samples), labels, samples)


def _robustness(
    made: SamplePredictions | None,
    clean: Sequence[Predictions],
    versions: Sequence[tuple[str, str]],
    samples: Samples,
) -> Robustness | None:
    if made is None or not versions:
        return None
    rows = clean[0].row
    corrupted = [
        [replace(before, probabilities=align_labels(one, labels, samples).probabilities) for one in of_network]
        for before, of_network, labels in zip(clean, made.corrupted, made.labels, strict=True)
    ]
    return robustness(
        clean[0],
        [
            (*version, int(altered.sum()), after)
            for version, altered, after in zip(versions, made.altered[:, rows], corrupted[0], strict=True)
        ],
        yaw_deg=made.yaw_deg[rows],
        other=corrupted[1] if len(corrupted) > 1 else (),
    )


def _settings(
    info: DatasetInfo, part: _Part, source: _Source, *, detect: bool, align: bool, tta: bool | None, priors: str
) -> dict[str, str]:
    if source.table:
        return {"weights": Path(source.name).name} | part.settings | {"mien": __version__}
    manifest = load_manifest(source.name if part.folds is None else part.folds.runs[0][0])
    return {
        "weights": manifest.name,
        "identity": manifest.identity,
        "network": manifest.network,
        **part.settings,
        "faces": "detected" if detect else "as the data set gives them" + ("" if align else ", not aligned anew"),
        "test-time augmentation": "yes" if (manifest.tta if tta is None else tta) else "no",
        "priors": priors,
        "mien": __version__,
    }


def _framed_anew(sources: Sequence[_Source], part: _Part, *, possible: bool) -> list[str]:
    """Of weights that were trained on images as their set has them, and here get aligned faces.

    `possible`: whether the images could be fed as they are.
    """
    names = [
        one.name if part.folds is None else part.folds.weights(one.name)[0] for one in sources if not one.table
    ]
    remedy = "; --no-align feeds images as they are" if possible else ""
    return [
        f"{one.name} was trained on images as their set has them; here faces are aligned to the framing of that set"
        + remedy
        for one in map(load_manifest, names)
        if one.inputs.template == IMAGE
    ]


def _paper_result(info: DatasetInfo, part: _Part, source: _Source, clean: Predictions) -> PaperResult | None:
    """The paper's accuracy, where a network that papers describe was evaluated on all of the test split."""
    incomplete = part.folds is not None and not part.folds.complete
    if source.table or incomplete or part.split not in ("", "test"):
        return None
    manifest = load_manifest(source.name if part.folds is None else part.folds.runs[0][0])
    return find_paper_result(manifest.network, info.name, len(clean.labels))


def _misclassified(clean: Predictions, samples: Samples) -> tuple[MisclassifiedImage, ...]:
    return tuple(
        MisclassifiedImage(
            path=str(clean.path[row]),
            truth=str(clean.labels[int(clean.truth[row])]),
            predicted=str(clean.labels[int(clean.probabilities[row].argmax())]),
            confidence=confidence,
            image=partial(labelled_region, samples, int(clean.row[row])),
        )
        for row, confidence in most_confident_errors(clean)
    )
