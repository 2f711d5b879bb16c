from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("captum")

from torch import Tensor, nn

import mien
from mien.explanation.faithfulness import centre_prior, faithfulness
from mien.explanation.gradients import cam_layer, cell_sums, grad_cam, integrated_gradients
from mien.explanation.maps import resized
from mien.explanation.occlusion import GRID, hidden
from mien.models import build

FACE = np.random.default_rng(0).integers(0, 256, (48, 48, 3)).astype(np.uint8)
ROW, COLUMN = 3, 8
CELL = 48 // GRID


class OneCell(nn.Module):
    """Its first logit is the squared contrast within one cell, off the middle, which has a channel of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.inside = torch.zeros(48, 48)
        self.inside[ROW * CELL : (ROW + 1) * CELL, COLUMN * CELL : (COLUMN + 1) * CELL] = 1
        self.maps = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        squares = x.square().sum(dim=1)
        maps = self.maps(torch.stack([squares * self.inside, squares * (1 - self.inside)], dim=1))
        return maps.sum(dim=(2, 3)) / CELL**2


def tensor(faces: np.ndarray) -> Tensor:
    return torch.from_numpy(faces.transpose(0, 3, 1, 2).astype(np.float32) / 255 - 0.5)


def probability(faces: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return OneCell()(tensor(faces))[:, 0].clamp(max=1).numpy().astype(float)


@pytest.mark.parametrize("method", ["grad-cam", "integrated-gradients"])
def test_the_map_finds_the_evidence(method: str) -> None:
    network, x = OneCell(), tensor(FACE[None])
    if method == "grad-cam":
        cells = resized(grad_cam(network, x, 0), GRID)
    else:
        cells = integrated_gradients(network, x, tensor(hidden(FACE)[None]), 0)
    assert np.unravel_index(cells.argmax(), cells.shape) == (ROW, COLUMN)
    good, centre = faithfulness(probability, FACE, [cells, centre_prior()])
    assert good.insertion > centre.insertion
    assert good.deletion < centre.deletion


def test_integrated_gradients_sum_to_the_rise_of_the_logit() -> None:
    network, x, blurred = OneCell(), tensor(FACE[None]), tensor(hidden(FACE)[None])
    cells = integrated_gradients(network, x, blurred, 0)
    rise = (network(x) - network(blurred))[0, 0].detach()
    assert cells.sum() == pytest.approx(float(rise), rel=1e-3)


def test_the_map_of_the_flipped_face_is_flipped_back() -> None:
    network, x = OneCell(), tensor(FACE[None])
    both = resized(grad_cam(network, torch.cat([x, x.flip(-1)]), 0), GRID)
    assert both[ROW, COLUMN] > 0
    assert both[ROW, GRID - 1 - COLUMN] > 0  # where the flipped face has its evidence
    twice = grad_cam(network, torch.cat([x, x]), 1)
    np.testing.assert_allclose(twice, twice[:, ::-1], rtol=1e-6)


@pytest.mark.parametrize("name", ["poster", "poster_v2", "apvit", "phanet"])
def test_every_network_has_a_layer_for_grad_cam(name: str) -> None:
    network = build(name, config_name="light").eval().requires_grad_(False)
    x = torch.randn(1, 3, network.config.size_px, network.config.size_px)
    maps: list[tuple[int, ...]] = []
    handle = cam_layer(network, x).register_forward_hook(lambda _, __, output: maps.append(tuple(output.shape)))
    cam = grad_cam(network, x, 1)
    handle.remove()
    assert cam.shape == maps[0][2:]
    assert (cam >= 0).all()


def test_a_network_without_maps_has_no_grad_cam() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
    with pytest.raises(mien.OptionError, match="no layer"):
        cam_layer(network, torch.ones(1, 3, 2, 2))


def test_cells_add_up() -> None:
    pixels = np.random.default_rng(0).random((100, 100))
    assert cell_sums(pixels).sum() == pytest.approx(pixels.sum())
    assert cell_sums(np.ones((24, 24)))[0, 0] == 4


def test_explaining_by_gradients(astronaut: np.ndarray) -> None:
    (one,) = mien.explain(astronaut, weights="phanet", methods=["grad-cam", "integrated-gradients"], curves=False)
    cam, gradients = one.maps
    assert cam.kind == "positive"
    assert gradients.values.shape == (GRID, GRID)
    assert gradients.values[6:].max() > gradients.values[:4].max()  # a smile
