"""Training of networks that `mien train` has no objective for: detectors and landmarks.

A loop draws each step from generators of its own, so that an interrupted run ends as one that was not:

    run = Run(network, out, steps=1000, lr=1e-3, options=vars(options))
    for step in run:
        run.update({"box": loss(network, batch_of(step))})
        if run.due(50):
            run.save()
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from mien.errors import OptionError
from mien.media.atomic import atomic_write
from mien.media.resume import differences
from mien.training.optim.ema import MovingAverage
from mien.training.optim.schedule import Schedule
from mien.training.run_folder import RunFolder

SCHEDULE = Schedule(name="cosine", warmup_epochs=0.05)  # a run is one epoch


class Run:
    """A network, the EMA of its weights, AdamW under a cosine schedule, and a folder that it resumes from.

    The folder holds `options.json`, `last.pt`, `metrics.jsonl` and in the end the EMA as `weights.safetensors`.
    Raises `OptionError` where the folder holds a run with other options.
    """

    def __init__(
        self,
        network: nn.Module,
        out: Path,
        *,
        steps: int,
        lr: float,
        options: Mapping[str, Any],
        weight_decay: float = 1e-4,
        ema_decay: float = 0.995,
        grad_clip: float = float("inf"),
    ) -> None:
        self.network = channels_last(network)
        self.steps, self.grad_clip, self.out = steps, grad_clip, out
        self.ema = MovingAverage(network, ema_decay)
        self.optimizer = torch.optim.AdamW(network.parameters(), lr=lr, weight_decay=weight_decay)
        self.scheduler = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda step: SCHEDULE.factor(step, per_epoch=steps, epochs=1)
        )
        self.step, self.history = 0, list[dict[str, Any]]()
        self._sums: defaultdict[str, float] = defaultdict(float)
        self._since, self._began = 0, time.monotonic()
        self._folder = RunFolder(out)
        self._resume(options)

    def _resume(self, options: Mapping[str, Any]) -> None:
        path = self.out / "options.json"
        if path.exists() and (changed := differences(json.loads(path.read_text(encoding="utf-8")), options)):
            raise OptionError(f"{self.out} holds another run: {'; '.join(changed)}. Choose another --out.")
        atomic_write(path, json.dumps(dict(options), indent=1, default=str).encode())
        if (state := self._folder.last()) is not None:
            for name, part in self._parts.items():
                part.load_state_dict(state[name])
            self.step, self.history = state["step"], state["history"]

    @property
    def _parts(self) -> dict[str, Any]:
        return {
            "network": self.network, "ema": self.ema, "optimizer": self.optimizer, "scheduler": self.scheduler,
        }  # fmt: skip

    def __iter__(self) -> Iterator[int]:
        """The steps that are left; `update` ends one."""
        while self.step < self.steps:
            yield self.step

    def update(self, losses: Mapping[str, Tensor]) -> None:
        """One step of the optimizer on the sum of the (weighted) losses."""
        self.optimizer.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), self.grad_clip)
        self.optimizer.step()
        self.scheduler.step()
        self.ema.update_parameters(self.network)
        self.step += 1
        self._since += 1
        for name, value in losses.items():
            self._sums[name] += value.item()

    def due(self, every: int) -> bool:
        """Whether to evaluate and save after the step just ended."""
        return self.step % every == 0 or self.step == self.steps

    def save(self, **metrics: float) -> None:
        """A checkpoint, and a line of mean losses and metrics; at the end also the averaged weights."""
        losses = {name: round(value / self._since, 4) for name, value in self._sums.items()}
        seconds = round(time.monotonic() - self._began)
        self.history.append({"step": self.step, **losses, **metrics, "seconds": seconds})
        self._sums.clear()
        self._since = 0
        state = {name: part.state_dict() for name, part in self._parts.items()}
        self._folder.save(state | {"step": self.step, "history": self.history})
        lines = "".join(json.dumps(line) + "\n" for line in self.history)
        atomic_write(self.out / "metrics.jsonl", lines.encode())
        if self.step == self.steps:
            averaged = {name: tensor.contiguous() for name, tensor in self.ema.module.state_dict().items()}
            atomic_write(self.out / "weights.safetensors", save(averaged))


def channels_last(network: nn.Module) -> nn.Module:
    """The network with its weights in channels-last order, the faster one on CPUs."""
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # stubs lack it
