"""Steps of the light networks: recorded against eager, one after another, and several at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from gpu_parts.product import CLASSES, SIDE, Resident, Trained
from gpu_parts.run import Run, flops, rounded, share, shown, turns
from mien.models import configure


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
        row |= {"ms": ms, "images a second": {form: rounded(1000 * size / value) for form, value in ms.items()}}
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
        return rounded(1000 * size / turns(run, {"graph": one}, block=8, rounds=3)["graph"])
    finally:
        torch.backends.cudnn.benchmark = False


def network_of(run: Run, name: str) -> nn.Module:
    """A light network."""
    return configure(name, config_name="light", classes=CLASSES, size_px=SIDE).build().to(run.device)


def streams(run: Run, names: Sequence[str]) -> dict[str, Any]:
    """Light networks in one process, each on a stream of its own, without augmentation."""
    size = run.batch(384)
    result: dict[str, Any] = {}
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
        form: rounded(1000 * size * len(names) / value) for form, value in ms.items()
    }
    result["peak MB"] = run.peak_mb()
    return result
