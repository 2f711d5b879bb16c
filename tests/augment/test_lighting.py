from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from mien.augment.lighting import side_light
from mien.augment.presets import PRESETS


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_light_from_one_side_is_a_ramp_around_the_same_middle() -> None:
    x = torch.full((50, 3, 9, 9), 0.5)
    lit = side_light(x, rng(), p=1.0, strength=0.5)
    torch.testing.assert_close(lit[:, :, 4, 4], x[:, :, 4, 4])
    assert (lit[:, 0] == lit[:, 2]).all()
    torch.testing.assert_close(lit + lit.flip((2, 3)), 2 * x)  # as much brighter as the other side is darker
    assert lit.max() <= 1
    assert lit.min() >= 0
    assert lit.std(dim=(1, 2, 3)).max() > 0.05


def test_only_some_images_are_lit_and_the_same_ones_again() -> None:
    x = torch.rand(400, 3, 4, 4)
    lit = side_light(x, rng(3), p=0.25, strength=0.5)
    changed = (lit != x).flatten(1).any(dim=1).float().mean()
    assert 0.15 < changed < 0.35
    torch.testing.assert_close(lit, side_light(x, rng(3), p=0.25, strength=0.5))
    assert torch.equal(side_light(x, rng(), p=0.0, strength=0.5), x)


def test_the_preset_for_several_sources_runs_where_the_images_are() -> None:
    preset = PRESETS["multi-source"]
    assert preset.jpeg == 0
    canvases = torch.randint(0, 256, (4, 1, 192, 192), dtype=torch.uint8)
    batch = preset(canvases, torch.eye(4), rng(1), groups=torch.tensor([0, 0, 1, 1]))
    assert batch.images.shape == (4, 3, 96, 96)
    assert torch.isfinite(batch.images).all()
