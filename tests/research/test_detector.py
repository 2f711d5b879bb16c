"""The detector's training on composites of noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from research.yunet_slim.export import main as export
from research.yunet_slim.losses import assign, box_loss, distillation, intermediates, iou
from research.yunet_slim.slimming import CONFIG, slimmed
from research.yunet_slim.train import SHARES, main
from safetensors.torch import load_file, save_file

from mien.faces.yunet import grid
from mien.models.yunet import YuNet, YuNetConfig


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """One face per source, and a background."""
    rng, folder = np.random.default_rng(0), tmp_path / "data"
    folder.mkdir()
    for name in SHARES:
        np.savez(
            folder / f"{name}.npz",
            images=rng.integers(0, 256, (1, 80, 80, 3), dtype=np.uint8),
            boxes=np.array([[20, 20, 60, 60]], np.float32),
            points=np.array([[[30, 32], [50, 32], [40, 42], [33, 52], [47, 52]]], np.float32),
        )
    np.savez(folder / "backgrounds.npz", np.zeros((300, 300, 3), np.uint8))
    return folder


def test_a_slimmed_network_without_redundant_channels_computes_the_same() -> None:
    torch.manual_seed(0)
    wide = YuNet(YuNetConfig()).eval()
    with torch.no_grad():
        for layer in (2, 4):  # the second half of the channels repeats the first
            for part in wide.at_quarter[layer]:
                part.weight.copy_(part.weight[:32].repeat(2, 1, 1, 1))
                part.bias.copy_(part.bias[:32].repeat(2))
    x = torch.rand(2, 3, 64, 64)
    slim = YuNet(CONFIG).eval()
    slim.load_state_dict(slimmed(wide, x))
    with torch.no_grad():
        torch.testing.assert_close(slim(x), wide(x), atol=1e-3, rtol=1e-3)


def test_losses_vanish_where_nothing_differs() -> None:
    boxes = torch.tensor([[0.0, 0, 10, 10], [5, 5, 9, 20]])
    torch.testing.assert_close(box_loss(boxes, boxes), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(iou(boxes[:1], torch.tensor([[0.0, 0, 10, 5]])), torch.tensor([0.5]))
    network = YuNet(CONFIG).eval()
    same = intermediates(network, torch.rand(1, 3, 64, 64))
    losses = distillation(same, same)
    assert [round(losses[name].item(), 6) for name in ("maps", "box", "points")] == [0, 0, 0]


def test_the_cells_of_a_face_are_assigned_to_it() -> None:
    corners, strides = (torch.from_numpy(part).float() for part in grid(64, 64))
    truth = torch.tensor([[8.0, 8, 40, 40]])
    cells, faces = assign(torch.full((len(strides),), 0.5), truth.expand(len(strides), 4), truth, corners, strides)
    centres = corners[cells] * strides[cells, None]
    assert len(cells) > 0
    assert (faces == 0).all()
    assert ((centres > 8) & (centres < 40)).all()


@pytest.mark.filterwarnings("ignore")  # of torch's exporter
def test_a_network_trains_and_is_exported(data: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    start, out = tmp_path / "start.safetensors", tmp_path / "run"
    save_file(YuNet(CONFIG).state_dict(), start)
    options = ["--steps", "1", "--batch", "2", "--rolled", "1", "--corrupt", "1", "--size", "128"]
    main(["--data", str(data), "--pretrained", str(start), "--out", str(out), *options])
    trained, before = load_file(out / "weights.safetensors"), load_file(start)
    assert not torch.equal(trained["stem.weight"], before["stem.weight"])
    export(["--weights", str(out / "weights.safetensors"), "--shift", "1", "--out", str(tmp_path / "files")])
    exported = load_file(tmp_path / "files/yunet-slim.safetensors")
    torch.testing.assert_close(exported["heads.0.1.bias"][:2], trained["heads.0.1.bias"][:2] + 1)
    assert (tmp_path / "files/yunet-slim.onnx").is_file()
