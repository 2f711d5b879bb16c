"""What is measured in processes of its own: several networks at the same time, and torch.compile."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from gpu_parts.product import Resident, Trained
from gpu_parts.published import PUBLISHED, plain_step, recorded
from gpu_parts.run import Run, rounded, shown, turns
from mien.models import configure

COMMAND = Path(__file__).parents[1] / "gpu.py"


def processes(run: Run, names: Sequence[str]) -> dict[str, Any]:
    """Whole steps of the light networks, each in a process of its own, at the same time."""
    seconds = 0.5 if run.tiny else 6.0
    with tempfile.TemporaryDirectory() as folder:
        jobs = [
            started(run, "together", name, str(run.batch(384)), folder, str(len(names)), str(seconds))
            for name in names
        ]
        rows = dict(zip(names, collected(jobs, time.monotonic() + max(5.0, run.left)), strict=True))
    total = [row["images"] / row["seconds"] for row in rows.values() if "images" in row]
    return {"of each": rows, "images a second, all together": rounded(sum(total)), "finished": len(total)}


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
        "images a second": {form: rounded(1000 * size / value) for form, value in ms.items()},
        **({"errors": errors} if errors else {}),
    }


def started(run: Run, *job: str) -> tuple[subprocess.Popen[bytes], Path, Path]:
    """A process with a job of `WORKERS`; it writes its result as JSON, and its messages, into files."""
    number, out = tempfile.mkstemp(suffix=".json")
    os.close(number)
    errors = Path(out).with_suffix(".txt")
    command = [sys.executable, str(COMMAND), "--device", str(run.device), "--out", out, "--job", *job]
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
