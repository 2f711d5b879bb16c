"""What a network shows of its inside, and that nobody else sees it."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mien.models import build, configure
from mien.nn.hooks import capture, hook, is_capturing
from mien.weights.official import convert_state
from tests.models.test_networks import NETWORKS, make, noise
from tests.parity import official

# Shapes of an image; "small" is POSTER with four blocks.
POSTER = {
    "landmarks.1": (64, 28, 28),
    "landmarks.2": (128, 14, 14),
    "landmarks.3": (512, 7, 7),
}
IR50 = {"image.1": (64, 56, 56), "image.2": (128, 28, 28), "image.3": (256, 14, 14)}
LIGHT_IMAGE = {"image.1": (64, 28, 28), "image.2": (128, 14, 14), "image.3": (512, 7, 7)}


def poster(width: int, heads: int, *, classes: int, token_mix: bool = True) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {f"tokens.{i}": (100, width) for i in range(4)}
    for i in range(4):
        for level in ("fine", "middle", "coarse"):
            for stream in ("image", "landmarks"):
                shapes[f"attention.block{i}.{level}.{stream}"] = (heads, 50, 50)
    if not token_mix:
        shapes["attention.block3.fine.image"] = (heads, 1, 50)
        del shapes["attention.block3.fine.landmarks"]
    return POSTER | shapes | {"features": (width,), "logits": (classes,)}


def poster_v2(
    levels: dict[int, tuple[int, int]], windows: dict[int, tuple[int, ...]], width: int, *, classes: int
) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for i, (channels, side) in levels.items():
        shapes |= {f"{part}.{i}": (channels, side, side) for part in ("image", "landmarks", "fused")}
        shapes[f"attention.level{i}"] = windows[i]
    tokens = 1 + 3 * levels[3][1] ** 2
    heads = 8 if width == 768 else 6
    shapes |= {"attention.block0": (heads, tokens, tokens), "attention.block1": (heads, 1, tokens)}
    return shapes | {"tokens": (tokens, width), "features": (width,), "logits": (classes,)}


def apvit(width: int, heads: int, *, classes: int) -> dict[str, tuple[int, ...]]:
    left = [160] * 5 + [144, 129, 116, 104]
    shapes: dict[str, tuple[int, ...]] = {
        "patch_scores": (196,),
        "kept_patches": (160,),
        "tokens": (161, width),
        "features": (width,),
        "logits": (classes,),
    }
    for i in range(8):
        shapes[f"attention.block{i}"] = (heads, 1 if i == 7 else 1 + left[i], 1 + left[i])
    for i in range(4, 8):
        shapes |= {f"token_scores.block{i}": (left[i],), f"kept_tokens.block{i}": (left[i + 1],)}
    return shapes


SHAPES: dict[str, tuple[str, dict[str, Any], dict[str, tuple[int, ...]]]] = {
    "poster small": ("poster", {"size": "small"}, IR50 | poster(512, 8, classes=7)),
    "poster small without mixing": (
        "poster",
        {"size": "small", "token_mix": False},
        IR50 | poster(512, 8, classes=7, token_mix=False),
    ),
    "poster light": ("poster", {"config_name": "light"}, LIGHT_IMAGE | poster(192, 6, classes=8)),
    "poster_v2": (
        "poster_v2",
        {},
        poster_v2(
            {1: (64, 28), 2: (128, 14), 3: (256, 7)},
            {1: (1, 2, 784, 784), 2: (1, 4, 196, 196), 3: (1, 8, 49, 49)},
            768,
            classes=7,
        ),
    ),
    "poster_v2 light": (
        "poster_v2",
        {"config_name": "light"},
        poster_v2(
            {1: (64, 24), 2: (128, 12), 3: (192, 6)},
            {1: (16, 2, 36, 36), 2: (4, 4, 36, 36), 3: (1, 6, 36, 36)},
            192,
            classes=8,
        ),
    ),
    "apvit": ("apvit", {}, IR50 | apvit(768, 8, classes=7)),
    "apvit light": (
        "apvit",
        {"config_name": "light"},
        {"image.1": (64, 28, 28), "image.2": (128, 14, 14)} | apvit(192, 6, classes=8),
    ),
}


@pytest.mark.parametrize("name", SHAPES)
@torch.no_grad()
def test_everything_has_its_name_and_shape(name: str) -> None:
    family, changes, shapes = SHAPES[name]
    network = build(family, **changes).eval()
    seen = network.intermediates(noise(2, getattr(network.config, "size_px", 112)))
    assert {key: tuple(value.shape) for key, value in seen.items()} == {
        key: (2, *shape) for key, shape in shapes.items()
    }


@pytest.fixture(scope="module", name="network", params=NETWORKS)
def one_network(request: pytest.FixtureRequest) -> Any:
    return make(request.param)


@torch.no_grad()
def test_watching_changes_no_answer(network: Any) -> None:
    x = noise(2)
    seen = network.intermediates(x)
    assert torch.equal(seen["logits"], network(x))
    assert torch.equal(seen["features"], network.features(x))


@torch.no_grad()
def test_what_a_query_takes_adds_up_to_one(network: Any) -> None:
    for name, weights in network.intermediates(noise(2)).items():
        if name.startswith("attention."):
            torch.testing.assert_close(weights.sum(dim=-1), torch.ones(weights.shape[:-1]), msg=name)


@torch.no_grad()
def test_no_faces_have_an_inside_of_the_same_names(network: Any) -> None:
    empty, one = network.intermediates(noise(2)[:0]), network.intermediates(noise(1))
    assert {name: (0, *value.shape[1:]) for name, value in one.items()} == {
        name: tuple(value.shape) for name, value in empty.items()
    }


def test_gradients_reach_what_is_shown(network: Any) -> None:
    seen = network.intermediates(noise(1))
    shown = [value for name, value in seen.items() if name.startswith(("image.", "tokens", "features"))]
    for gradient in torch.autograd.grad(seen["logits"].max(), shown):
        assert gradient.isfinite().all()


@torch.no_grad()
def test_apvit_shows_the_patches_that_the_official_code_keeps() -> None:
    state = official.state_of(official.FAMILIES["apvit"].layout(configure("apvit")))
    network = build("apvit").eval()
    network.load_state_dict(convert_state(state).state)
    seen = network.intermediates(official.images(112))
    shown = [seen["kept_patches"], *(seen[f"kept_tokens.block{i}"] for i in range(4, 8))]
    with np.load(official.HERE / "apvit_rafdb_7cls.npz") as file:
        expected = [file[key] for key in sorted(file) if key.startswith("kept_")]
    for found, wanted in zip(shown, expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_notes_are_heard_only_by_the_thread_that_records() -> None:
    heard = []

    def elsewhere() -> None:
        heard.append(is_capturing())
        hook("a", torch.zeros(1))

    with capture() as notes:
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        hook("a", torch.ones(1))
    assert heard == [False]
    assert notes == {"a": [torch.ones(1)]}
    assert not is_capturing()
