"""Runs resume exactly, and a folder holds one run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from research.run import Run
from safetensors.torch import load_file

from mien.errors import OptionError


def begin(out: Path, **options: Any) -> Run:
    torch.manual_seed(0)
    return Run(torch.nn.Conv2d(3, 2, 1), out, steps=6, lr=0.1, options={"lr": 0.1} | options)


def train(run: Run, *, until: int = 6) -> None:
    for step in run:
        x = torch.randn(4, 3, 2, 2, generator=torch.Generator().manual_seed(step))
        run.update({"square": run.network(x).square().mean()})
        if run.due(2):
            run.save(metric=1.0)
        if run.step == until:
            return


def test_an_interrupted_run_ends_as_one_that_was_not(tmp_path: Path) -> None:
    train(begin(tmp_path / "whole"))
    train(begin(tmp_path / "broken"), until=3)
    resumed = begin(tmp_path / "broken")
    assert resumed.step == 2
    train(resumed)
    whole, broken = (load_file(tmp_path / name / "weights.safetensors") for name in ("whole", "broken"))
    assert all(torch.equal(whole[name], value) for name, value in broken.items())
    assert [line["step"] for line in resumed.history] == [2, 4, 6]
    assert (tmp_path / "broken/metrics.jsonl").read_text().count('"square"') == 3


def test_a_finished_run_is_not_repeated(tmp_path: Path) -> None:
    train(begin(tmp_path))
    assert list(begin(tmp_path)) == []


def test_other_options_are_refused(tmp_path: Path) -> None:
    begin(tmp_path)
    with pytest.raises(OptionError, match=r"holds another run: lr was 0\.1, now 0\.2"):
        begin(tmp_path, lr=0.2)
