"""Prepared faces as the training loop asks for them."""

from __future__ import annotations

from copy import copy
from functools import cached_property

import numpy as np
import torch
from torch import Generator, Tensor

from mien.augment.presets import Augmentation, plain
from mien.errors import OptionError
from mien.prepared.concat import ConcatStore
from mien.prepared.poses import PoseLabels
from mien.prepared.store import PreparedStore
from mien.training.objective import Drawn
from mien.training.recipe import Recipe
from mien.training.sampling import Balanced, RepeatFactor, Sampler, Shuffle, Weighted

RESIDENT_SHARE = 0.4  # of the GPU's memory that canvases may take: then no step waits for the disk


class TrainingData:
    """Rows of a store that learn, rows that judge, and rows that test at the end."""

    def __init__(
        self,
        shards: PreparedStore | ConcatStore,
        *,
        learn: np.ndarray,
        judge: np.ndarray,
        test: np.ndarray,
        augmentation: Augmentation,
        recipe: Recipe,
        poses: PoseLabels | None = None,
    ) -> None:
        self.labels, self.shards, self.poses = shards.labels, shards, poses
        targets = (
            shards.targets
            if recipe.soft_labels
            else np.eye(len(self.labels) + 1, dtype=np.float32)[shards.label, :-1]
        )
        usable = np.isfinite(targets).all(axis=1) & (targets.sum(axis=1) > 0)
        self.learning = learn[usable[learn]]
        self.judging = judge[shards.label[judge] >= 0]
        self.testing = test[shards.label[test] >= 0]
        if not len(self.judging):
            raise OptionError(f"{shards.folder}: no labelled image is left for validation; hold more out")
        self.targets = torch.from_numpy(targets)
        self.counts = np.bincount(targets[self.learning].argmax(axis=1), minlength=len(self.labels))
        self.sampler = _sampler(recipe, shards.label[self.learning], targets[self.learning])
        self.learned, self.judged = len(self.sampler), len(self.judging)
        self.augmentation, self.exact = augmentation, plain(augmentation.inputs)
        self.fingerprint = shards.take(np.concatenate([self.learning, self.judging])).fingerprint
        self._resident: Tensor | None = None

    def order(self, epoch: int) -> np.ndarray:
        """Positions among the learning rows."""
        return self.sampler.indices(epoch)

    def learn(self, rows: np.ndarray, rng: Generator, device: torch.device) -> Drawn:
        """Changed images; distributions are mixed as they are, poses of flipped ones flipped."""
        places = self.learning[rows]
        targets = self.targets[torch.from_numpy(places)].to(device)
        made = self.augmentation(self._canvases(places, device), targets, rng)
        poses = None
        if self.poses is not None:
            flip = np.array([*self.poses.classes.flip, -1])  # -1 stays
            known = self.poses.label[places]
            turned = np.where(made.flipped.numpy(), flip[known], known)
            poses = torch.from_numpy(turned).to(device)
        return Drawn(images=made.images, targets=made.targets, poses=poses)

    def judge(self, rows: np.ndarray, device: torch.device) -> tuple[Tensor, np.ndarray]:
        """Unchanged images (B, 3, S, S) and their labels (B,)."""
        places = self.judging[rows]
        nothing = torch.zeros(len(places), len(self.labels), device=device)
        made = self.exact(self._canvases(places, device), nothing, torch.Generator().manual_seed(0))
        return made.images, self._labels[places]

    def judged_on_test(self) -> TrainingData:
        """The same, but the test part judges."""
        other = copy(self)
        other.judging, other.judged = self.testing, len(self.testing)
        return other

    @cached_property
    def _labels(self) -> np.ndarray:
        return self.shards.label

    def _canvases(self, places: np.ndarray, device: torch.device) -> Tensor:
        if device.type != "cuda":
            return torch.from_numpy(self.shards.images(places)).permute(0, 3, 1, 2)
        if self._resident is None and self._fits(device):
            whole = torch.from_numpy(self.shards.images(np.arange(len(self.shards))))
            self._resident = whole.permute(0, 3, 1, 2).contiguous().to(device)
        if self._resident is not None:
            return self._resident[torch.from_numpy(places).to(device)]
        canvases = torch.from_numpy(self.shards.images(places)).permute(0, 3, 1, 2)
        return canvases.contiguous().pin_memory().to(device, non_blocking=True)

    def _fits(self, device: torch.device) -> bool:
        needed = len(self.shards) * self.shards.canvas_px**2 * self.shards.channels
        return needed < RESIDENT_SHARE * torch.cuda.get_device_properties(device).total_memory


def _sampler(recipe: Recipe, labels: np.ndarray, targets: np.ndarray) -> Sampler:
    seed, strength = recipe.seed, recipe.sampler_strength
    if recipe.sampler == "shuffle":
        return Shuffle(count=len(labels), seed=seed)
    if recipe.sampler == "balanced":
        return Balanced(labels=labels, seed=seed)
    if recipe.sampler == "repeat-factor":
        return RepeatFactor(labels=labels, threshold=strength, seed=seed)
    if recipe.sampler == "power":
        return Weighted(distributions=targets, power=strength, seed=seed)
    raise OptionError(f"no sampler called {recipe.sampler!r}; there are shuffle, balanced, repeat-factor and power")
