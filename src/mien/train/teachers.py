"""Trained networks whose answers a student learns (Hinton et al., "Distilling the Knowledge ...", 2015).

The teachers see exactly what the student sees, changed and mixed alike, as Beyer et al. found best ("Knowledge
distillation: A good teacher is patient and consistent", 2022).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from mien.errors import OptionError
from mien.labels import LABEL_SETS, LabelSet
from mien.preprocess import Preprocess
from mien.weights.fill import network_of
from mien.weights.record import WeightsRecord


class Teachers:
    """The mean of some networks' logits; each gets the pictures in its own size.

    `inputs`: how the student's pictures are made. Raises `OptionError` for a teacher of other classes, or one
    whose pictures differ in more than their size.
    """

    def __init__(self, records: Sequence[WeightsRecord], *, inputs: Preprocess, labels: LabelSet) -> None:
        for record in records:
            if record.labels is None or LABEL_SETS[record.labels] != labels:
                raise OptionError(
                    f"the teacher {record.name!r} knows {record.labels or 'no classes'}, the student learns "
                    f"{', '.join(labels)}: they must have the same classes"
                )
            if replace(record.inputs, size_px=inputs.size_px) != inputs:
                raise OptionError(
                    f"the teacher {record.name!r} sees {record.inputs}, the student {inputs}: "
                    "nothing but size_px may differ"
                )
        self._networks = [
            network_of(record).requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
            for record in records
        ]
        self._sizes = [record.inputs.size_px for record in records]

    @torch.no_grad()
    def __call__(self, pictures: Tensor) -> Tensor:
        """Pictures (B, 3, S, S), normalised -> logits (B, K)."""
        logits = [
            network.to(pictures.device)(_of_size(pictures, size)).float()
            for network, size in zip(self._networks, self._sizes, strict=True)
        ]
        return torch.stack(logits).mean(dim=0)


def _of_size(pictures: Tensor, size: int) -> Tensor:
    if pictures.shape[-1] == size:
        return pictures
    return F.interpolate(pictures, size=(size, size), mode="bilinear", antialias=True)
