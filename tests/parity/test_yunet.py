"""Our YuNet computes what the published graph computes.

`yunet.npz` holds what ONNX Runtime gave for the published file of OpenCV's model zoo after its convolutions had
been filled by `filled`, on `image`: class and object probabilities, boxes and points of all cells.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mien.models.yunet import YuNet, YuNetConfig

HERE = Path(__file__).parent


def filled(shapes: list[list[int]]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Convolutions by rule, in the order of the graph."""
    rng = np.random.Generator(np.random.PCG64(0))
    found = []
    for i, (outputs, *rest) in enumerate(shapes):
        weight = rng.standard_normal((outputs, *rest)) * 1.4 / np.sqrt(np.prod(rest)) / (1 if i else 255)
        found.append((weight.astype(np.float32), (0.1 * rng.standard_normal(outputs)).astype(np.float32)))
    return found


def image() -> np.ndarray:
    """(2, 3, 64, 96) BGR in 0..255."""
    rng = np.random.Generator(np.random.PCG64(1))
    return rng.integers(0, 256, (2, 3, 64, 96)).astype(np.float32)


@pytest.fixture
def recipe() -> Any:
    pytest.importorskip("onnx")
    return import_module("research.yunet_slim.yunet_weights")


def test_the_published_graph_and_ours_give_the_same(recipe: Any) -> None:
    with np.load(HERE / "yunet.npz") as file:
        wanted = {name: file[name] for name in file.files}
    shapes = [[int(n) for n in row if n] for row in wanted.pop("shapes")]
    network = YuNet(YuNetConfig()).eval()
    network.load_state_dict(recipe.state_of(filled(shapes)))
    with torch.inference_mode():
        found = network(torch.from_numpy(image()[:, ::-1].copy()) / 255).transpose(1, 2).numpy()
    parts = {"cls": found[..., :1], "obj": found[..., 1:2], "bbox": found[..., 2:6], "kps": found[..., 6:]}
    for name, part in parts.items():
        value = 1 / (1 + np.exp(-np.clip(part, -60, 60))) if name in ("cls", "obj") else part
        np.testing.assert_allclose(value, wanted[name], atol=1e-4 * max(1, np.abs(wanted[name]).max()))
