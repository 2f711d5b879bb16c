"""Images whose class can be seen, and a network small enough to train in a test."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from mien.labels import LabelSet
from mien.training.objective import ExpressionObjective, TrainingBatch
from mien.training.optim.losses import Loss


class MadeUp:
    """Three classes of 8x8 images: their mean colour, under noise."""

    labels = LabelSet("neutral fear anger")
    epoch_size, valid_size = 48, 30

    def order(self, epoch: int) -> np.ndarray:
        return np.random.default_rng(epoch).permutation(self.epoch_size)

    def training_batch(self, rows: np.ndarray, rng: torch.Generator, device: torch.device) -> TrainingBatch:
        x = self._images(rows) + 0.3 * torch.randn(len(rows), 3, 8, 8, generator=rng)
        return TrainingBatch(images=x.to(device), targets=torch.eye(3)[torch.from_numpy(rows % 3)].to(device))

    def validation_batch(self, rows: np.ndarray, device: torch.device) -> tuple[Tensor, np.ndarray]:
        return self._images(rows + 1000).to(device), (rows + 1000) % 3

    def valid_parts(self) -> tuple[()]:
        return ()

    def _images(self, rows: np.ndarray) -> Tensor:
        x = torch.eye(3)[torch.from_numpy(rows % 3)][:, :, None, None]
        noise = [torch.randn(3, 8, 8, generator=torch.Generator().manual_seed(int(row))) for row in rows]
        return x + 0.8 * torch.stack(noise)


def small_objective() -> ExpressionObjective:
    return ExpressionObjective(small_network(), Loss())


def small_network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, bias=False), nn.BatchNorm2d(6), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Dropout(0.1), nn.Linear(6, 3),
    )  # fmt: skip
