"""Training on one GPU: a step in the published form and in ours, and the images a second of light networks.

    python benchmarks/gpu.py --out benchmarks/results/NAME.json
    python benchmarks/gpu.py --device cpu --tiny

The parts stand in the order of their weight, and each is written to --out as soon as it is measured. One that fails
leaves its error there, and the next goes on; none begins that would not end within --seconds.

- card: products of two bfloat16 matrices of 8192, and a copy within its memory. Shares below are of that product.
- recorded: the step as a CUDA graph against the eager one: losses of the same steps, and a batch of NaN, which must
  change nothing.
- light, and others: the whole step of the light networks at 96 pixels, images resident and augmented on the GPU.
- published: the networks of the papers at their own input and batch, random weights. "published" is the authors'
  formula in float32 (`official/`) with their optimizer and without SAM's second pass; "ours" bfloat16, channels
  last, fused optimizer, then the same as a graph.
- streams, processes: several light networks at once.
- compiled: torch.compile, each in a process of its own, as long as time is left.

Forms take turns in blocks of steps. Random weights, images of noise; nothing here decides pass or fail.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from mien.models import configure
from mien.training.graph import CudaRecorder, Recorder, Repeated
from official.apvit import OfficialAPViT
from official.poster import OfficialPoster
from official.poster_v2 import OfficialPosterV2

PUBLISHED: dict[str, tuple[Callable[[], nn.Module], int, int]] = {  # the authors' form, side and batch of an image
    "poster_v2": (OfficialPosterV2, 224, 144),
    "apvit": (OfficialAPViT, 112, 128),
    "poster": (OfficialPoster, 224, 200),
}
LIGHT = ("poster_v2", "bare_backbone", "poster", "apvit", "phanet")  # the default first
BEGUN = time.monotonic() - time.clock_gettime(time.CLOCK_PROCESS_CPUTIME_ID)  # about when the process began
CLASSES, SIDE, CANVAS, SOURCES = 8, 96, 192, 5
NEEDED = {  # seconds that a part takes at most, or about
    "card": 3, "recorded": 8, "light": 15, "published poster_v2": 12, "published apvit": 10, "published poster": 14,
    "streams": 12, "others": 8, "processes": 25, "compiled": 25,
}  # fmt: skip


@dataclass(frozen=True)
class Run:
    """What all parts share."""

    device: torch.device
    tiny: bool
    quick: bool
    deadline: float

    @property
    def left(self) -> float:
        """Seconds."""
        return self.deadline - time.monotonic()

    def batch(self, full: int) -> int:
        """Images of a step."""
        return 4 if self.tiny else full

    @property
    def images(self) -> int:
        """Prepared images."""
        return 32 if self.tiny else 20_000

    def finish(self) -> None:
        """Wait for the GPU."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def recorder(self) -> Recorder:
        """That of this device."""
        return CudaRecorder(self.device) if self.device.type == "cuda" else Repeated()

    def clear(self) -> None:
        """Give memory back between two parts."""
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self.device)

    def peak_mb(self) -> float | None:
        """Memory in use at most since `clear`."""
        return round(torch.cuda.max_memory_allocated(self.device) / 2**20) if self.device.type == "cuda" else None


def turns(run: Run, calls: Mapping[str, Callable[[], object]], *, block: int, rounds: int) -> dict[str, float]:
    """Milliseconds of a call: medians over blocks of calls, which take turns forth and back."""
    block, rounds = (1, 1) if run.tiny else (block, max(1, rounds // 2) if run.quick else rounds)
    taken: dict[str, list[float]] = {name: [] for name in calls}
    order = list(calls)
    for _ in range(rounds):
        for name in order:
            run.finish()
            begun = time.perf_counter()
            for _ in range(block):
                calls[name]()
            run.finish()
            taken[name].append(1000 * (time.perf_counter() - begun) / block)
        order.reverse()
    return {name: round(statistics.median(times), 3) for name, times in taken.items()}


# --- the card


def card(run: Run) -> dict[str, Any]:
    side = 256 if run.tiny else 8192
    a, b = (torch.randn(side, side, device=run.device, dtype=torch.bfloat16) for _ in range(2))
    megabytes = 1 if run.tiny else 1024
    source = torch.empty(megabytes * 2**20, dtype=torch.uint8, device=run.device)
    target = torch.empty_like(source)
    single = a[: side // 2, : side // 2].float()
    calls: dict[str, Callable[[], object]] = {
        "bf16": lambda: a @ b,
        "float32": lambda: single @ single,
        "copy": lambda: target.copy_(source),
    }
    for call in calls.values():
        call()
    ms = turns(run, calls, block=20, rounds=4)
    return {
        "bf16 TFLOP/s": round(2 * side**3 / ms["bf16"] / 1e9, 2),
        "float32 TFLOP/s": round(2 * (side // 2) ** 3 / ms["float32"] / 1e9, 2),
        "copy GB/s, read and written": round(2 * megabytes * 2**20 / ms["copy"] / 1e6, 1),
    }


# --- the published networks


@contextlib.contextmanager
def tf32(convolutions: bool) -> Iterator[None]:
    """TF32 in cuDNN's convolutions, as is torch's default; never in matrix products, as is its default too."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = convolutions, False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


def optimizer_of(name: str, network: nn.Module, *, fused: bool) -> torch.optim.Optimizer:
    """That of the authors' run."""
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    more: dict[str, Any] = {"fused": True} if fused else {}
    counted: dict[str, Any] = {"capturable": True} if fused else {}
    if name == "apvit":
        return torch.optim.SGD(parameters, lr=1e-6, momentum=0.9, weight_decay=5e-4, **more)
    return torch.optim.Adam(parameters, lr=1e-6, **more, **counted)


def plain_step(
    name: str, network: nn.Module, x: Tensor, labels: Tensor, *, ours: bool, convolutions: bool = False
) -> Callable[[], None]:
    """Forward, loss, backward, clipping where the authors clip, optimizer."""
    network.train()
    optimizer = optimizer_of(name, network, fused=ours)
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]

    def call() -> None:
        with tf32(convolutions):
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast(x.device.type, torch.bfloat16, enabled=ours):
                loss = nn.functional.cross_entropy(network(x), labels)
            loss.backward()
            if name == "apvit":
                nn.utils.clip_grad_norm_(parameters, 10.0)
            optimizer.step()

    return call


def recorded(run: Run, call: Callable[[], None]) -> Callable[[], None]:
    """A call as a graph."""
    recorder = run.recorder()
    with recorder.aside():
        for _ in range(1 if run.tiny else 3):
            call()
    recorder.record(call)
    recorder.replay()
    return recorder.replay


@torch.no_grad()
def flops(network: Any, x: Tensor) -> float:
    """Floating-point operations of forward and backward for one image: three times those of what is trained."""
    network.eval()
    side = network.config.size_px
    x = x[:1, :, :: x.shape[-1] // side, :: x.shape[-1] // side]
    with FlopCounterMode(display=False) as counter:
        network(x)
    frozen = FlopCounterMode(display=False)
    if hasattr(network, "landmark_backbone"):
        with frozen:
            network.landmark_backbone(x)
    return 3 * counter.get_total_flops() - 2 * frozen.get_total_flops()


def published(run: Run, name: str, rate: float | None) -> dict[str, Any]:
    build, side, full = PUBLISHED[name]
    batch = 2 if run.tiny else full
    x = torch.randn(batch, 3, side, side, device=run.device)
    last = x.contiguous(memory_format=torch.channels_last)
    labels = torch.arange(batch, device=run.device) % 7
    torch.backends.cudnn.benchmark = True  # as the authors' code has it
    result: dict[str, Any] = {"batch": batch, "side": side}
    try:
        with run.device:
            theirs, ours = build(), configure(name, config_name="published", classes=7).build()
        ours = ours.to(memory_format=torch.channels_last)
        operations = flops(ours, x)
        run.clear()
        steps: dict[str, Callable[[], None]] = {}
        peaks: dict[str, float | None] = {}

        def add(form: str, make: Callable[[], Callable[[], None]]) -> None:
            try:
                run.clear()
                call = make()
                for _ in range(1 if run.tiny else 3):
                    call()
                steps[form], peaks[form] = call, run.peak_mb()
            except Exception as error:
                result.setdefault("errors", {})[form] = shown(error)

        add("published, float32", lambda: plain_step(name, theirs, x, labels, ours=False))
        add(
            "published, TF32 convolutions",
            lambda: plain_step(name, theirs, x, labels, ours=False, convolutions=True),
        )
        add("ours, eager", lambda: plain_step(name, ours, last, labels, ours=True))
        add("ours, graph", lambda: recorded(run, plain_step(name, ours, last, labels, ours=True)))
        ms = turns(run, steps, block=2, rounds=3)
    finally:
        torch.backends.cudnn.benchmark = False
    best = min((value for form, value in ms.items() if form.startswith("ours")), default=float("nan"))
    result |= {
        "ms": ms,
        "images a second": {form: round(1000 * batch / value, 1) for form, value in ms.items()},
        "peak MB": peaks,
        "GFLOP an image": round(operations / 1e9, 3),
        "times, of float32": round(ms.get("published, float32", float("nan")) / best, 2),
        "times, of TF32 convolutions": round(ms.get("published, TF32 convolutions", float("nan")) / best, 2),
    }
    return result | share(operations * 1000 * batch / best, rate)


def share(rate: float, of: float | None) -> dict[str, float]:
    """Of the card's matrix rate."""
    return {"TFLOP/s": round(rate / 1e12, 2)} | (
        {"share of the matrix rate": round(rate / 1e12 / of, 4)} if of else {}
    )


# --- light networks: the product's step


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
        from mien.training.teachers import mixed_logits

        rng = torch.Generator().manual_seed(step)
        rows = torch.randint(len(self.canvases), (size,), generator=rng)
        sources, device = self.source[rows], self.device
        augmented = self.augmentation(
            self.canvases[moved(rows, device)], moved(self.targets[rows], device), rng, groups=sources
        )
        return TrainingBatch(
            images=augmented.images.contiguous(memory_format=torch.channels_last),
            targets=augmented.targets,
            poses=None if self.poses is None else moved(self.poses[rows], device),
            known=moved(self.known[sources], device),
            sources=moved(sources, device),
            teacher=mixed_logits(moved(self.logits[rows], device), augmented.mix, 2.0),
        )


class Trained:
    """A light network with the product's step and moving average, trained as the product does."""

    def __init__(
        self, run: Run, name: str, data: Resident, size: int, *, graph: bool, precision: str = "bf16-mixed",
        average: bool = True, compiled: bool = False,
    ) -> None:  # fmt: skip
        from mien.training.objective import ExpressionObjective, JointObjective
        from mien.training.optim.ema import moving_average
        from mien.training.optim.losses import Loss
        from mien.training.optim.optimizer import build_optimizer
        from mien.training.recipe import Optimizer, Recipe
        from mien.training.step import Step

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
        self.average = moving_average(network, 0.999).to(run.device) if average else None
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


def compared(run: Run, name: str) -> dict[str, Any]:
    """Losses of a recorded and of an eager run in float32, and whether a batch of NaN changes anything."""
    data = Resident(run, count=run.batch(512), poses=name == "phanet")
    losses: dict[bool, list[float]] = {}
    for graph in (False, True):
        one = Trained(run, name, data, run.batch(64), graph=graph, precision="32-true", average=False)
        losses[graph] = []
        for _ in range(5 if run.tiny else 10):
            one()
            losses[graph].append(round(one.loss, 6))
        before = [value.detach().clone() for value in one.objective.module.state_dict().values()]
        one.ready = replace(one.ready, images=one.ready.images * float("nan"))
        one()
        unchanged = all(map(torch.equal, before, one.objective.module.state_dict().values()))
        nan = one.loss != one.loss
        one()
        if graph:
            state = {"NaN skipped": nan and unchanged, "finite after it": one.loss == one.loss}
            state["recorded"] = one.step_of._fixed is not None
    worst = max(abs(a - b) / abs(a) for a, b in zip(losses[False], losses[True], strict=True))
    return state | {"largest relative difference of a loss": float(f"{worst:.2g}"), "losses": losses[True]}


def light(
    run: Run, name: str, rate: float | None, *, sizes: tuple[int, ...] = (384, 512), full: bool = True
) -> dict[str, Any]:
    """Whole steps of a light network, and of what they are made."""
    result: dict[str, Any] = {}
    data = Resident(run, poses=name == "phanet")
    for size in (run.batch(size) for size in sizes):
        run.clear()
        row: dict[str, Any] = {}
        forms: dict[str, Callable[[], object]] = {}
        made: dict[str, Trained] = {}
        for form, graph in (("graph", True), ("eager", False)):
            if form == "eager" and not full:
                continue
            try:
                made[form] = Trained(run, name, data, size, graph=graph).warmed()
                if graph and made[form].step_of._fixed is None:
                    row.setdefault("errors", {})[form] = "not recorded"
                forms[form] = made[form]
                if graph:
                    row["peak MB"] = run.peak_mb()
            except Exception as error:
                row.setdefault("errors", {})[form] = shown(error)
        if "graph" in made:
            one = made["graph"]
            forms["graph, without augmentation"] = lambda one=one: one(augment=False)  # type: ignore[misc]
            forms["augmentation alone"] = lambda one=one: data.batch(1, one.size)  # type: ignore[misc]
        ms = turns(run, forms, block=8, rounds=3)
        row |= {"ms": ms, "images a second": {form: round(1000 * size / value) for form, value in ms.items()}}
        if "graph" in made:
            count, begun = (1 if run.tiny else 20), time.process_time()
            for _ in range(count):
                made["graph"]()
            row["processor ms a step"] = round(1000 * (time.process_time() - begun) / count, 2)
            if full and run.left > 10:
                row["images a second"]["graph, cuDNN's choice timed"] = tuned(run, name, data, size)
        result[f"batch {size}"] = row
        operations = flops(network_of(run, name), torch.randn(2, 3, SIDE, SIDE, device=run.device))
        row["GFLOP an image"] = round(operations / 1e9, 4)
        if "graph" in ms:
            row |= share(operations * 1000 * size / ms["graph"], rate)
        del made, forms
    return result


def tuned(run: Run, name: str, data: Resident, size: int) -> float:
    """Images a second of the graph where cuDNN times its kernels before it chooses."""
    torch.backends.cudnn.benchmark = True
    try:
        one = Trained(run, name, data, size, graph=True).warmed()
        return round(1000 * size / turns(run, {"graph": one}, block=8, rounds=3)["graph"])
    finally:
        torch.backends.cudnn.benchmark = False


def network_of(run: Run, name: str) -> nn.Module:
    """A light network."""
    return configure(name, config_name="light", classes=CLASSES, size_px=SIDE).build().to(run.device)


def streams(run: Run) -> dict[str, Any]:
    """All light networks in one process, each on a stream of its own, without augmentation."""
    size = run.batch(384)
    result: dict[str, Any] = {}
    names = LIGHT[:2] if run.tiny else LIGHT
    data = {poses: Resident(run, count=run.batch(1024), poses=poses) for poses in (False, True)}
    made = [Trained(run, name, data[name == "phanet"], size, graph=True, average=False).warmed() for name in names]
    own = [torch.cuda.Stream(run.device) if run.device.type == "cuda" else None for _ in names]

    def together() -> None:
        for one, stream in zip(made, own, strict=True):
            with torch.cuda.stream(stream):
                one.begin(augment=False)
        for one, stream in zip(made, own, strict=True):
            with torch.cuda.stream(stream):
                one.end()

    def alone() -> None:
        for one in made:
            one(augment=False)

    run.finish()
    together()
    ms = turns(run, {"one after another": alone, "streams": together}, block=4, rounds=3)
    result["networks"] = list(names)
    result["images a second, all together"] = {
        form: round(1000 * size * len(names) / value) for form, value in ms.items()
    }
    result["peak MB"] = run.peak_mb()
    return result


# --- processes


def processes(run: Run) -> dict[str, Any]:
    """Whole steps of the light networks, each in a process of its own, at the same time."""
    names = LIGHT[:2] if run.tiny else LIGHT
    seconds = 0.5 if run.tiny else 6.0
    with tempfile.TemporaryDirectory() as folder:
        jobs = [
            started(run, "together", name, str(run.batch(384)), folder, str(len(names)), str(seconds))
            for name in names
        ]
        rows = dict(zip(names, collected(jobs, time.monotonic() + max(5.0, run.left)), strict=True))
    total = [row["images"] / row["seconds"] for row in rows.values() if "images" in row]
    return {"of each": rows, "images a second, all together": round(sum(total)), "finished": len(total)}


def together(run: Run, name: str, size: int, folder: Path, count: int, seconds: float) -> dict[str, Any]:
    """What each of several processes does: warm up, wait for the others, train for a time."""
    images = run.batch(4000)
    one = Trained(run, name, Resident(run, count=images, poses=name == "phanet"), size, graph=True).warmed()
    run.finish()
    (folder / name).touch()
    waited = time.monotonic()
    while len(list(folder.iterdir())) < count and time.monotonic() - waited < 60:
        time.sleep(0.01)
    begun, steps, busy = time.monotonic(), 0, time.process_time()
    while time.monotonic() - begun < seconds:
        one()
        steps += 1
    run.finish()
    return {
        "images": steps * size,
        "seconds": round(time.monotonic() - begun, 3),
        "processor ms a step": round(1000 * (time.process_time() - busy) / max(1, steps), 2),
        "recorded": one.step_of._fixed is not None,
    }


def compiled(run: Run) -> dict[str, Any]:
    """torch.compile in processes of their own, which compile at once and are timed one by one."""
    with tempfile.NamedTemporaryFile() as lock:
        wanted = [("light", "poster_v2"), ("light", "bare_backbone")]
        if not run.tiny:
            wanted += [("published", "poster_v2"), ("published", "poster"), ("published", "apvit")]
        jobs = [started(run, "compiled", kind, name, lock.name) for kind, name in wanted]
        rows = collected(jobs, time.monotonic() + max(5.0, run.left))
        return {f"{kind} {name}": row for (kind, name), row in zip(wanted, rows, strict=True)}


def compiled_alone(run: Run, kind: str, name: str, lock: Path) -> dict[str, Any]:
    """One compiled form, eager and as a graph."""
    begun = time.monotonic()
    calls: dict[str, Callable[[], object]] = {}
    errors = {}
    if kind == "light":
        size = run.batch(384)
        data = Resident(run, count=run.batch(1024))
        calls["compiled"] = Trained(run, name, data, size, graph=False, compiled=True).warmed()
        try:
            calls["compiled, graph"] = Trained(run, name, data, size, graph=True, compiled=True).warmed()
        except Exception as error:
            errors["compiled, graph"] = shown(error)
    else:
        _, side, size = PUBLISHED[name]
        with run.device:
            network = configure(name, config_name="published", classes=7).build()
        network = network.to(memory_format=torch.channels_last)
        network.compile()
        x = torch.randn(size, 3, side, side, device=run.device).contiguous(memory_format=torch.channels_last)
        call = plain_step(name, network, x, torch.arange(size, device=run.device) % 7, ours=True)
        for _ in range(2):
            call()
        calls["compiled"] = call
        try:
            calls["compiled, graph"] = recorded(run, call)
        except Exception as error:
            errors["compiled, graph"] = shown(error)
    run.finish()
    ready = time.monotonic() - begun
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        ms = turns(run, calls, block=5, rounds=4)
    return {
        "batch": size,
        "seconds to compile": round(ready, 1),
        "ms": ms,
        "images a second": {form: round(1000 * size / value) for form, value in ms.items()},
        **({"errors": errors} if errors else {}),
    }


def started(run: Run, *job: str) -> tuple[subprocess.Popen[bytes], Path, Path]:
    """A process with a job of `WORKERS`; it writes its result as JSON, and its messages, into files."""
    number, out = tempfile.mkstemp(suffix=".json")
    os.close(number)
    errors = Path(out).with_suffix(".txt")
    command = [sys.executable, __file__, "--device", str(run.device), "--out", out, "--job", *job]
    command += ["--tiny"] * run.tiny + ["--quick"] * run.quick
    with errors.open("wb") as file:
        return subprocess.Popen(command, stdout=file, stderr=file), Path(out), errors


def collected(jobs: list[tuple[subprocess.Popen[bytes], Path, Path]], until: float) -> list[dict[str, Any]]:
    """The result of each; one that does not end in time is stopped."""
    rows = []
    for process, out, errors in jobs:
        try:
            process.wait(max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        text, messages = out.read_text(), errors.read_text(errors="replace")
        rows.append(
            json.loads(text) if text else {"error": f"ended with {process.returncode}", "output": messages[-1500:]}
        )
        out.unlink()
        errors.unlink()
    return rows


WORKERS: dict[str, Callable[..., dict[str, Any]]] = {
    "together": lambda run, name, size, folder, count, seconds: together(
        run, name, int(size), Path(folder), int(count), float(seconds)
    ),
    "compiled": lambda run, kind, name, lock: compiled_alone(run, kind, name, Path(lock)),
}


# --- all of it


def shown(error: BaseException) -> str:
    """Its kind, text and place."""
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    where = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))
    return f"{type(error).__name__}: {str(error)[:600]} ({where})"


def machine(run: Run) -> dict[str, Any]:
    """What it was measured on."""
    cuda = run.device.type == "cuda"
    try:
        fabric = metadata.version("lightning_fabric")
    except metadata.PackageNotFoundError:
        fabric = "not installed: a stand-in"
    return {
        "gpu": torch.cuda.get_device_name(run.device) if cuda else None,
        "memory GB": round(torch.cuda.get_device_properties(run.device).total_memory / 1e9, 1) if cuda else None,
        "cores": len(os.sched_getaffinity(0)),
        "python": sys.version.split()[0],
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "lightning_fabric": fabric,
        "numpy": np.__version__,
        "seconds to start": round(time.monotonic() - BEGUN, 1),
    }


def measure(run: Run, wanted: list[str], write: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Every part that fits into the time."""
    result: dict[str, Any] = {"machine": machine(run), "parts": {}, "seconds": {}}

    def rate() -> float | None:
        return result["parts"].get("card", {}).get("bf16 TFLOP/s")

    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "card": lambda: card(run),
        "recorded": lambda: {name: guarded(compared, run, name) for name in ("poster_v2", "phanet")},
        "light": lambda: light(run, "poster_v2", rate()),
        **{f"published {name}": lambda name=name: published(run, name, rate()) for name in PUBLISHED},  # type: ignore[misc]
        "streams": lambda: streams(run),
        "others": lambda: others(run, rate),
        "processes": lambda: processes(run),
        "compiled": lambda: compiled(run),
    }
    for name, part in parts.items():
        if wanted and name not in wanted:
            continue
        if not run.tiny and run.left < NEEDED[name]:
            result["parts"][name] = {"left out": f"{run.left:.0f} s were left"}
            continue
        begun = time.monotonic()
        print(f"{name} ...", file=sys.stderr, flush=True)
        result["parts"][name] = guarded(part)
        result["seconds"][name] = round(time.monotonic() - begun, 1)
        with contextlib.suppress(Exception):
            run.clear()
        write(result)
        print(json.dumps({name: result["parts"][name]}), flush=True)
    return result


def others(run: Run, rate: Callable[[], float | None]) -> dict[str, Any]:
    """The light networks beside the default, as long as time is left."""
    rows = {}
    for name in LIGHT[1:2] if run.tiny else LIGHT[1:]:
        if run.left > 6:
            rows[name] = guarded(light, run, name, rate(), sizes=(384,), full=False)
            run.clear()
    return rows


def guarded(part: Callable[..., dict[str, Any]], *args: Any, **options: Any) -> dict[str, Any]:
    """A part, or its error."""
    try:
        return part(*args, **options)
    except Exception as error:
        traceback.print_exc()
        return {"error": shown(error)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="write everything as JSON, after each part")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--seconds", type=float, default=100.0, help="no part begins that would end later")
    parser.add_argument("--quick", action="store_true", help="half as many blocks")
    parser.add_argument("--tiny", action="store_true", help="a few images, one block: to see that all parts run")
    parser.add_argument("--part", choices=NEEDED, action="append", help="only this one; may be repeated")
    parser.add_argument("--job", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    device = torch.device("cuda", 0) if options.device == "cuda" else torch.device(options.device)
    run = Run(device, options.tiny, options.quick, BEGUN + options.seconds)
    if options.job:
        options.out.write_text(json.dumps(WORKERS[options.job[0]](run, *options.job[1:])))
        return

    def write(result: dict[str, Any]) -> None:
        if options.out:
            flags = "".join(f" --{flag}" for flag in ("quick", "tiny") if getattr(options, flag))
            about = {"command": f"python benchmarks/gpu.py{flags}", "date": time.strftime("%Y-%m-%d")}
            options.out.write_text(json.dumps(about | result, indent=2) + "\n")

    result = measure(run, options.part or [], write)
    write(result)


if __name__ == "__main__":
    main()
