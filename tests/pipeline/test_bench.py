"""`mien bench` measures, says what to choose and draws."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import mien
from mien.cli.app import run
from mien.nn.onnx_session import matrix_product_session
from mien.pipeline.bench import MILLION_PRODUCTS, NetworkSpeed, advise

SPEED = NetworkSpeed(
    network="default", precision="float32", threads=1, batch=1, ms_per_face=12.0, billion_products_s=40.0,
    products_per_byte=30.0, share=0.8,
)  # fmt: skip


def test_the_command_measures_writes_and_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    files = ["--json", str(tmp_path / "a.json"), "--plot", str(tmp_path / "a.png")]
    assert run(["bench", "landmarks68", "--seconds", "0.001", "--quiet", *files]) == 0
    shown = capsys.readouterr().out
    assert "matrix product" in shown
    assert "precision:" in shown
    result = json.loads((tmp_path / "a.json").read_text())
    assert {one["precision"] for one in result["networks"]} == {"float32", "int8"}
    assert all(one["ms_per_face"] > 0 for one in result["networks"])
    assert [stages["faces"] for stages in result["stages_ms"].values()] == [1, 8]
    assert (tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG"
    assert run(["bench", "landmarks", "--quiet"]) == 2
    assert run(["bench", "--plot", str(tmp_path / "a.txt")]) == 2


def test_advice_follows_the_figures() -> None:
    faster = replace(SPEED, precision="int8", ms_per_face=6.0)
    assert advise((SPEED, faster), 1) == ("precision: int8, 2.0 times the faces per core of float32",)
    assert advise((SPEED, replace(faster, ms_per_face=13.0)), 1)[0].startswith("precision: float32")
    two = advise((SPEED, replace(SPEED, threads=2, ms_per_face=7.0)), 2)
    assert two[1] == "one photo at a time: 2 threads (7.0 ms a face, 12.0 on one)"


def test_the_product_is_a_product() -> None:
    a, b = np.random.default_rng(0).normal(size=(2, 300, 300)).astype(np.float32)
    (product,) = matrix_product_session(300, threads=1).run(None, {"a": a, "b": b})
    np.testing.assert_allclose(product, a @ b, atol=1e-3)


@pytest.mark.parametrize("name", MILLION_PRODUCTS)
def test_products_are_those_of_torch(name: str) -> None:
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    network = mien.load_network(name)
    side = network.manifest.inputs.size_px  # type: ignore[union-attr]
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, 3, side, side))
    assert round(counter.get_total_flops() / 2e6) == MILLION_PRODUCTS[name]
