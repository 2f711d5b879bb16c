"""The measurement of training on a GPU runs, at tiny sizes and without one."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import gpu


def measured(monkeypatch: pytest.MonkeyPatch, out: Path, *parts: str) -> dict[str, Any]:
    chosen = [word for part in parts for word in ("--part", part)]
    arguments = ["gpu.py", "--device", "cpu", "--tiny", "--seconds", "600", "--out", str(out), *chosen]
    monkeypatch.setattr(sys, "argv", arguments)
    gpu.main()
    result: dict[str, Any] = json.loads(out.read_text())
    return result


@pytest.mark.slow
def test_light_networks_are_trained_as_the_product_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "LIGHT", ("bare_backbone", "phanet"))
    parts = measured(monkeypatch, tmp_path / "out.json", "card", "recorded", "others", "streams", "processes")[
        "parts"
    ]
    assert parts["card"]["bf16 TFLOP/s"] > 0
    for row in parts["recorded"].values():
        assert row["recorded"]
        assert row["NaN skipped"]
        assert row["finite after it"]
        assert row["largest relative difference of a loss"] < 0.01
    row = parts["others"]["phanet"]["batch 4"]
    assert "errors" not in row
    assert set(row["images a second"]) == {"graph", "graph, without augmentation", "augmentation alone"}
    assert parts["streams"]["images a second, all together"]["streams"] > 0
    assert parts["processes"]["finished"] == 2


@pytest.mark.slow
def test_a_published_network_is_measured_in_both_forms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = measured(monkeypatch, tmp_path / "out.json", "card", "published poster_v2")
    row = result["parts"]["published poster_v2"]
    forms = ["published, float32", "published, TF32 convolutions", "ours, eager", "ours, graph"]
    assert list(row["ms"]) == forms
    assert "errors" not in row
    assert row["times, of float32"] > 0
    assert row["share of the matrix rate"] > 0


def test_a_part_that_fails_leaves_its_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: gpu.Run) -> dict[str, Any]:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(gpu, "card", broken)
    result = measured(monkeypatch, tmp_path / "out.json", "card")
    assert result["parts"]["card"]["error"].startswith("RuntimeError: out of memory (")
