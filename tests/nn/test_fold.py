"""Folding changes speed, not answers."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn

from mien.models import build
from mien.nn.fold import folded
from mien.nn.linear import OneDnnLinear, OneDnnStreamLinear, StreamLinear
from tests.models.test_networks import NETWORKS, make, noise


def seasoned(network: Any) -> Any:
    """A network whose batch norms are far from the identity, as after training."""
    generator = torch.Generator().manual_seed(2)
    for norm in network.modules():
        if isinstance(norm, nn.BatchNorm2d):
            for tensor, low, high in (
                (norm.weight, 0.5, 1.5),
                (norm.bias, -0.5, 0.5),
                (norm.running_mean, -0.5, 0.5),
                (norm.running_var, 0.5, 1.5),
            ):
                tensor.data.uniform_(low, high, generator=generator)
    return network


@pytest.mark.parametrize("name", NETWORKS)
@torch.no_grad()
def test_a_folded_network_gives_the_same_logits(name: str) -> None:
    network = seasoned(make(name))
    fast, x = folded(network), noise(3)
    y = network(x)
    torch.testing.assert_close(fast(x), y, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(fast.intermediates(x)["logits"], y, rtol=1e-5, atol=1e-5)


def test_the_network_itself_stays_as_it_was() -> None:
    network = make("poster_v2 on ir50").train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    folded(network)
    assert network.training
    assert all(p.requires_grad for p in network.image_backbone.parameters())
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_only_batch_norms_before_a_padded_convolution_are_left() -> None:
    network = folded(build("apvit", width=64))
    left = [name for name, module in network.named_modules() if isinstance(module, nn.BatchNorm2d)]
    assert left == [
        f"image_backbone.body.{i}.{j}.res_layer.0" for i, units in enumerate((3, 4, 14)) for j in range(units)
    ]
    assert not [m for m in folded(build("poster", config_name="light")).modules() if isinstance(m, nn.BatchNorm2d)]


def test_a_folded_network_still_gives_gradients_of_its_input() -> None:
    network = make("poster")
    slopes = []
    for one in (network, folded(network)):
        x = noise(1).requires_grad_()
        one(x).max().backward()
        slopes.append(x.grad)
    torch.testing.assert_close(*slopes, rtol=1e-3, atol=1e-5)


def test_a_folded_network_compiles_and_is_traced_with_any_batch_size() -> None:
    network = folded(make("poster"))
    torch._dynamo.reset()
    compiled = torch.compile(network, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(noise(2)), network(noise(2)), rtol=0, atol=1e-5)
    batch = torch.export.Dim("batch")
    traced = torch.export.export(network, (noise(2),), dynamic_shapes={"x": {0: batch}}, strict=False)
    assert "mkldnn" not in str(traced.graph)
    torch.testing.assert_close(traced.module()(noise(5)), network(noise(5)), rtol=0, atol=1e-5)


@torch.no_grad()
def test_products_of_onednn_are_those_of_torch() -> None:
    linear, streams = nn.Linear(6, 4, bias=False), StreamLinear(6, 4)
    fast, fast_streams = OneDnnLinear(6, 4, bias=False), OneDnnStreamLinear(6, 4)
    fast.load_state_dict(linear.state_dict())
    fast_streams.load_state_dict(streams.state_dict())
    x = torch.randn(2, 3, 5, 6)
    torch.testing.assert_close(fast(x[0]), linear(x[0]))
    torch.testing.assert_close(fast(x[0, 0, 0]), linear(x[0, 0, 0]))
    torch.testing.assert_close(fast(x[0].mT.contiguous().mT), linear(x[0]))
    for count in (1, 2):
        torch.testing.assert_close(fast_streams(x[:count]), streams(x[:count]))
    assert fast.double()(x.double()).dtype == torch.float64
