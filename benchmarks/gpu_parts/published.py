"""The networks of the papers at their own input and batch, in the authors' form and in ours."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from gpu_parts.run import Run, flops, multiplies_bfloat16, rounded, share, shown, turns
from mien.models import configure
from official.apvit import OfficialAPViT
from official.poster import OfficialPoster
from official.poster_v2 import OfficialPosterV2

PUBLISHED: dict[str, tuple[Callable[[], nn.Module], int, int]] = {  # the authors' form, side and batch of an image
    "poster_v2": (OfficialPosterV2, 224, 144),
    "apvit": (OfficialAPViT, 112, 128),
    "poster": (OfficialPoster, 224, 200),
}


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
            with torch.autocast(x.device.type, torch.bfloat16, enabled=ours and multiplies_bfloat16(x.device)):
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
        "images a second": {form: rounded(1000 * batch / value) for form, value in ms.items()},
        "peak MB": peaks,
        "GFLOP an image": round(operations / 1e9, 3),
        "times, of float32": rounded(ms.get("published, float32", float("nan")) / best),
        "times, of TF32 convolutions": rounded(ms.get("published, TF32 convolutions", float("nan")) / best),
    }
    return result | share(operations * 1000 * batch / best, rate)
