"""A light network trained as the product trains it, on images that lie on the device."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from gpu_parts.run import Run, multiplies_bfloat16
from mien.models import configure
from mien.training.graph import Repeated

CLASSES, SIDE, CANVAS, SOURCES = 8, 96, 192, 5


class OneDevice:
    """The little of Lightning Fabric that a step needs, where it is not installed."""

    world_size, global_rank = 1, 0

    class strategy:  # noqa: N801
        precision = None

    def __init__(self, device: torch.device, precision: str) -> None:
        self.device, self.precision = device, precision

    def setup(self, network: nn.Module, optimizer: Any) -> tuple[nn.Module, Any]:
        def module(*args: Any) -> Any:
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16-mixed"):
                return network(*args)

        return module, optimizer  # type: ignore[return-value]

    def backward(self, loss: Tensor) -> None:
        loss.backward()

    def clip_gradients(self, _: Any, optimizer: Any, *, max_norm: float, error_if_nonfinite: bool) -> Tensor:
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        return nn.utils.clip_grad_norm_(parameters, max_norm, error_if_nonfinite=error_if_nonfinite)

    def no_backward_sync(self, _: Any, *, enabled: bool) -> Any:
        return contextlib.nullcontext()

    def all_reduce(self, value: Tensor, *, reduce_op: str) -> Tensor:
        return value


def fabric_of(run: Run, precision: str) -> Any:
    """Lightning Fabric, or what stands in for it."""
    try:
        from lightning_fabric import Fabric
    except ModuleNotFoundError:
        return OneDevice(run.device, precision)
    return Fabric(accelerator=run.device.type, devices=1, precision=precision)  # type: ignore[arg-type]


class Resident:
    """Prepared images on the device, with all that several sources and teachers add to a batch."""

    def __init__(self, run: Run, *, count: int = 0, poses: bool = False) -> None:
        from mien.augment.mixing import Mixup
        from mien.augment.presets import preset

        count = count or run.images
        rng = torch.Generator().manual_seed(0)
        device = torch.Generator(run.device).manual_seed(0)
        self.canvases = torch.randint(
            256, (count, 3, CANVAS, CANVAS), generator=device, device=run.device, dtype=torch.uint8
        )
        self.targets = torch.randn(count, CLASSES, generator=rng).mul(4).softmax(dim=1)
        self.logits = torch.randn(count, CLASSES, generator=rng).mul(3)
        self.source = torch.randint(SOURCES, (count,), generator=rng)
        self.known = torch.ones(SOURCES, CLASSES, dtype=torch.bool)
        self.known[2:, -1] = False
        self.targets *= self.known[self.source]
        self.targets /= self.targets.sum(dim=1, keepdim=True)
        self.poses = torch.randint(-1, 5, (count,), generator=rng) if poses else None
        self.augmentation = replace(preset("multi-source"), mix=Mixup(alpha=0.3, p=0.5))
        self.device = run.device

    def batch(self, step: int, size: int) -> Any:
        """As the training set makes one."""
        from mien.augment.moving import moved
        from mien.training.objective import TrainingBatch

        rng = torch.Generator().manual_seed(step)
        rows = torch.randint(len(self.canvases), (size,), generator=rng)
        sources, device = self.source[rows], self.device
        augmented = self.augmentation(
            self.canvases[moved(rows, device)], moved(self.targets[rows], device), rng, groups=sources
        )
        logits = moved(self.logits[rows], device)
        return TrainingBatch(
            images=augmented.images.contiguous(memory_format=torch.channels_last),
            targets=augmented.targets,
            poses=None if self.poses is None else moved(self.poses[rows], device),
            known=moved(self.known[sources], device),
            sources=moved(sources, device),
            teacher=logits if augmented.mix is None else augmented.mix.logits(logits, 2.0),
        )


class Trained:
    """A light network with the product's step and moving average, trained as the product does."""

    def __init__(
        self, run: Run, name: str, data: Resident, size: int, *, graph: bool, precision: str = "bf16-mixed",
        average: bool = True, compiled: bool = False,
    ) -> None:  # fmt: skip
        from mien.training.objective import ExpressionObjective, JointObjective
        from mien.training.optim.ema import MovingAverage
        from mien.training.optim.losses import Loss
        from mien.training.optim.optimizer import build_optimizer
        from mien.training.recipe import Optimizer, Recipe
        from mien.training.step import Step

        precision = precision if multiplies_bfloat16(run.device) else "32-true"
        recipe = Recipe(
            name=name, network=name, batch=size, precision=precision, cuda_graph=graph,  # type: ignore[arg-type]
            optimizer=Optimizer(lr=1e-3, weight_decay=0.05, grad_clip=5.0),
        )  # fmt: skip
        loss = Loss(ce_weight=0.0, smoothed_ce_weight=1.0, label_smoothing=0.05, distillation_weight=0.6)
        torch.manual_seed(0)
        more: dict[str, Any] = {"poses": 5} if name == "phanet" else {}
        network = configure(name, config_name="light", classes=CLASSES, size_px=SIDE, **more).build()
        network = network.to(run.device).to(memory_format=torch.channels_last)
        if compiled:
            network.compile()
        kind: Any = JointObjective if name == "phanet" else ExpressionObjective
        self.objective = kind(network, loss, biased_sources=data.known)
        self.objective.module.to(run.device)
        optimizer = build_optimizer(self.objective, recipe, fused=True)
        fabric = fabric_of(run, precision)
        module, wrapped = fabric.setup(self.objective.module, optimizer)
        recorder = Repeated() if graph and run.device.type == "cpu" else None
        self.step_of = Step(recipe, self.objective, module, wrapped, fabric, recorder=recorder)
        self.average = MovingAverage(network, 0.999).to(run.device) if average else None
        self.data, self.size, self.step, self.ready = data, size, 0, data.batch(0, size)
        self.warm_up = 1 if run.tiny and not graph else 5
        self.loss = 0.0

    def begin(self, *, augment: bool = True) -> None:
        """Start a step, and make the next batch meanwhile."""
        self.wait = self.step_of.begin(self.step, [self.ready])
        self.step += 1
        if augment:
            self.ready = self.data.batch(self.step, self.size)

    def end(self) -> None:
        """Wait for the loss, and follow the weights."""
        self.loss = self.wait()
        if self.average is not None:
            self.average.update_parameters(self.objective.network)

    def __call__(self, *, augment: bool = True) -> None:
        self.begin(augment=augment)
        self.end()

    def warmed(self) -> Trained:
        """After the steps that take longer."""
        for _ in range(self.warm_up):
            self()
        return self
