"""Speed of our networks beside the authors' formulas, in one run on this machine.

    python benchmarks/networks.py --out benchmarks/results/NAME.json
    python benchmarks/networks.py --quick

`benchmarks/official/` is the baseline: a plain transcription with the same weights. "ours" is the network as
built, "folded" its copy for inference (`mien.nn.fold`). The forms take turns, call by call, so that another
load on the machine hits all of them alike; figures are medians in milliseconds and ratios of medians,
official / ours: above 1 we are faster. Peak memory is that of a fresh process for each form. With a CUDA
device there is a second part: float32, TF32, bfloat16, torch.compile and CUDA graphs. Random weights; nothing
here decides pass or fail.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mien.models import build
from mien.nn.fold import folded
from mien.weights.official import convert_state
from official.apvit import OfficialAPViT
from official.poster import OfficialPoster
from official.poster_v2 import OfficialPosterV2
from rewrites import rewrites
from timing import Times, in_turns, table

NETWORKS: dict[str, tuple[Callable[[], nn.Module], int]] = {  # the official form and the side of its input
    "poster": (OfficialPoster, 224),
    "poster_v2": (OfficialPosterV2, 224),
    "apvit": (OfficialAPViT, 112),
}
FORMS = ("official", "ours", "folded")
TRAINED = FORMS[:2]


def forms(name: str) -> dict[str, nn.Module]:
    """All forms of a network with the same weights, in eval mode."""
    torch.manual_seed(0)
    official = NETWORKS[name][0]().eval()
    ours = build(name).eval()
    ours.load_state_dict(convert_state(official.state_dict()).state)
    return {"official": official, "ours": ours, "folded": folded(ours)}


def one_form(name: str, form: str) -> nn.Module:
    """One form alone, so that a process holds nothing else."""
    if form == "official":
        return NETWORKS[name][0]().eval()
    network = build(name).eval()
    return folded(network) if form == "folded" else network


def faces(name: str, batch: int, device: str = "cpu") -> Tensor:
    """Noise in place of faces."""
    side = NETWORKS[name][1]
    return torch.randn(batch, 3, side, side, generator=torch.Generator().manual_seed(1)).to(device)


def forward(network: Callable[[Tensor], Tensor], x: Tensor, *, autocast: bool = False) -> Callable[[], Tensor]:
    """A call that predicts."""

    def call() -> Tensor:
        with torch.inference_mode(), torch.autocast(x.device.type, torch.bfloat16, enabled=autocast):
            return network(x)

    return call


def training_step(network: nn.Module, x: Tensor, *, autocast: bool = False) -> Callable[[], None]:
    """A call that does what one step of plain training does: forward, loss, backward, Adam."""
    network.train()
    labels = torch.arange(len(x), device=x.device) % 7
    adam = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], lr=1e-6)

    def call() -> None:
        with torch.autocast(x.device.type, torch.bfloat16, enabled=autocast):
            loss = nn.functional.cross_entropy(network(x), labels)
        loss.backward()
        adam.step()
        adam.zero_grad(set_to_none=True)

    return call


def clock_of(quick: bool) -> Callable[[], float]:
    """Wall time; in a quick run CPU time."""
    return time.process_time if quick else time.perf_counter


def cpu_forward(name: str, *, quick: bool) -> dict[str, Times]:
    """Prediction at 1 and 2 threads, batch 1 and 16; quick: one thread, batch 1 and 4."""
    result = {}
    networks = forms(name)
    for threads in (1,) if quick else (1, 2):
        torch.set_num_threads(threads)
        for batch in (1, 4 if quick else 16):
            x = faces(name, batch)
            calls = {form: forward(network, x) for form, network in networks.items()}
            rounds = (5 if batch == 1 else 3) if quick else (40 if batch == 1 else 10)
            times = in_turns(calls, rounds=rounds, warm=1, clock=clock_of(quick))
            expected = calls["official"]()
            times["largest difference of logits"] = max(
                (call() - expected).abs().max().item() for form, call in calls.items() if form != "official"
            )
            result[f"{threads} thread{'s' * (threads > 1)}, batch {batch}"] = times
    torch.set_num_threads(1)
    return result


def cpu_training(name: str) -> Times:
    """A training step of 16 faces on two threads."""
    torch.set_num_threads(2)
    networks = forms(name)
    calls = {form: training_step(networks[form], faces(name, 16)) for form in TRAINED}
    times = in_turns(calls, rounds=6, warm=1)
    torch.set_num_threads(1)
    return times


def peaks(name: str) -> dict[str, dict[str, float]]:
    """Largest resident size in MB of a process that runs one form at batch 16, less what importing takes."""
    result: dict[str, dict[str, float]] = {}
    for job, which in (("forward", FORMS), ("training step", TRAINED)):
        for form in which:
            command = [sys.executable, __file__, "--peak", name, form, job]
            output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            result.setdefault(job, {})[form] = float(output)
    return result


def print_peak(name: str, form: str, job: str) -> None:
    """The part of `peaks` that runs in the fresh process."""
    torch.set_num_threads(1)
    before = _peak_kb()
    network, x = one_form(name, form), faces(name, 16)
    call = forward(network, x) if job == "forward" else training_step(network, x)
    for _ in range(2):
        call()
    print(round((_peak_kb() - before) / 1024, 1))


def _peak_kb() -> int:
    status = Path("/proc/self/status").read_text()  # not rusage: that of a child begins at its parent's
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


def gpu(name: str, *, quick: bool) -> dict[str, dict[str, Times]]:
    """Prediction and training on a CUDA device, each precision and way to launch, with peak memory."""
    rounds = 20 if quick else 100
    result: dict[str, dict[str, Times]] = {"forward": {}, "training step": {}}
    for precision in ("float32", "tf32", "bfloat16"):
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"
        autocast = precision == "bfloat16"
        for batch in (1, 16):
            x = faces(name, batch, "cuda")
            networks = {form: network.cuda() for form, network in forms(name).items()}
            calls = {form: forward(network, x, autocast=autocast) for form, network in networks.items()}
            compiled = torch.compile(networks["folded"], fullgraph=True)
            calls["folded, compiled"] = forward(compiled, x, autocast=autocast)
            calls["folded, CUDA graph"] = cuda_graph(networks["folded"], x, autocast=autocast)
            result["forward"][f"{precision}, batch {batch}"] = in_turns(calls, rounds=rounds) | {
                "peak MB": {form: cuda_peak(call) for form, call in calls.items()}
            }
            del networks, calls, compiled
            torch.cuda.empty_cache()
        x = faces(name, 64, "cuda")
        networks = {form: network.cuda() for form, network in forms(name).items() if form in TRAINED}
        steps = {form: training_step(network, x, autocast=autocast) for form, network in networks.items()}
        torch.manual_seed(0)
        last = build(name).cuda().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        steps["ours, channels last"] = training_step(last, x, autocast=autocast)
        to_compile = build(name).cuda()
        steps["ours, compiled"] = training_step(to_compile, x, autocast=autocast)
        to_compile.compile(fullgraph=True)
        result["training step"][f"{precision}, batch 64"] = in_turns(steps, rounds=rounds // 4) | {
            "peak MB": {form: cuda_peak(call) for form, call in steps.items()}
        }
        del networks, steps, last, to_compile
        torch._dynamo.reset()
        torch.cuda.empty_cache()
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    return result


def cuda_graph(network: nn.Module, x: Tensor, *, autocast: bool) -> Callable[[], Tensor]:
    """One recorded forward pass that is replayed on the same input."""
    call = forward(network, x, autocast=autocast)
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            call()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        y = call()

    def replay() -> Tensor:
        graph.replay()
        return y

    return replay


def cuda_peak(call: Callable[[], object]) -> float:
    """Memory in MB that a call takes at most beyond what was held before it."""
    torch.cuda.synchronize()
    held = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    call()
    torch.cuda.synchronize()
    return round((torch.cuda.max_memory_allocated() - held) / 2**20, 1)


def machine() -> dict[str, object]:
    """What the numbers were taken on."""
    cpu = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), platform.processor())  # fmt: skip
    return {
        "cpu": cpu,
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "cores": os.cpu_count(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "system": platform.platform(),
        "python": platform.python_version(),
        "load": os.getloadavg()[0],
        "versions": {name: metadata.version(name) for name in ("mien", "torch")},
    }


def measure(names: list[str], *, quick: bool) -> dict[str, Any]:
    """Everything, network by network."""
    result: dict[str, Any] = {}
    for name in names:
        print(f"{name} ...", file=sys.stderr)
        result[name] = {"forward on CPU, ms": cpu_forward(name, quick=quick)}
        if not quick:
            result[name]["training step on CPU, 2 threads, batch 16, ms"] = cpu_training(name)
            result[name]["peak memory on CPU, batch 16, MB"] = peaks(name)
        if torch.cuda.is_available():
            result[name]["GPU, ms"] = gpu(name, quick=quick)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="write everything as JSON")
    parser.add_argument(
        "--quick", action="store_true", help="one thread, small batches, CPU time: also for a busy machine"
    )
    parser.add_argument("--network", choices=NETWORKS, action="append", help="only this one; may be repeated")
    parser.add_argument("--peak", nargs=3, metavar=("NETWORK", "FORM", "JOB"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak:
        print_peak(*options.peak)
        return
    torch.set_num_threads(1)
    result = {
        "command": "python benchmarks/networks.py" + " --quick" * options.quick,
        "date": datetime.date.today().isoformat(),
        "machine": machine(),
        "clock": "CPU time" if options.quick else "wall time",
        "networks": measure(options.network or list(NETWORKS), quick=options.quick),
        "rewrites, ms": rewrites(
            rounds=10 if options.quick else 40,
            batches=(1,) if options.quick else (1, 16),
            clock=clock_of(options.quick),
        ),
    }
    print(table(result))
    if options.out:
        options.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
