"""What a step minimises: the expression loss alone, or PhaNet's joint loss over expression, pose and attention."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from mien.models.phanet import PhaNet, PhaNetLoss
from mien.training.optim.losses import Loss


@dataclass(frozen=True, kw_only=True)
class TrainingBatch:
    """Augmented images of one micro-batch with their targets."""

    images: Tensor  # (B, 3, S, S), normalised
    targets: Tensor  # (B, K) distributions
    poses: Tensor | None = None  # (B,) pose classes, -1: not known
    known: Tensor | None = None  # (B, K) bool: classes that the labels of an image's source can state; None: all
    sources: Tensor | None = None  # (B,) which source an image is of; None: there is one
    teacher: Tensor | None = None  # (B, K) logits of cached teachers


class Objective(Protocol):
    """A loss with everything that is trained by it."""

    @property
    def module(self) -> nn.Module:
        """What is trained."""
        ...

    @property
    def network(self) -> nn.Module:
        """The part of it that is evaluated and kept."""
        ...

    def network_name(self, name: str) -> str:
        """The name that recipes use for a parameter or module of `module`: the network's own."""
        ...

    def loss(self, module: nn.Module, batch: TrainingBatch) -> Tensor:
        """The mean over the images; `module` is `self.module`, perhaps wrapped for several processes."""
        ...


Teaching = Callable[[Tensor], Tensor]


class ExpressionObjective:
    """Logits against label distributions, and against the teachers' logits where there are any.

    `biased_sources` (S, K) bool, the classes that each source knows: a bias per source is learned, which takes up
    how often each source uses each label, so that the network need not; None: no bias.
    """

    def __init__(
        self,
        network: nn.Module,
        loss: Loss,
        *,
        teachers: Teaching | None = None,
        biased_sources: Tensor | None = None,
    ) -> None:
        self.network = network
        self.module = network if biased_sources is None else _WithSourceBias(network, biased_sources)
        self._loss, self._teachers = loss, teachers

    def network_name(self, name: str) -> str:
        """The network's own name; the bias is called "source_bias"."""
        return name if self.module is self.network else name.removeprefix("network.")

    def loss(self, module: nn.Module, batch: TrainingBatch) -> Tensor:
        """`Loss` of the network's logits. Teachers are followed without the bias."""
        logits, bias = _logits(module, batch, self.module is not self.network)
        return self._loss(
            logits + bias if bias is not None else logits,
            batch.targets,
            known=batch.known,
            teacher=_teacher(batch, self._teachers),
            student=logits,
        )


class JointObjective:
    """PhaNet's joint loss; its learned weights are part of what is trained. Options as `ExpressionObjective`."""

    def __init__(
        self,
        network: PhaNet,
        loss: Loss | None = None,
        *,
        teachers: Teaching | None = None,
        biased_sources: Tensor | None = None,
    ) -> None:
        self.network = network
        self._teachers = teachers
        self.module = _JointModule(network, loss or Loss(), biased_sources)

    def network_name(self, name: str) -> str:
        """Without the prefix "network."; the weights of the loss begin with "joint_loss."."""
        return name.removeprefix("network.")

    def loss(self, module: nn.Module, batch: TrainingBatch) -> Tensor:
        """`PhaNetLoss` of all outputs of the network, its expression terms as `Loss` says."""
        teacher = _teacher(batch, self._teachers)
        return cast(Tensor, module(batch.images, batch.targets, batch.poses, batch.known, batch.sources, teacher))


def _teacher(batch: TrainingBatch, teachers: Teaching | None) -> Tensor | None:
    return batch.teacher if teachers is None else teachers(batch.images)


def _logits(module: nn.Module, batch: TrainingBatch, biased: bool) -> tuple[Tensor, Tensor | None]:
    if not biased:
        return module(batch.images).float(), None
    logits, bias = module(batch.images, batch.sources)
    return logits.float(), bias


class SourceBias(nn.Module):
    """A learned bias on the logits of each source, 0 on the mean of the sources that know a class."""

    def __init__(self, known: Tensor) -> None:
        super().__init__()
        self.register_buffer("known", known.float(), persistent=False)
        self.bias = nn.Parameter(torch.zeros(known.shape))

    def forward(self, sources: Tensor) -> Tensor:
        """Sources (B,) -> biases (B, K)."""
        known = cast(Tensor, self.known)
        mean = (self.bias * known).sum(dim=0) / known.sum(dim=0).clamp(min=1)
        return ((self.bias - mean) * known)[sources]


class _WithSourceBias(nn.Module):
    def __init__(self, network: nn.Module, known: Tensor) -> None:
        super().__init__()
        self.network, self.source_bias = network, SourceBias(known)

    def forward(self, images: Tensor, sources: Tensor) -> tuple[Tensor, Tensor]:
        return self.network(images), self.source_bias(sources)


class _JointModule(nn.Module):
    def __init__(self, network: PhaNet, loss: Loss, known: Tensor | None) -> None:
        super().__init__()
        self.network = network
        self.joint_loss = PhaNetLoss(network.config)
        self.source_bias = None if known is None else SourceBias(known)
        self._loss = loss

    def forward(
        self,
        images: Tensor,
        targets: Tensor,
        poses: Tensor | None,
        known: Tensor | None,
        sources: Tensor | None,
        teacher: Tensor | None,
    ) -> Tensor:
        bias = 0.0 if self.source_bias is None else self.source_bias(sources)

        def expression(logits: Tensor, targets: Tensor) -> Tensor:
            logits = logits.float()
            return self._loss(logits + bias, targets, known=known, teacher=teacher, student=logits)

        def auxiliary(logits: Tensor, targets: Tensor) -> Tensor:
            return self._loss(logits.float() + bias, targets, known=known)

        joint = self.network.joint(images)
        return self.joint_loss(joint, targets, poses, expression_loss=expression, auxiliary_loss=auxiliary)[0]
