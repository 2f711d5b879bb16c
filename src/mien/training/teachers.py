"""The teachers of knowledge distillation (Hinton et al., "Distilling the Knowledge in a Neural Network", 2015).

They get the student's images with the same augmentation and mixup, as Beyer et al. recommend ("Knowledge
distillation: A good teacher is patient and consistent", 2022).
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mien.errors import OptionError
from mien.faces.framing import ONE_FRAMING, moved_corners
from mien.labels import LabelSet
from mien.media.atomic import atomic_open
from mien.preprocess import Preprocess
from mien.training.data import TrainingData
from mien.weights.fill import network_of
from mien.weights.manifest import WeightsManifest

log = logging.getLogger(__name__)

CACHED_PART = 2048  # images in a file of cached predictions


class Teachers:
    """The mean of their logits; each gets the images at its own size.

    `inputs`: how the student's images are made. `autocast`: the precision they run in. Raises `OptionError` for a
    teacher of other classes, or one whose images differ in more than their size.
    """

    def __init__(
        self,
        manifests: Sequence[WeightsManifest],
        *,
        inputs: Preprocess,
        labels: LabelSet,
        autocast: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        for manifest in manifests:
            if manifest.labels is None or manifest.label_set != labels:
                raise OptionError(
                    f"the teacher {manifest.name!r} has the classes {manifest.labels or '(none)'}, the student has "
                    f"{', '.join(labels)}: they must have the same classes"
                )
            _check_inputs(manifest, inputs)
        self._networks = [
            network_of(manifest).requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
            for manifest in manifests
        ]
        self.identity = " ".join([*(manifest.identity for manifest in manifests), str(inputs)])
        self._autocast = autocast
        self._sizes = [manifest.inputs.size_px for manifest in manifests]

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        """Images (B, 3, S, S), normalised -> logits (B, K)."""
        with self._autocast():
            logits = [
                network.to(images.device)(_of_size(images, size)).float()
                for network, size in zip(self._networks, self._sizes, strict=True)
            ]
        return torch.stack(logits).mean(dim=0)

    def flipped_too(self, images: Tensor) -> Tensor:
        """The mean of the logits (B, K) of images (B, 3, S, S) and of their horizontal flips."""
        return (self(images) + self(images.flip(-1))) / 2


def cached_logits(
    teachers: Teachers,
    data: TrainingData,
    folder: Path,
    *,
    device: torch.device,
    write: bool = True,
) -> Tensor:
    """The teachers' logits (training set, K) with flip, from `folder` as far as they are there.

    They are written in parts, so that an interrupted run goes on. What other teachers or other data left is
    replaced. `write`: only one process of a run may.
    """
    count, parts = len(data.train_rows), list[Tensor]()
    folder.mkdir(parents=True, exist_ok=True)
    key = hashlib.sha256(f"{teachers.identity} {data.fingerprint}".encode()).hexdigest()[:16]
    for start in range(0, count, CACHED_PART):
        file = folder / f"{key}-{start:08d}.npy"
        rows = np.arange(start, min(start + CACHED_PART, count))
        if not file.exists():
            batches = np.array_split(rows, max(1, len(rows) // (512 if device.type == "cuda" else 128)))
            made = torch.cat([teachers.flipped_too(data.unchanged_batch(batch, device)).cpu() for batch in batches])
            if write:
                with atomic_open(file) as stream:
                    np.save(stream, made.numpy())
            parts.append(made)
        else:
            parts.append(torch.from_numpy(np.load(file)))
        log.info("  %d of %d images", len(rows) + start, count)
    if write:
        for old in folder.glob("*.npy"):
            if not old.name.startswith(key):
                old.unlink()
    return torch.cat(parts)


def _check_inputs(manifest: WeightsManifest, inputs: Preprocess) -> None:
    """Raises `OptionError` where a teacher's images differ from the student's in more than their size.

    Images as their sets have them are the same to both. Where faces lie in them was measured on the images of each
    run, which differ from fold to fold: by less than the faces of one set among each other.
    """
    teacher = manifest.inputs
    if manifest.inputs.template != inputs.template:
        raise OptionError(
            f"the teacher {manifest.name!r} sees faces of the template {teacher.template!r}, the prepared images "
            f"are of {inputs.template!r}: prepare them with --template {teacher.template}, or take another teacher"
        )
    if replace(teacher, size_px=inputs.size_px).unmeasured() != inputs.unmeasured():
        raise OptionError(
            f"the teacher {manifest.name!r} is for {manifest.inputs}, the student for {inputs}: "
            "nothing but size_px may differ"
        )
    if teacher.points is not None and inputs.points is not None:
        moved = moved_corners(teacher.points, inputs.points)
        if moved > ONE_FRAMING:
            raise OptionError(
                f"the teacher {manifest.name!r} was trained on images that frame faces otherwise: to be framed "
                f"like the prepared images, corners would move by {moved:.0%} of the side; take another teacher"
            )


def _of_size(images: Tensor, size: int) -> Tensor:
    if images.shape[-1] == size:
        return images
    return F.interpolate(images, size=(size, size), mode="bilinear", antialias=True)
