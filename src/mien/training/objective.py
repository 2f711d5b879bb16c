"""What a step minimises: the expression loss alone, or PhaNet's joint loss over expression, pose and attention."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

from torch import Tensor, nn

from mien.models.phanet import PhaNet, PhaNetLoss
from mien.training.optim.losses import Loss


@dataclass(frozen=True, kw_only=True)
class TrainingBatch:
    """Augmented images of one micro-batch with their targets."""

    images: Tensor  # (B, 3, S, S), normalised
    targets: Tensor  # (B, K) distributions
    poses: Tensor | None = None  # (B,) pose classes, -1: not known


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


class ExpressionObjective:
    """Logits against label distributions, and against the teachers' logits where there are any."""

    def __init__(
        self, network: nn.Module, loss: Loss, *, teachers: Callable[[Tensor], Tensor] | None = None
    ) -> None:
        self.module = self.network = network
        self._loss, self._teachers = loss, teachers

    def network_name(self, name: str) -> str:
        """The same name."""
        return name

    def loss(self, module: nn.Module, batch: TrainingBatch) -> Tensor:
        """`Loss` of the network's logits."""
        logits = module(batch.images).float()
        teacher = None if self._teachers is None else self._teachers(batch.images)
        return self._loss(logits, batch.targets, teacher=teacher)


class JointObjective:
    """PhaNet's joint loss; its learned weights are part of what is trained."""

    def __init__(self, network: PhaNet) -> None:
        self.network = network
        self.module = _JointModule(network)

    def network_name(self, name: str) -> str:
        """Without the prefix "network."; the weights of the loss begin with "joint_loss."."""
        return name.removeprefix("network.")

    def loss(self, module: nn.Module, batch: TrainingBatch) -> Tensor:
        """`PhaNetLoss` of all outputs of the network."""
        return cast(Tensor, module(batch.images, batch.targets, batch.poses))


class _JointModule(nn.Module):
    def __init__(self, network: PhaNet) -> None:
        super().__init__()
        self.network = network
        self.joint_loss = PhaNetLoss(network.config)

    def forward(self, images: Tensor, targets: Tensor, poses: Tensor | None) -> Tensor:
        return self.joint_loss(self.network.joint(images), targets, poses)[0]
