"""What a batch is judged by while learning: expression alone, or PhaNet's expression, pose and attention."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

from torch import Tensor, nn

from mien.errors import OptionError
from mien.models.phanet import PhaNet, PhaNetLoss
from mien.training.losses import Loss, class_weights


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """Changed images of one part of a batch, with what is known of them."""

    images: Tensor  # (B, 3, S, S), normalised
    targets: Tensor  # (B, K) distributions
    poses: Tensor | None = None  # (B,) pose classes, -1: do not know


class Objective(Protocol):
    """A loss with all that it has to learn."""

    @property
    def module(self) -> nn.Module:
        """What is trained."""
        ...

    @property
    def network(self) -> nn.Module:
        """The part of it that is judged and kept."""
        ...

    def called(self, name: str) -> str:
        """What recipes call a parameter or module of `module`: as the network itself does."""
        ...

    def loss(self, module: nn.Module, drawn: Drawn) -> Tensor:
        """The mean over the images; `module` is `self.module`, perhaps wrapped for several processes."""
        ...


class Expression:
    """Logits against distributions, and against the teachers' logits where there are any."""

    def __init__(
        self, network: nn.Module, loss: Loss, *, counts: Tensor, teachers: Callable[[Tensor], Tensor] | None = None
    ) -> None:
        self.module = self.network = network
        self._loss, self._teachers = loss, teachers
        self._weights = class_weights(counts, loss.balance) if loss.balance else None

    def called(self, name: str) -> str:
        """The same name."""
        return name

    def loss(self, module: nn.Module, drawn: Drawn) -> Tensor:
        """`Loss` of the network's logits."""
        logits = module(drawn.images).float()
        taught = None if self._teachers is None else self._teachers(drawn.images)
        weights = None if self._weights is None else self._weights.to(logits.device)
        return self._loss(logits, drawn.targets, weights=weights, teacher=taught)


class Joint:
    """PhaNet's joint loss; its learned weights are part of what is trained."""

    def __init__(self, network: nn.Module) -> None:
        if not isinstance(network, PhaNet):
            raise OptionError(f"the joint objective is for phanet, not {type(network).__name__}")
        self.network = network
        self.module = _JointModule(network)

    def called(self, name: str) -> str:
        """Without the place of the network beside its loss; the weights of the loss begin with "joint_loss."."""
        return name.removeprefix("network.")

    def loss(self, module: nn.Module, drawn: Drawn) -> Tensor:
        """`PhaNetLoss` of everything the network says."""
        return cast(Tensor, module(drawn.images, drawn.targets, drawn.poses))


class _JointModule(nn.Module):
    def __init__(self, network: PhaNet) -> None:
        super().__init__()
        self.network = network
        self.joint_loss = PhaNetLoss(network.config)

    def forward(self, images: Tensor, targets: Tensor, poses: Tensor | None) -> Tensor:
        return self.joint_loss(self.network.joint(images), targets, poses)[0]
