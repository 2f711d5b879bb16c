"""`mien.calibrate`: temperature, operating points and confidence threshold of weights, from prepared faces."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from mien.arguments import checked
from mien.errors import DataError, InputError, OptionError
from mien.evaluation.calibration import ACCURACY, Calibration, LabelledLogits, calibrate_logits
from mien.evaluation.validation_rows import ValidationSets
from mien.media.work import Progress, no_progress
from mien.pipeline.classifier import ExpressionNetwork
from mien.prepared.store import PreparedStore
from mien.weights.manifest import SHIPPED, WeightsManifest, load_manifest, write_manifest

BATCH = 32
PathLike = str | os.PathLike[str]


@dataclass(frozen=True, kw_only=True)
class CalibrationResult:
    """The calibrated weights, and how the calibration was chosen."""

    manifest: WeightsManifest = field(repr=False)
    calibration: Calibration
    images: dict[str, str]  # set -> which of its images


@checked
def calibrate(
    weights: PathLike,
    data: PathLike | Sequence[PathLike],
    *,
    split: str = "",
    tta: bool | None = None,
    accuracy: float = ACCURACY,
    command: str = "",
    progress: Progress = no_progress,
) -> CalibrationResult:
    """Choose temperature, priors and confidence threshold of weights on prepared sets, and write their manifest.

    `weights`: the folder of a training run, or whatever `mien.load` takes, but not those of the package. `data`:
    prepared sets, which weigh the same. `split`: of each set; by default the images that the run held out for
    validation, or else the valid split. "all": every image. `tta`: test-time augmentation; None: as the weights
    say. `accuracy`: selective accuracy that the threshold is to reach.

    One half of the images (by person or video where the set names them) chooses, the other half measures. Raises
    `OptionError` and `InputError` that say what to do.
    """
    manifest = load_manifest(os.fspath(weights))
    if SHIPPED in manifest.path.parents:
        raise OptionError(f"weights {manifest.name!r} are in the package; copy their folder and name the copy")
    if not 0 < accuracy < 1:
        raise OptionError(f"--accuracy {accuracy:g} must lie between 0 and 1")
    manifest = replace(manifest, tta=manifest.tta if tta is None else tta)
    folders = [data] if isinstance(data, (str, os.PathLike)) else list(data)
    parts = [_Part.of(manifest, PreparedStore(folder), split) for folder in folders]
    titles = [part.title for part in parts]
    if twice := [title for title in titles if titles.count(title) > 1]:
        raise OptionError(f"{twice[0]} is given twice; name each set once")
    network = ExpressionNetwork(manifest, priors=next(iter(manifest.priors)), threads=0)
    total, done, sets = sum(len(part.rows) for part in parts), 0, []
    for part in parts:
        logits = []
        for rows in np.array_split(part.rows, max(1, -(-len(part.rows) // BATCH))):
            logits.append(network.logits(part.store.aligned(rows, manifest.inputs.size_px)))
            done += len(rows)
            progress(done, total)
        sets.append(part.labelled(np.concatenate(logits)))
    frequencies = np.mean([part.frequencies for part in parts], axis=0)
    calibration = calibrate_logits(sets, frequencies, accuracy=accuracy, command=command)
    measured = {
        f"{title}, half of the {part.chosen}": dict(calibration.after[title])
        | ({"command": command} if command else {})
        for title, part in zip(titles, parts, strict=True)
    }
    kept = {title: value for title, value in manifest.measured.items() if not title.startswith(tuple(measured))}
    manifest = write_manifest(replace(calibration.applied(manifest), measured=measured | kept))
    images = {title: part.chosen for title, part in zip(titles, parts, strict=True)}
    return CalibrationResult(manifest=manifest, calibration=calibration, images=images)


@dataclass(frozen=True, kw_only=True)
class _Part:
    """The images of one prepared set that calibrate."""

    store: PreparedStore
    title: str
    chosen: str  # which images, in words
    rows: np.ndarray  # of the store
    truth: np.ndarray  # (rows,) in the classes of the network
    classes: np.ndarray  # (K,) bool: those of the set
    frequencies: np.ndarray  # (K,) of the classes in the images that are not in `rows`; in `rows` where that is all

    @classmethod
    def of(cls, manifest: WeightsManifest, store: PreparedStore, split: str) -> _Part:
        network, template = manifest.label_set, store.header.settings["template"]
        if template != manifest.inputs.template:
            raise OptionError(
                f"{store.folder} was prepared with the template {template!r}, the weights {manifest.name!r} are "
                f"for {manifest.inputs.template!r}: mien data prepare --template {manifest.inputs.template}"
            )
        shared = [label for label in store.labels if label in network]
        if len(shared) < 2:
            raise InputError(
                f"{store.folder} has the classes {', '.join(store.labels)}, the weights {', '.join(network)}: "
                "fewer than two in common"
            )
        label = store.labels.indices_in(network)[store.label]
        mask, chosen = _selected(manifest, store, split)
        rows = np.flatnonzero(mask & (label >= 0))
        targets = store.labels.redistribute(store.targets, to=network)
        rest = targets[~mask] if targets[~mask].any() else targets[mask]
        return cls(
            store=store,
            title=store.title,
            chosen=chosen,
            rows=rows,
            truth=label[rows],
            classes=np.isin(list(network), shared),
            frequencies=rest.sum(axis=0) / max(1.0, float(rest.sum())),
        )

    def labelled(self, logits: np.ndarray) -> LabelledLogits:
        return LabelledLogits(
            title=self.title, logits=logits, truth=self.truth, clusters=self.clusters, classes=self.classes
        )

    @property
    def clusters(self) -> np.ndarray:
        """Person, else video, else the image itself."""
        names = np.array([f"image {row}" for row in self.rows], dtype=object)
        for column in ("group", "subject"):
            if (values := self.store.column(column)) is not None:
                names = np.where(values[self.rows] != "", values[self.rows], names)
        return names


def _selected(manifest: WeightsManifest, store: PreparedStore, split: str) -> tuple[np.ndarray, str]:
    """Mask of the images to calibrate on, and which these are."""
    if split == "all":
        return np.ones(len(store), dtype=bool), "images"
    splits, row = store.column("split"), store.column("row")
    if split:
        store.of(split)  # raises where there is none
        assert splits is not None  # noqa: S101
        return splits == split, f"{split} split"
    held_out = ValidationSets.of(manifest).rows_of(store.header.set, store.header.samples)
    if held_out is not None and row is not None:
        return np.isin(row, held_out), "validation images of the run"
    if splits is not None and (splits == "valid").any():
        return splits == "valid", "valid split"
    there = ", ".join(sorted(set(splits.tolist()) - {""})) if splits is not None else ""
    raise DataError(
        f"{store.folder} has no valid split, and the weights {manifest.name!r} held none of its images out. Name "
        f"images that trained nothing: --split {there or 'all'}"
    )
