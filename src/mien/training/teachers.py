"""The teachers of knowledge distillation (Hinton et al., "Distilling the Knowledge in a Neural Network", 2015).

They get the student's images with the same augmentation and mixup, as Beyer et al. recommend ("Knowledge
distillation: A good teacher is patient and consistent", 2022).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from mien.errors import OptionError
from mien.labels import LabelSet
from mien.preprocess import Preprocess
from mien.weights.fill import network_of
from mien.weights.manifest import WeightsManifest


class Teachers:
    """The mean of their logits; each gets the images at its own size.

    `inputs`: how the student's images are made. Raises `OptionError` for a teacher of other classes, or one
    whose images differ in more than their size.
    """

    def __init__(self, manifests: Sequence[WeightsManifest], *, inputs: Preprocess, labels: LabelSet) -> None:
        for manifest in manifests:
            if manifest.labels is None or manifest.label_set != labels:
                raise OptionError(
                    f"the teacher {manifest.name!r} has the classes {manifest.labels or '(none)'}, the student has "
                    f"{', '.join(labels)}: they must have the same classes"
                )
            if replace(manifest.inputs, size_px=inputs.size_px) != inputs:
                raise OptionError(
                    f"the teacher {manifest.name!r} is for {manifest.inputs}, the student for {inputs}: "
                    "nothing but size_px may differ"
                )
        self._networks = [
            network_of(manifest).requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
            for manifest in manifests
        ]
        self._sizes = [manifest.inputs.size_px for manifest in manifests]

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        """Images (B, 3, S, S), normalised -> logits (B, K)."""
        logits = [
            network.to(images.device)(_of_size(images, size)).float()
            for network, size in zip(self._networks, self._sizes, strict=True)
        ]
        return torch.stack(logits).mean(dim=0)


def _of_size(images: Tensor, size: int) -> Tensor:
    if images.shape[-1] == size:
        return images
    return F.interpolate(images, size=(size, size), mode="bilinear", antialias=True)
