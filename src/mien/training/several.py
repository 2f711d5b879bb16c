"""Several recipes at once on the same data: a process for each, which share the machine and its GPUs.

A single small network leaves most of a GPU idle, because it waits for the processor to start its next kernel;
several side by side fill it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from mien.errors import OptionError
from mien.training.recipe_source import read_recipe


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
        environment = {"OMP_NUM_THREADS": threads} | os.environ
        if gpus > 1:
            environment["CUDA_VISIBLE_DEVICES"] = str(i % gpus)
        command = [sys.executable, "-m", "mien", "train", recipes[i], "--out", str(out / names[i]), *arguments]
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        ) as process:
            assert process.stdout is not None  # noqa: S101
            for line in process.stdout:
                write(f"{names[i]:{width}}  {line.rstrip()}")
        return FinishedRun(recipe=recipes[i], folder=out / names[i], code=process.returncode)

    with ThreadPoolExecutor(len(recipes)) as pool:
        return list(pool.map(one, range(len(recipes))))
