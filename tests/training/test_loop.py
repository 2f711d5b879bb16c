from __future__ import annotations

import json
import math
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision
from safetensors.torch import load_file

from mien.errors import OptionError
from mien.training.loop import History, best_epoch, fit
from mien.training.objective import TrainingBatch
from mien.training.optim.sam import SAMConfig
from mien.training.recipe import Optimizer, Recipe
from mien.training.run_folder import RunFolder
from tests.training.made_up import MadeUp, small_network, small_objective
from tests.waiting import PATIENCE_S

RECIPE = Recipe(
    name="small", network="small", epochs=4, batch=16, micro_batch=8, ema_decay=0.9, sam=SAMConfig(),
    optimizer=Optimizer(lr=0.03, grad_clip=5.0),
)  # fmt: skip


def run(recipe: Recipe, folder: Path, *, stop_at: int = 0, save_every: int = 200) -> History:
    def stop(done: int, total: int | None) -> None:
        if done == stop_at:
            raise KeyboardInterrupt

    fabric, to = Fabric(accelerator="cpu", devices=1), RunFolder(folder)
    return fit(recipe, small_objective(), MadeUp(), to, fabric=fabric, progress=stop, save_every=save_every)


def test_the_last_epoch_is_kept_where_validation_chooses_nothing(tmp_path: Path) -> None:
    history = run(replace(RECIPE, epochs=3, monitor="last", ema_decay=0.0), tmp_path)
    assert best_epoch(history, "last") == 3
    kept = load_file(tmp_path / "best.safetensors")
    last = torch.load(tmp_path / "last.pt", weights_only=True)["network"]
    assert all(torch.equal(kept[name], last[name]) for name in kept)
    with pytest.raises(OptionError, match="patience would end the run too early"):
        replace(RECIPE, monitor="last", patience=2)


def test_it_learns(tmp_path: Path) -> None:
    history = run(replace(RECIPE, epochs=10), tmp_path)
    assert history[best_epoch(history, "accuracy") - 1]["accuracy"] > 0.8
    assert history[-1]["loss"] < history[0]["loss"]
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == list(range(1, 11))


@pytest.mark.parametrize("stop_at", [1, 3, 5, 11])
def test_a_run_that_was_killed_ends_as_one_that_was_not(tmp_path: Path, stop_at: int) -> None:
    whole = run(RECIPE, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(RECIPE, tmp_path / "killed", stop_at=stop_at, save_every=2)
    again = run(RECIPE, tmp_path / "killed")
    assert again == whole
    one, other = (load_file(tmp_path / name / "best.safetensors") for name in ("whole", "killed"))
    assert all(torch.equal(one[name], other[name]) for name in one)
    first, second = (torch.load(tmp_path / name / "last.pt")["network"] for name in ("whole", "killed"))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_each_pass_of_sam_draws_its_own_dropout(tmp_path: Path) -> None:
    objective, masks = small_objective(), []
    objective.network[5].register_forward_hook(lambda _, __, out: masks.append(out != 0))  # type: ignore[index]
    recipe = replace(RECIPE, epochs=1, micro_batch=0)
    fit(recipe, objective, MadeUp(), RunFolder(tmp_path), fabric=Fabric(accelerator="cpu", devices=1))
    first, second = masks[:2]  # of the first step
    assert first.shape == second.shape
    assert not torch.equal(first, second)


def test_the_scale_of_half_precision_gradients_is_resumed(tmp_path: Path) -> None:
    def scale_after(folder: Path, *, stop_at: int = 0) -> float:
        def stop(done: int, total: int | None) -> None:
            if done == stop_at:
                raise KeyboardInterrupt

        scaler = torch.amp.GradScaler("cpu", init_scale=4.0, growth_interval=5)
        fabric = Fabric(accelerator="cpu", devices=1, plugins=MixedPrecision("16-mixed", "cpu", scaler))
        recipe = replace(RECIPE, precision="16-mixed", sam=None)
        with suppress(KeyboardInterrupt):
            fit(recipe, small_objective(), MadeUp(), RunFolder(folder), fabric=fabric, progress=stop, save_every=1)
        return scaler.get_scale()

    assert scale_after(tmp_path / "whole") == 16  # doubled after 5 and 10 of 12 steps
    assert scale_after(tmp_path / "killed", stop_at=7) == 8
    assert scale_after(tmp_path / "killed") == 16
    lines = [(tmp_path / name / "metrics.jsonl").read_text() for name in ("whole", "killed")]
    assert lines[0] == lines[1]


def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    whole = run(RECIPE, tmp_path)
    assert run(RECIPE, tmp_path, stop_at=1) == whole


class SometimesBlack(MadeUp):
    """Some batches are not a number, as those of a broken image are."""

    def __init__(self, broken: set[int]) -> None:
        self.broken, self.batches = broken, 0

    def training_batch(self, rows: np.ndarray, rng: torch.Generator, device: torch.device) -> TrainingBatch:
        batch = super().training_batch(rows, rng, device)
        self.batches += 1
        return replace(batch, images=batch.images * math.nan) if self.batches in self.broken else batch


@pytest.mark.parametrize("changes", [{}, {"sam": None, "micro_batch": 0}, {"optimizer": Optimizer(lr=0.03)}])
def test_a_step_without_a_finite_gradient_is_skipped_and_counted(tmp_path: Path, changes: dict[str, Any]) -> None:
    recipe, objective = replace(RECIPE, **changes), small_objective()
    fabric = Fabric(accelerator="cpu", devices=1)
    history = fit(recipe, objective, SometimesBlack({1, 5}), RunFolder(tmp_path), fabric=fabric)
    assert sum(row.get("skipped_steps", 0) for row in history) == 2
    assert all(math.isfinite(row["loss"]) and math.isfinite(row["validation_loss"]) for row in history)
    assert all(value.isfinite().all() for value in load_file(tmp_path / "best.safetensors").values())
    assert all(value.isfinite().all() for value in objective.network.state_dict().values())


def test_a_run_without_finite_gradients_stops_with_advice(tmp_path: Path) -> None:
    fabric = Fabric(accelerator="cpu", devices=1)
    with pytest.raises(OptionError, match=r"epoch 1, step 3: 3 steps in a row .* lower learning rate"):
        fit(RECIPE, small_objective(), SometimesBlack(set(range(99))), RunFolder(tmp_path), fabric=fabric)
    assert not (tmp_path / "best.safetensors").exists()


@pytest.mark.parametrize("changes", [{}, {"sam": None, "optimizer": Optimizer(lr=1e30)}])
def test_the_corrected_command_may_use_the_folder_of_a_run_that_stopped_in_its_first_epoch(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    fabric, wrong = Fabric(accelerator="cpu", devices=1), replace(RECIPE, **changes)
    about: dict[str, Any] = {"data": "d", "images": {}, "command": ""}
    folder, broken = RunFolder(tmp_path), set() if changes else {*range(1, 99)}
    folder.begin(wrong, **about)
    with pytest.raises(OptionError, match="the same --out may be used"):
        fit(wrong, small_objective(), SometimesBlack(broken), folder, fabric=fabric, save_every=1)
    assert not (tmp_path / "last.pt").exists()
    right = replace(RECIPE, optimizer=Optimizer(lr=0.01))
    folder.begin(right, **about)
    assert len(fit(right, small_objective(), SometimesBlack(set()), folder, fabric=fabric)) == right.epochs


def test_a_run_that_stops_later_keeps_its_epochs(tmp_path: Path) -> None:
    fabric = Fabric(accelerator="cpu", devices=1)
    with pytest.raises(OptionError, match=r"another --out: .* keeps what was good until epoch 1"):
        fit(RECIPE, small_objective(), SometimesBlack(set(range(4, 99))), RunFolder(tmp_path), fabric=fabric)
    assert (tmp_path / "last.pt").exists()


def test_a_learning_rate_that_ruins_the_network_stops_with_advice(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"Try a lower learning rate"):
        run(replace(RECIPE, sam=None, optimizer=Optimizer(lr=1e30)), tmp_path)


def test_two_processes_end_as_one(tmp_path: Path) -> None:
    one = run(RECIPE, tmp_path / "one")
    script = Path(__file__).with_name("two_processes.py")
    command = [sys.executable, str(script), str(tmp_path / "two")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [json.loads(line) for line in (tmp_path / "two/metrics.jsonl").read_text().splitlines()]
    for mine, other in zip(one, lines, strict=True):
        assert other == pytest.approx(mine, abs=2e-4)
    first, second = (torch.load(tmp_path / name / "last.pt")["network"] for name in ("one", "two"))
    for name in first:
        torch.testing.assert_close(first[name], second[name], rtol=1e-4, atol=1e-5)


def test_it_stops_when_nothing_gets_better(tmp_path: Path) -> None:
    history = run(replace(RECIPE, epochs=9, patience=2, optimizer=Optimizer(lr=0.0)), tmp_path)
    assert len(history) == 3
    assert best_epoch(history, "accuracy") == 1


def test_what_is_frozen_stays(tmp_path: Path) -> None:
    before = small_network().state_dict()
    recipe = replace(RECIPE, ema_decay=0.0, frozen=("0.", "1."), frozen_statistics=("1",))
    run(recipe, tmp_path)
    after = torch.load(tmp_path / "last.pt")["network"]
    assert all(torch.equal(before[name], after[name]) for name in before if name[0] in "01")
    assert not torch.equal(before["6.weight"], after["6.weight"])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"frozen": ("backbone",)}, "no parameter of small begins with 'backbone'"),
        ({"frozen_statistics": ("5",)}, "no batch norm of small begins with '5'"),
        ({"optimizer": Optimizer(lr_multipliers={"head": 2.0})}, "no parameter of small begins with 'head'"),
        ({"frozen": ("",)}, "freezes all"),
        ({"batch": 64, "micro_batch": 0}, "batch 64 is larger than the training set of 48 images.*--set batch=48"),
    ],
)
def test_a_recipe_that_does_not_fit_says_why(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        run(replace(RECIPE, **changes), tmp_path)


def test_of_equally_accurate_epochs_the_surer_is_kept_then_the_earlier() -> None:
    pairs = [(0.7, 0.5), (0.8, 0.9), (0.8, 0.6), (0.8, 0.6), (0.75, 0.1)]
    history = [{"accuracy": accuracy, "validation_loss": loss} for accuracy, loss in pairs]
    assert best_epoch(history, "accuracy") == 3
    assert best_epoch(history[:2], "accuracy") == 2
