"""The recipe of test_loop on two processes; the first launches the second."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from lightning_fabric import Fabric

from mien.training.loop import fit
from mien.training.run_folder import RunFolder
from tests.training.made_up import MadeUp, small_objective
from tests.training.test_loop import RECIPE

if __name__ == "__main__":
    fabric = Fabric(accelerator="cpu", devices=2, strategy="ddp")
    fabric.launch()
    fit(
        RECIPE,
        small_objective(),
        MadeUp(),
        RunFolder(Path(sys.argv[1]), first=fabric.is_global_zero),
        fabric=fabric,
    )
