"""What holds for all networks alike."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn

from mien.models import build
from mien.models.phanet import PhaNet

NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "poster": ("poster", {"config_name": "light"}),
    "poster without mixing": ("poster", {"config_name": "light", "token_mix": False}),
    "poster on ir50": ("poster", {"size": "small", "width": 64}),
    "poster_v2": ("poster_v2", {"config_name": "light"}),
    "poster_v2 on ir50": ("poster_v2", {"width": 64}),
    "apvit": ("apvit", {"config_name": "light"}),
    "apvit on ir50": ("apvit", {"width": 64}),
    "phanet": ("phanet", {"config_name": "light", "size_px": 112}),
    "phanet on densenet": ("phanet", {"config_name": "small", "size_px": 112}),
    "phanet on ir50": ("phanet", {"backbone": "ir50", "width": 64, "size_px": 112}),
    "phanet, means of the scales": (
        "phanet",
        {"config_name": "light", "size_px": 112, "attention": False, "scale_selection": False, "poses": 0},
    ),
    "phanet without poses": ("phanet", {"config_name": "light", "size_px": 112, "poses": 0}),
    "phanet, two scales kept": ("phanet", {"config_name": "small", "size_px": 112, "select": 2}),
    "bare backbone": ("bare_backbone", {}),
    "bare backbone, light": ("bare_backbone", {"config_name": "light", "size_px": 112}),
}


def make(name: str, **changes: Any) -> Any:
    """A network in eval mode whose head is not zero."""
    torch.manual_seed(0)
    family, options = NETWORKS[name]
    network = build(family, **options | changes).eval()
    nn.init.normal_(network.head.weight, std=0.1)
    return network


def noise(count: int, side_px: int = 112) -> Tensor:
    return torch.randn(count, 3, side_px, side_px, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module", params=NETWORKS)
def network(request: pytest.FixtureRequest) -> Any:
    return make(request.param)


@torch.no_grad()
def test_an_image_alone_gives_the_row_that_it_has_in_a_batch(network: Any) -> None:
    x = noise(3)
    batch = network(x)
    for i in range(3):
        torch.testing.assert_close(network(x[i : i + 1]), batch[i : i + 1], rtol=0, atol=1e-5)


@torch.no_grad()
def test_the_head_reads_the_features(network: Any) -> None:
    x = noise(2)
    features = network.features(x)
    assert features.shape == (2, network.head.in_features)
    torch.testing.assert_close(network.head(features), network(x))


@torch.no_grad()
def test_memory_layout_of_input_and_weights_does_not_matter(network: Any) -> None:
    x = noise(2)
    y = network(x)
    last = x.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(network(last), y, rtol=0, atol=1e-5)
    network.to(memory_format=torch.channels_last)
    torch.testing.assert_close(network(last), y, rtol=0, atol=1e-5)
    network.to(memory_format=torch.contiguous_format)


def test_a_gradient_reaches_every_trainable_parameter_and_no_frozen_one(network: Any) -> None:
    outputs = [network(noise(2))]
    if isinstance(network, PhaNet):  # its further heads are read by the joint loss only
        joint = network.joint(noise(2))
        outputs += [*joint.auxiliary, *([] if joint.pose_logits is None else [joint.pose_logits])]
    torch.stack([y.square().sum() for y in outputs]).sum().backward()
    for name, parameter in network.named_parameters():
        frozen = name.startswith("landmark_backbone.")
        assert parameter.requires_grad == (not frozen)
        assert (parameter.grad is None) == frozen, name
    network.zero_grad()


@pytest.mark.parametrize("family", ["poster", "poster_v2"])
@torch.no_grad()
def test_of_twice_the_side_every_second_pixel_is_read(family: str) -> None:
    network = make(family)
    side = getattr(network.config, "size_px", 112)
    x = noise(2, 2 * side)
    assert torch.equal(network(x), network(x[..., ::2, ::2].contiguous()))
    resized = nn.functional.interpolate(noise(1, 150), size=(side, side), mode="nearest")
    assert torch.equal(network(noise(1, 150)), network(resized))


@pytest.mark.parametrize("family", ["poster", "poster_v2", "apvit"])
def test_light_forms_have_three_to_six_million_parameters(family: str) -> None:
    assert 3e6 < sum(p.numel() for p in build(family, config_name="light").parameters()) < 6e6


def test_published_forms_hold_what_the_official_forward_pass_reaches() -> None:
    published = {  # millions of parameters with the dead ones taken off
        ("poster", ()): 58.91,
        ("poster", (("size", "base"),)): 49.10,
        ("poster", (("size", "small"), ("token_mix", False))): 39.16,
        ("poster_v2", ()): 43.75,
        ("apvit", ()): 65.21,
    }
    for (family, changes), millions in published.items():
        with torch.device("meta"):
            count = sum(p.numel() for p in build(family, **dict(changes)).parameters())
        assert round(count / 1e6, 2) == millions


def test_layer_norms_have_the_published_epsilons() -> None:
    """They differ by less than a test on outputs would see."""
    from mien.models.poster import StreamNorm

    with torch.device("meta"):
        poster, poster_v2, apvit = build("poster"), build("poster_v2"), build("apvit")
    for network in (poster, apvit):
        norms = [m for m in network.modules() if isinstance(m, nn.LayerNorm | StreamNorm)]
        assert {norm.eps for norm in norms} == {1e-6}
    for name, module in poster_v2.named_modules():
        if isinstance(module, nn.LayerNorm):
            assert module.eps == (1e-5 if name.startswith("levels.") else 1e-6)
