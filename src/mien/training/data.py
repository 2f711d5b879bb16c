"""Prepared faces as batches: the training, validation and test set of one run."""

from __future__ import annotations

from copy import copy

import numpy as np
import torch
from torch import Generator, Tensor

from mien.augment.presets import Augmentation, plain
from mien.datasets.splits.protocols import Fold
from mien.errors import OptionError
from mien.prepared.concat import ConcatStore
from mien.prepared.poses import PoseLabels
from mien.prepared.store import PreparedStore
from mien.training.objective import TrainingBatch
from mien.training.recipe import Recipe
from mien.training.sampling import Balanced, RepeatFactor, Sampler, Shuffle, Weighted

RESIDENT_SHARE = 0.4  # of the GPU's memory that canvases may take: then no step waits for the disk


class TrainingData:
    """Batches of a prepared store, split as a fold says."""

    def __init__(
        self,
        store: PreparedStore | ConcatStore,
        fold: Fold,
        recipe: Recipe,
        augmentation: Augmentation,
        *,
        poses: PoseLabels | None = None,
    ) -> None:
        self.labels, self.store, self.poses = store.labels, store, poses
        self._label = store.label
        targets = (
            store.targets
            if recipe.soft_labels
            else np.eye(len(self.labels) + 1, dtype=np.float32)[self._label, :-1]
        )
        usable = np.isfinite(targets).all(axis=1) & (targets.sum(axis=1) > 0)
        self.train_rows = fold.train[usable[fold.train]]
        self.valid_rows = fold.valid[self._label[fold.valid] >= 0]
        self._test_rows = fold.test[self._label[fold.test] >= 0]
        if not len(self.valid_rows):
            raise OptionError(
                f"{store.folder}: no labelled image is left for validation; raise validation_fraction"
            )
        self.targets = torch.from_numpy(targets)
        self.sampler = _sampler(recipe, self._label[self.train_rows], targets[self.train_rows])
        self.augmentation, self._unchanged = augmentation, plain(augmentation.inputs)
        self.fingerprint = store.take(np.concatenate([self.train_rows, self.valid_rows])).fingerprint
        self._resident: Tensor | None = None

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
        return self.sampler.indices(epoch)

    def training_batch(self, positions: np.ndarray, rng: Generator, device: torch.device) -> TrainingBatch:
        """Augmented images; targets are mixed as the images are, poses of flipped images are flipped."""
        rows = self.train_rows[positions]
        targets = self.targets[torch.from_numpy(rows)].to(device)
        augmented = self.augmentation(self._canvases(rows, device), targets, rng)
        poses = None
        if self.poses is not None:
            flip = np.array([*self.poses.classes.flip, -1])  # -1 stays
            known = self.poses.label[rows]
            flipped = np.where(augmented.flipped.numpy(), flip[known], known)
            poses = torch.from_numpy(flipped).to(device)
        return TrainingBatch(images=augmented.images, targets=augmented.targets, poses=poses)

    def validation_batch(self, positions: np.ndarray, device: torch.device) -> tuple[Tensor, np.ndarray]:
        """Images (B, 3, S, S) without augmentation, and their labels (B,)."""
        rows = self.valid_rows[positions]
        no_targets = torch.zeros(len(rows), len(self.labels), device=device)
        images = self._unchanged(self._canvases(rows, device), no_targets, torch.Generator().manual_seed(0)).images
        return images, self._label[rows]

    def on_test(self) -> TrainingData:
        """The same with the test set instead of the validation set."""
        other = copy(self)
        other.valid_rows = self._test_rows
        return other

    def _canvases(self, rows: np.ndarray, device: torch.device) -> Tensor:
        if device.type != "cuda":
            return torch.from_numpy(self.store.images(rows)).permute(0, 3, 1, 2)
        if self._resident is None and self._fits(device):
            canvases = torch.from_numpy(self.store.images(np.arange(len(self.store))))
            self._resident = canvases.permute(0, 3, 1, 2).contiguous().to(device)
        if self._resident is not None:
            return self._resident[torch.from_numpy(rows).to(device)]
        canvases = torch.from_numpy(self.store.images(rows)).permute(0, 3, 1, 2)
        return canvases.contiguous().pin_memory().to(device, non_blocking=True)

    def _fits(self, device: torch.device) -> bool:
        needed = len(self.store) * self.store.canvas_px**2 * self.store.channels
        return needed < RESIDENT_SHARE * torch.cuda.get_device_properties(device).total_memory


def _sampler(recipe: Recipe, labels: np.ndarray, targets: np.ndarray) -> Sampler:
    seed, strength = recipe.seed, recipe.sampler_strength
    if recipe.sampler == "balanced":
        return Balanced(labels=labels, seed=seed)
    if recipe.sampler == "repeat-factor":
        return RepeatFactor(labels=labels, threshold=strength, seed=seed)
    if recipe.sampler == "power":
        return Weighted(distributions=targets, power=strength, seed=seed)
    return Shuffle(count=len(labels), seed=seed)
