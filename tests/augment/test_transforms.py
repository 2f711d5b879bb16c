"""Random crops keep points on their pixels; random changes keep shape, range, original and seed."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mien.augment import colours, cropping, degradations, occlusion
from mien.augment.cropping import RandomAffine

STILL = RandomAffine(rotate_deg=0, scale=(1, 1), shift=0, flip=0)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_an_untouched_placement_is_the_middle_of_the_canvas() -> None:
    canvas = torch.randint(0, 256, (2, 3, 48, 48), dtype=torch.uint8, generator=rng())
    crops, matrices = cropping.random_affine(canvas, 32, rng(), STILL, aligned_px=32)
    torch.testing.assert_close(crops, canvas[:, :, 8:40, 8:40].float() / 255, atol=1e-5, rtol=0)
    torch.testing.assert_close(matrices[0], torch.tensor([[1.0, 0, -8], [0, 1, -8]]))


def test_points_move_with_the_pixels() -> None:
    # one bright pixel: where the matrix says it goes, it is seen
    canvas = torch.zeros(32, 1, 96, 96, dtype=torch.uint8)
    canvas[:, :, 50:53, 40:43] = 255
    config = RandomAffine(rotate_deg=15, scale=(0.8, 1.2), shift=0.05, flip=0.5)
    crops, matrices = cropping.random_affine(canvas, 64, rng(), config, aligned_px=48)
    moved = cropping.move_points(torch.full((32, 1, 2), 0.0) + torch.tensor([41.5, 51.5]), matrices)[:, 0]
    y, x = torch.meshgrid(torch.arange(64) + 0.5, torch.arange(64) + 0.5, indexing="ij")
    mass = crops[:, 0]
    centre = torch.stack([(mass * x).sum((1, 2)), (mass * y).sum((1, 2))], 1) / mass.sum((1, 2))[:, None]
    torch.testing.assert_close(centre, moved, atol=0.15, rtol=0)


def test_half_of_the_faces_are_flipped() -> None:
    canvas = torch.zeros(200, 1, 16, 16, dtype=torch.uint8)
    canvas[..., :8] = 255  # bright left
    crops, _ = cropping.random_affine(
        canvas, 16, rng(), RandomAffine(rotate_deg=0, scale=(1, 1), shift=0, flip=0.5), aligned_px=16
    )
    flipped = (crops[:, 0, 8, 12] > 0.5).float().mean()
    assert 0.4 < flipped < 0.6


CHANGES = {
    "low_resolution": lambda x, g: degradations.low_resolution(x, g, p=1, least_px=8),
    "blur": lambda x, g: degradations.blur(x, g, p=1, sigma_px=2),
    "jpeg": lambda x, g: degradations.jpeg(x, g, p=1, quality=(10, 30)),
    "colour": lambda x, g: colours.colour(x, g, brightness=0.4, contrast=0.4, channel_gain=0.2, gamma=0.3),
    "grey": lambda x, g: colours.grey(x, g, p=1),
    "noise": lambda x, g: degradations.noise(x, g, p=1, sigma=0.1),
    "occlude": lambda x, g: occlusion.occlude(x, g, p=1, area=(0.05, 0.2)),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_keeps_shape_and_range_and_the_original(name: str) -> None:
    x = torch.rand(6, 3, 32, 32, generator=rng())
    before = x.clone()
    y = CHANGES[name](x, rng(1))
    assert y.shape == x.shape
    assert y.min() >= -1e-6
    assert y.max() <= 1 + 1e-6
    assert (y != x).flatten(1).any(dim=1).all()
    torch.testing.assert_close(x, before)


@pytest.mark.parametrize("name", CHANGES)
def test_the_same_seed_makes_the_same_change(name: str) -> None:
    x = torch.rand(4, 3, 32, 32, generator=rng())
    torch.testing.assert_close(CHANGES[name](x, rng(2)), CHANGES[name](x, rng(2)))


def test_share_zero_changes_nothing() -> None:
    x = torch.rand(4, 3, 32, 32, generator=rng())
    torch.testing.assert_close(degradations.blur(x, rng(), p=0, sigma_px=2), x)
    torch.testing.assert_close(occlusion.occlude(x, rng(), p=0, area=(0.1, 0.2)), x)


def test_blurring_an_even_image_changes_nothing() -> None:
    x = torch.full((2, 3, 20, 20), 0.4)
    torch.testing.assert_close(degradations.blur(x, rng(), p=1, sigma_px=3), x)


def test_grey_is_the_luminance() -> None:
    x = torch.zeros(1, 3, 2, 2)
    x[:, 1] = 1
    torch.testing.assert_close(colours.grey(x, rng(), p=1), torch.full((1, 3, 2, 2), 0.587))


def test_images_below_the_least_side_are_not_shrunk() -> None:
    x = torch.rand(4, 3, 8, 8)
    assert torch.equal(degradations.low_resolution(x, torch.Generator().manual_seed(0), p=1, least_px=24), x)


def test_occlusion_of_all_images_at_once_covers_as_occlusion_one_by_one() -> None:
    x = torch.full((400, 3, 40, 40), 0.5)
    shares = []
    for occlude in (occlusion.occlude, occlusion.occlude_together):
        y = occlude(x, rng(), p=0.4, area=(0.05, 0.2))
        inside = (y != x).any(dim=1)  # (B, H, W)
        covered = inside.flatten(1).float().mean(dim=1)
        chosen = covered > 0
        rows, columns = inside.any(dim=2).sum(dim=1), inside.any(dim=1).sum(dim=1)
        assert torch.equal(inside.flatten(1).sum(dim=1), rows * columns)  # rectangles
        noisy = [len(image[:, mask].unique(dim=1).T) > 1 for image, mask in zip(y, inside, strict=True)]
        shares.append((chosen.float().mean(), covered[chosen].mean(), np.mean(noisy) / chosen.float().mean()))
    for one, other in zip(*shares, strict=True):
        assert float(one) == pytest.approx(float(other), abs=0.08)
