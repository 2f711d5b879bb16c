"""The ablation of PhaNet on a handful of fabricated faces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from research.experiments import phanet_ablation
from research.experiments.phanet_ablation import CONFIGURATIONS, accuracy_table, main, markdown, recipe

from mien.models import configure
from mien.prepared.store import PreparedStore
from tests.research.fabricated import prepared


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_a_configuration_differs_from_the_full_network_in_its_parts_alone(name: str) -> None:
    parts = CONFIGURATIONS[name]
    made, full = recipe(name, 3), recipe("full", 3)
    assert dict(made.model_kwargs) == {**full.model_kwargs, **parts}
    assert (made.poses == "") == (parts.get("poses") == 0)
    assert (made.seed, made.epochs, made.optimizer) == (full.seed, full.epochs, full.optimizer)
    configure("phanet", config_name="light", **made.model_kwargs)  # raises for a field that does not exist


def test_the_table_has_a_row_for_each_configuration_and_one_for_each_yaw() -> None:
    one = np.array([[1.0, np.nan], [0.5, 0.5], [0, 0], [0, 0], [0.25, 0.75]])
    lines = markdown({name: [one, one] for name in CONFIGURATIONS}, ("anger", "fear")).splitlines()
    rows = len(CONFIGURATIONS)
    assert lines[0] == "| configuration | mean over poses | -90° | -45° | 0° | 45° | 90° |"
    assert [line.split(" | ")[0] for line in lines[2 : 2 + rows]] == [f"| {name}" for name in CONFIGURATIONS]
    assert lines[2] == "| full | 40.0 ± 0.0 | 100.0 | 50.0 | 0.0 | 0.0 | 50.0 |"
    assert lines[3 + rows] == "| yaw | anger | fear |"
    assert lines[-1] == "| 90° | 25 | 75 |"


@pytest.mark.slow
def test_every_configuration_trains_once_and_is_evaluated_on_the_test_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data, out = prepared(tmp_path, "rendered"), tmp_path / "runs"
    monkeypatch.setattr(
        phanet_ablation, "CONFIGURATIONS", {name: CONFIGURATIONS[name] for name in ("full", "bare-backbone")}
    )
    command = ["--data", str(data), "--out", str(out), "--seeds", "1", "--epochs", "1", "--batch", "2"]
    main(command)
    first = capsys.readouterr().out
    main(command)
    assert capsys.readouterr().out == first
    table = accuracy_table(out / "full-0", PreparedStore(data).of("test"))
    assert np.isfinite(table[[1, 2, 3]]).any(axis=1).all()
    assert np.isnan(table[[0, 4]]).all()
