from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from mien.augment import colours, cropping, degradations, occlusion
from mien.augment.colours import ColorJitter
from mien.augment.cropping import CenterCrop, RandomAffine, RandomResizedCrop
from mien.augment.mixing import Mixup, mix
from mien.augment.occlusion import RandomErasing
from mien.augment.presets import PRESETS, Augmentation, plain, preset
from mien.preprocess import Preprocess


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def canvases(count: int = 20, side: int = 192, channels: int = 3) -> torch.Tensor:
    """Smooth images, laid out as a store gives them."""
    small = torch.rand(count, channels, 12, 12, generator=rng(9))
    x = torch.nn.functional.interpolate(small, size=(side, side), mode="bilinear")
    return (x * 255).byte().permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)


TARGETS = torch.eye(8)[torch.arange(20) % 8]


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_preset_gives_a_batch_that_its_seed_repeats(name: str, channels: int) -> None:
    augmentation, x = PRESETS[name], canvases(channels=channels)
    before = x.clone()
    batch = augmentation(x, TARGETS, rng(1))
    side = augmentation.inputs.size_px
    assert batch.images.shape == (20, 3, side, side)
    assert batch.images.isfinite().all()
    torch.testing.assert_close(batch.images, augmentation(x, TARGETS, rng(1)).images)
    assert not torch.equal(batch.images, augmentation(x, TARGETS, rng(2)).images)
    torch.testing.assert_close(x, before)


def test_plain_is_what_prediction_sees() -> None:
    inputs, x = Preprocess(size_px=112), canvases()
    batch = plain(inputs)(x, TARGETS, rng())
    middle = x[:, :, 40:152, 40:152].permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(batch.images.numpy(), inputs.normalise(middle), atol=1e-5)
    bgr = replace(inputs, channels="bgr")
    np.testing.assert_allclose(plain(bgr)(x, TARGETS, rng()).images.numpy(), bgr.normalise(middle), atol=1e-5)


def test_posters_preset_for_raf_db_feeds_bgr_with_the_figures_of_rgb() -> None:
    x = canvases(2, side=384)
    y = plain(PRESETS["poster-raf-db"].inputs)(x, TARGETS[:2], rng()).images
    rgb = plain(Preprocess(size_px=224, mean=(0, 0, 0), std=(1, 1, 1)))(x, TARGETS[:2], rng()).images
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    torch.testing.assert_close(y, (rgb.flip(1) - mean) / std, atol=1e-4, rtol=0)


PLACES = [
    CenterCrop(flip=0.5),
    RandomAffine(rotate_deg=15, scale=(0.8, 1.2), shift=0.05, shear_deg=5),
    RandomResizedCrop(area=(0.5, 1.0), ratio=(0.8, 1.25), rotate_deg=20),
    RandomResizedCrop(area=(0.5, 1.0), rotate_deg=20, black_border=False),
]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: type(place).__name__)
@pytest.mark.parametrize("size", [112, 64])
def test_points_follow_their_pixels_through_every_kind_of_crop(place: object, size: int) -> None:
    canvas = torch.zeros(24, 1, 192, 192, dtype=torch.uint8)
    canvas[:, :, 95:100, 85:90] = 255
    crops, matrices = cropping.crop(canvas, size, rng(), place, aligned_px=112)
    moved = cropping.move_points(torch.tensor([[87.5, 97.5]]).repeat(24, 1, 1), matrices)[:, 0]
    y, x = torch.meshgrid(torch.arange(size) + 0.5, torch.arange(size) + 0.5, indexing="ij")
    mass = crops[:, 0].float()
    centre = torch.stack([(mass * x).sum((1, 2)), (mass * y).sum((1, 2))], 1) / mass.sum((1, 2))[:, None]
    torch.testing.assert_close(centre, moved, atol=0.2, rtol=0)


def test_a_black_crop_shows_nothing_from_outside_the_aligned_face() -> None:
    canvas = torch.full((10, 1, 192, 192), 255, dtype=torch.uint8)
    canvas[:, :, 40:152, 40:152] = 100
    config = RandomResizedCrop(area=(1, 1), rotate_deg=45)
    black, _ = cropping.random_resized_crop(canvas, 112, rng(), config)
    shown, _ = cropping.random_resized_crop(canvas, 112, rng(), replace(config, black_border=False))
    assert black.max() <= 100 / 255 + 1e-4
    assert (black == 0).any()
    assert shown.max() > 0.99


def test_flipped_says_which_images_were_flipped() -> None:
    x = canvases(40)
    batch = Augmentation(inputs=Preprocess(size_px=112), crop=CenterCrop(flip=0.5))(x, torch.eye(40), rng())
    still = plain(Preprocess(size_px=112))(x, torch.eye(40), rng()).images
    flipped = torch.where(batch.flipped[:, None, None, None], still.flip(-1), still)
    torch.testing.assert_close(batch.images, flipped)
    assert 8 < batch.flipped.sum() < 32


@pytest.mark.parametrize(
    "config", [RandomErasing(), RandomErasing(uniform_ratio=True, noise=True, area=(0.02, 0.33))]
)
def test_erasing_covers_as_large_and_as_many_rectangles_as_told(config: RandomErasing) -> None:
    x = occlusion.erase_(torch.ones(400, 3, 64, 64), rng(), config)
    gone = (x != 1).any(dim=1)
    share = gone.flatten(1).float().mean(dim=1)
    some = share > 0
    assert 0.42 < some.float().mean() < 0.58
    assert share[some].min() > config.area[0] * 0.8
    assert share[some].max() < config.area[1] * 1.1
    for image in gone[some][:20]:  # one full rectangle each
        rows, columns = image.any(dim=1).sum(), image.any(dim=0).sum()
        assert image.sum() == rows * columns
    values = x.permute(0, 2, 3, 1)[gone]
    if config.noise:
        assert abs(float(values.mean())) < 0.05
        assert abs(float(values.std()) - 1) < 0.05
    else:
        assert (values == 0).all()


def test_jitter_without_strength_changes_nothing_and_greys_by_luminance() -> None:
    x = torch.rand(6, 3, 8, 8, generator=rng())
    none = ColorJitter(brightness=0, contrast=0, saturation=0, hue=0)
    torch.testing.assert_close(colours.jitter(x, rng(), none), x, atol=1e-5, rtol=0)
    torch.testing.assert_close(
        colours.jitter(x, rng(), replace(none, grey=1.0)), colours.grey(x, rng(), p=1), atol=1e-5, rtol=0
    )
    bgr = colours.jitter(x, rng(), replace(none, grey=1.0, bgr=True))
    torch.testing.assert_close(bgr, colours.grey(x.flip(1), rng(), p=1), atol=1e-5, rtol=0)


@pytest.mark.parametrize("only", ["brightness", "contrast", "saturation"])
def test_each_jitter_is_its_formula(only: str) -> None:
    x = 0.3 + 0.2 * torch.rand(8, 3, 6, 6, generator=rng())  # far from the clip
    config = replace(ColorJitter(brightness=0, contrast=0, saturation=0, hue=0, p=1.0), **{only: 0.4})
    y = colours.jitter(x, rng(3), config)
    grey = (x * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)
    start = {"brightness": torch.zeros(()), "contrast": grey.mean(dim=(2, 3), keepdim=True), "saturation": grey}[
        only
    ]
    factor = (y - start).flatten(1).norm(dim=1) / (x - start).flatten(1).norm(dim=1)
    torch.testing.assert_close(y, start + (x - start) * factor.view(-1, 1, 1, 1), atol=1e-5, rtol=0)
    assert factor.min() >= 0.6 - 1e-4
    assert factor.max() <= 1.4 + 1e-4
    assert factor.std() > 0.05


def test_hue_keeps_luminance() -> None:
    x = 0.4 + 0.2 * torch.rand(8, 3, 6, 6, generator=rng())
    y = colours.jitter(x, rng(), ColorJitter(brightness=0, contrast=0, saturation=0, hue=0.1, p=1.0))
    weights = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    torch.testing.assert_close((x * weights).sum(1), (y * weights).sum(1), atol=1e-3, rtol=0)
    assert (x - y).abs().max() > 0.01


def test_camera_noise_has_the_strength_of_its_own_resolution() -> None:
    x = torch.full((200, 3, 32, 32), 0.5)
    y = degradations.camera_noise(x, rng(), p=0.25, sigma=0.02, at_px=32)
    changed = (y != x).flatten(1).any(dim=1)
    assert 0.15 < changed.float().mean() < 0.35
    assert float((y - x)[changed].std()) == pytest.approx(0.02, abs=0.001)


def test_mixed_labels_are_distributions_that_say_how_much_is_seen() -> None:
    b = 30
    x = torch.arange(b).float().view(-1, 1, 1, 1).expand(-1, 1, 20, 20) / b  # every image has its own value
    y, mixed = mix(x, rng(), Mixup(alpha=0.4))
    labels = mixed.labels(torch.eye(b))
    torch.testing.assert_close(labels.sum(dim=1), torch.ones(b))
    torch.testing.assert_close(y.mean(dim=(1, 2, 3)), labels @ (torch.arange(b).float() / b), atol=1e-4, rtol=0)
    assert (mixed.own < 0.99).any()


def test_a_share_of_zero_mixes_nothing() -> None:
    x = torch.rand(5, 3, 8, 8, generator=rng())
    y, mixed = mix(x, rng(), Mixup(p=0.0))
    torch.testing.assert_close(y, x)
    torch.testing.assert_close(mixed.labels(torch.eye(5)), torch.eye(5))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", PRESETS)
def test_presets_run_where_the_batch_lives(name: str) -> None:
    batch = PRESETS[name](canvases().cuda(), TARGETS.cuda(), rng())
    assert batch.images.is_cuda
    assert batch.targets.is_cuda


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_takes_images_as_their_set_has_them(name: str) -> None:
    augmentation = preset(name, template="image")
    assert augmentation.inputs.template == "image"
    batch = augmentation(canvases(side=100), TARGETS, rng(1))
    assert batch.images.shape[2:] == (augmentation.inputs.size_px,) * 2
    assert batch.images.isfinite().all()


@pytest.mark.parametrize("name", ["poster", "poster-raf-db", "poster_v2", "apvit"])
def test_without_augmentation_a_batch_is_what_the_authors_feed(name: str) -> None:
    inputs, x = preset(name, template="image").inputs, canvases(side=100)
    x = torch.randint(0, 256, x.shape, generator=rng(3), dtype=torch.uint8)
    batch = plain(inputs)(x, TARGETS, rng()).images
    side = (inputs.size_px, inputs.size_px)
    for image, fed in zip(x.permute(0, 2, 3, 1).numpy(), batch, strict=True):
        resized = np.asarray(Image.fromarray(image).resize(side, Image.Resampling.BILINEAR), dtype=np.float32) / 255
        order = (2, 1, 0) if inputs.channels == "bgr" else (0, 1, 2)
        theirs = (resized - np.array(inputs.mean)) / np.array(inputs.std)
        step = 1 / 255 / np.array(inputs.std)
        apart = np.abs(fed.permute(1, 2, 0).numpy() - theirs[..., order])
        assert (apart <= step[list(order)] + 1e-4).all()  # a rounding step


def test_posters_noise_is_drawn_at_the_size_of_the_sets_images() -> None:
    grey = torch.full((400, 1, 100, 100), 128, dtype=torch.uint8)
    noisy = replace(preset("poster", template="image"), erase=None)
    images = noisy(grey, torch.eye(8)[torch.zeros(400, dtype=torch.long)], rng()).images
    changed = images.sub(images.mean(dim=(2, 3), keepdim=True)).abs().flatten(1).max(dim=1).values > 1e-4
    assert 0.15 < changed.float().mean() < 0.35
    small = torch.nn.functional.interpolate(torch.randn(50, 3, 100, 100, generator=rng()), size=(224, 224),
                                            mode="bilinear", antialias=True)  # fmt: skip
    strength = images[changed][:, 0].std() * 0.229 * 255
    assert float(strength) == pytest.approx(30**0.5 * float(small.std()), rel=0.03)


def test_beyond_an_image_as_its_set_has_it_apvit_sees_black_and_others_its_edge() -> None:
    white = torch.full((50, 1, 100, 100), 255, dtype=torch.uint8)
    turned = RandomResizedCrop(area=(1.0, 1.0), rotate_deg=20, flip=0.0)
    black, _ = cropping.crop(white, 112, rng(), turned, aligned_px=100)
    edge, _ = cropping.crop(white, 112, rng(), replace(turned, black_border=False), aligned_px=100)
    assert black.min() == 0
    torch.testing.assert_close(edge, torch.ones_like(edge))
