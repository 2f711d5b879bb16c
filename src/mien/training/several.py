"""Several recipes at once on the same data: a process for each, which share the machine and its GPUs.

A single small network leaves most of a GPU idle, because it waits for the processor to start its next kernel;
several side by side fill it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from mien.errors import OptionError
from mien.training.recipe_source import read_recipe

_TICKET = "MIEN_TRAINING_TICKET"  # a file of each run that is still to begin, in a folder of one command


@dataclass(frozen=True, kw_only=True)
class FinishedRun:
    """How one of several runs ended."""

    recipe: str
    folder: Path
    code: int  # of the process: 0 where it finished


def train_several(
    recipes: Sequence[str], out: Path, arguments: Sequence[str], *, write: Callable[[str], None], gpus: int = 0
) -> list[FinishedRun]:
    """Run `mien train RECIPE --out OUT/NAME` for each recipe at once; every line of their logs goes to `write`.

    `arguments`: the further ones of the command, the same for all. `gpus`: on this machine; the runs take turns on
    them. Threads of the processor are shared out, unless OMP_NUM_THREADS says how many each has. Raises
    `OptionError` for recipes of one name.
    """
    names = [read_recipe(recipe).name for recipe in recipes]
    if twice := [name for name in names if names.count(name) > 1]:
        raise OptionError(f"two recipes are called {twice[0]}; each needs a folder of its own in {out}")
    threads = str(max(1, (os.cpu_count() or 1) // len(recipes)))
    width = max(map(len, names))

    def one(i: int) -> FinishedRun:
        environment = {"OMP_NUM_THREADS": threads} | os.environ | {_TICKET: str(tickets[i])}
        if gpus > 1:
            environment["CUDA_VISIBLE_DEVICES"] = str(i % gpus)
        command = [sys.executable, "-m", "mien", "train", recipes[i], "--out", str(out / names[i]), *arguments]
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        ) as process:
            assert process.stdout is not None  # noqa: S101
            for line in process.stdout:
                write(f"{names[i]:{width}}  {line.rstrip()}")
        tickets[i].unlink(missing_ok=True)
        return FinishedRun(recipe=recipes[i], folder=out / names[i], code=process.returncode)

    with TemporaryDirectory() as folder, ThreadPoolExecutor(len(recipes)) as pool:
        tickets = [Path(folder) / str(i) for i in range(len(recipes))]
        for ticket in tickets:
            ticket.touch()
        return list(pool.map(one, range(len(recipes))))


def begin_together() -> None:
    """Wait until every run of the same command is about to begin, or has ended: one that is timed alone is faster
    than it will be.
    """
    if _TICKET not in os.environ:
        return
    ticket, command = Path(os.environ[_TICKET]), os.getppid()
    ticket.unlink(missing_ok=True)
    while ticket.parent.is_dir() and any(ticket.parent.iterdir()) and os.getppid() == command:
        time.sleep(0.1)
