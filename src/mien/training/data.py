"""Prepared faces as batches: the training, validation and test set of one run."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Generator, Tensor

from mien.augment.moving import moved
from mien.augment.presets import Augmented, plain
from mien.errors import OptionError
from mien.labels import LabelSet
from mien.prepared.poses import PoseLabels
from mien.training.objective import TrainingBatch
from mien.training.plan import Plan
from mien.training.recipe import Recipe
from mien.training.sampling import Balanced, Mixture, RepeatFactor, Sampler, Shuffle, Weighted
from mien.training.sources import OTHERS, Source, known_classes, shares_of

log = logging.getLogger(__name__)

RESIDENT_SHARE = 0.4  # of the GPU's memory that canvases may take: then no step waits for the disk


@dataclass(frozen=True, kw_only=True, eq=False)
class ValidPart:
    """The validation images of one source."""

    name: str
    positions: np.ndarray  # in the validation set
    classes: np.ndarray  # (K,) bool: that the source knows; predictions are restricted to them


class TrainingData:
    """Batches of the prepared sets of a plan."""

    def __init__(self, plan: Plan) -> None:
        recipe, store, fold = plan.recipe, plan.store, plan.fold
        self.labels, self.store, self.poses = store.labels, store, plan.poses
        self._label = store.label
        targets = (
            store.targets
            if recipe.soft_labels
            else np.eye(len(self.labels) + 1, dtype=np.float32)[self._label, :-1]
        )
        targets, self.known = _known(plan.sources, targets, self.labels, recipe)
        self._source = np.zeros(len(store), dtype=np.int64)
        for i, one in enumerate(plan.sources):
            self._source[np.concatenate([one.train, one.valid])] = i
        usable = np.isfinite(targets).all(axis=1) & (targets.sum(axis=1) > 0)
        stated = (self._label >= 0) & self.known[self._source, self._label]
        self.sources = tuple(
            replace(one, train=one.train[usable[one.train]], valid=one.valid[stated[one.valid]])
            for one in plan.sources
        )
        for one in self.sources:
            if not len(one.train):
                raise OptionError(f"{one.name}: no image has a label that the run can use; leave this set out")
        self.train_rows = np.concatenate([one.train for one in self.sources])
        self.valid_rows = np.concatenate([one.valid for one in self.sources])
        self._test_rows = fold.test[self._label[fold.test] >= 0]
        if not len(self.valid_rows):
            raise OptionError(
                f"{store.folder}: no labelled image is left for validation; raise validation_fraction"
            )
        self.targets = torch.from_numpy(targets)
        self._distributions = targets
        self.resize(recipe)
        self.augmentation, self._unchanged = plan.augmentation, plain(plan.augmentation.inputs)
        self.fingerprint = store.take(np.concatenate([self.train_rows, self.valid_rows])).fingerprint
        self.teacher_logits: Tensor | None = None  # (training set, K) of cached teachers
        self._temperature = recipe.loss.temperature
        self._format = torch.contiguous_format if recipe.precision == "32-true" else torch.channels_last
        self._resident: Tensor | None = None

    def resize(self, recipe: Recipe) -> None:
        """Draw epochs as the recipe says."""
        self.sampler = _mixture(self.sources, recipe, self._label, self._distributions)
        self._order: tuple[int, np.ndarray] | None = None  # an epoch and its order

    @property
    def epoch_size(self) -> int:
        """Training images of one epoch, repeated ones among them."""
        return len(self.sampler)

    @property
    def valid_size(self) -> int:
        """Images of the validation set."""
        return len(self.valid_rows)

    def order(self, epoch: int) -> np.ndarray:
        """Positions in the training set, in the order of one epoch."""
        if self._order is None or self._order[0] != epoch:
            self._order = epoch, self.sampler.indices(epoch)
        return self._order[1]

    def training_batch(self, positions: np.ndarray, rng: Generator, device: torch.device) -> TrainingBatch:
        """Augmented images; targets are mixed as the images are, poses of flipped images are flipped."""
        rows = self.train_rows[positions]
        targets = moved(self.targets[torch.from_numpy(rows)], device)
        several = len(self.sources) > 1
        sources = torch.from_numpy(self._source[rows])
        augmented = self.augmentation(
            self._canvases(rows, device), targets, rng, groups=sources if several else None
        )
        teacher = None
        if self.teacher_logits is not None:
            teacher = moved(self.teacher_logits[torch.from_numpy(positions)], device)
            if augmented.mix is not None:
                teacher = augmented.mix.logits(teacher, self._temperature)
        return TrainingBatch(
            images=augmented.images.contiguous(memory_format=self._format),
            targets=augmented.targets,
            poses=None if self.poses is None else moved(self._poses(self.poses, rows, augmented), device),
            known=None if self.known.all() else moved(torch.from_numpy(self.known)[sources], device),
            sources=moved(sources, device) if several else None,
            teacher=teacher,
        )

    def _poses(self, poses: PoseLabels, rows: np.ndarray, augmented: Augmented) -> Tensor:
        """Pose classes (B,) of the images as they were flipped; -1, not known, where two were mixed."""
        flipped = torch.from_numpy(poses.flipped(augmented.flipped.numpy(), rows))
        return flipped if augmented.mix is None else torch.where(augmented.mix.own < 1, -1, flipped)

    def unchanged_batch(self, positions: np.ndarray, device: torch.device) -> Tensor:
        """Training images (B, 3, S, S) without augmentation, as teachers whose predictions are cached see them."""
        return self._plain(self.train_rows[positions], device)

    def validation_batch(self, positions: np.ndarray, device: torch.device) -> tuple[Tensor, np.ndarray]:
        """Images (B, 3, S, S) without augmentation, and their labels (B,)."""
        rows = self.valid_rows[positions]
        return self._plain(rows, device), self._label[rows]

    def valid_parts(self) -> tuple[ValidPart, ...]:
        """The validation set by source; empty where there is one source."""
        if len([one for one in self.sources if len(one.valid)]) < 2:
            return ()
        owner = self._source[self.valid_rows]
        return tuple(
            ValidPart(
                name=one.name,
                positions=np.flatnonzero(owner == i),
                classes=self.known[i] & np.isin(list(map(str, self.labels)), list(map(str, one.labels))),
            )
            for i, one in enumerate(self.sources)
            if (owner == i).any()
        )

    def on_test(self) -> TrainingData:
        """The same with the test set instead of the validation set."""
        other = copy(self)
        other.valid_rows = self._test_rows
        return other

    def _plain(self, rows: np.ndarray, device: torch.device) -> Tensor:
        no_targets = torch.zeros(len(rows), len(self.labels), device=device)
        unchanged = self._unchanged(self._canvases(rows, device), no_targets, torch.Generator().manual_seed(0))
        return unchanged.images.contiguous(memory_format=self._format)

    def _canvases(self, rows: np.ndarray, device: torch.device) -> Tensor:
        if device.type != "cuda":
            return torch.from_numpy(self.store.images(rows)).permute(0, 3, 1, 2)
        if self._resident is None and self._fits(device):
            canvases = torch.from_numpy(self.store.images(np.arange(len(self.store))))
            self._resident = canvases.permute(0, 3, 1, 2).contiguous().to(device)
        if self._resident is not None:
            return self._resident[moved(torch.from_numpy(rows), device)]
        canvases = torch.from_numpy(self.store.images(rows)).permute(0, 3, 1, 2)
        return moved(canvases.contiguous(), device)

    def _fits(self, device: torch.device) -> bool:
        needed = len(self.store) * self.store.canvas_px**2 * self.store.channels
        return needed < RESIDENT_SHARE * torch.cuda.get_device_properties(device).total_memory


def _known(
    sources: Sequence[Source], targets: np.ndarray, labels: LabelSet, recipe: Recipe
) -> tuple[np.ndarray, np.ndarray]:
    """Targets (N, K) within the classes that each source knows, and these (S, K)."""
    for name, of in (("known_classes", recipe.known_classes), ("shares", recipe.shares)):
        if unknown := set(of) - {OTHERS} - {one.name for one in sources}:
            log.info("%s of sources that are not given are left out: %s", name, ", ".join(sorted(unknown)))
    stated = {one.name: recipe.known_classes[one.name] for one in sources if one.name in recipe.known_classes}
    known = known_classes(sources, targets, labels, stated)
    targets = targets.copy()
    for one, classes in zip(sources, known, strict=True):
        if not classes.all():
            within = targets[one.train] * classes
            targets[one.train] = within / np.maximum(within.sum(axis=1, keepdims=True), 1e-12)
    return targets, known


def _mixture(sources: Sequence[Source], recipe: Recipe, labels: np.ndarray, targets: np.ndarray) -> Sampler:
    """The sampler of all sources together, or, where the recipe states shares, one for each."""
    shares = shares_of(sources, recipe)
    rows = np.concatenate([one.train for one in sources])
    if not shares:
        return _sampler(recipe, labels[rows], targets[rows], recipe.seed)
    return Mixture(
        samplers=tuple(
            _sampler(recipe, labels[one.train], targets[one.train], recipe.seed + 7919 * i)
            for i, one in enumerate(sources, 1)
        ),
        sizes=tuple(len(one.train) for one in sources),
        shares=tuple(shares[one.name] for one in sources),
        batch=recipe.batch,
        count=recipe.epoch_images or len(rows),
        seed=recipe.seed,
    )


def _sampler(recipe: Recipe, labels: np.ndarray, targets: np.ndarray, seed: int) -> Sampler:
    strength = recipe.sampler_strength
    if recipe.sampler == "balanced":
        return Balanced(labels=labels, seed=seed)
    if recipe.sampler == "repeat-factor":
        return RepeatFactor(labels=labels, threshold=strength, seed=seed)
    if recipe.sampler == "power":
        return Weighted(distributions=targets, power=strength, seed=seed)
    return Shuffle(count=len(labels), seed=seed)
