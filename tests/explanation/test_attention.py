from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn

import mien
from mien.explanation.attention import _contributions, attention_maps, has_attention
from mien.explanation.maps import AttentionMaps
from mien.explanation.sheet import draw_sheet
from mien.explanation.torch_maps import TorchMaps
from mien.models import build
from mien.weights.fill import load_network
from mien.weights.manifest import load_manifest

CHEAP = ["phanet", "poster_v2"]


def maps_of(name: str, **changes: Any) -> tuple[nn.Module, AttentionMaps]:
    torch.manual_seed(0)
    network = build(name, config_name="light", **changes).eval()
    return network, attention_maps(network, torch.randn(1, 3, network.config.size_px, network.config.size_px))


def test_cross_attention_of_every_level_averages_to_an_even_one() -> None:
    network, attention = maps_of("poster_v2")
    every, *levels, token = attention.maps
    assert [len(one.values) for one in levels] == list(network.config.grids)
    assert len(every.values) == network.config.grids[0]
    assert len(token.values) == network.config.grids[2]
    for one in [*levels, token]:
        assert one.values.mean() == pytest.approx(1, abs=1e-5)
        assert (one.values >= 0).all()
    assert attention.arrays["class_token_shares"].sum() == pytest.approx(1, abs=1e-5)


def test_windows_of_cross_attention_lie_where_they_were_cut() -> None:
    """A landmark query attends within its window: each window of the map averages to 1."""
    network, attention = maps_of("poster_v2")
    side = network.config.windows[0]
    fine = attention.maps[1].values
    cut = fine.reshape(len(fine) // side, side, len(fine) // side, side)
    np.testing.assert_allclose(cut.mean(axis=(1, 3)), 1, atol=1e-5)


def test_poster_shows_each_level_and_stream() -> None:
    _, attention = maps_of("poster")
    parts = [one.part for one in attention.maps]
    assert parts[0] == "all levels"
    assert parts[1:] == [
        f"{level} level, {name}" for level in ("fine", "middle", "coarse") for name in ("image", "landmarks")
    ]
    for one in attention.maps[1:]:
        assert one.values.mean() == pytest.approx(1, abs=1e-5)


def test_image_tokens_without_a_position_are_not_shown() -> None:
    network = build("poster", size="small").eval()
    attention = attention_maps(network, torch.randn(1, 3, 112, 112))
    assert [one.part for one in attention.maps[1:]] == [
        f"{level} level, landmarks" for level in ("fine", "middle", "coarse")
    ]
    assert "no position" in attention.note


def test_what_tokens_add_to_a_coarser_one_is_its_convolution() -> None:
    conv = nn.Conv1d(3, 3, 2, stride=2, bias=False)
    tokens = torch.zeros(3, 8)
    tokens[1] = torch.randn(8)
    np.testing.assert_allclose(
        _contributions(conv.weight, tokens)[:, 1].detach(), conv(tokens[None])[0].norm(dim=1).detach(), rtol=1e-5
    )


def test_apvit_shows_as_many_cells_as_it_keeps() -> None:
    network, attention = maps_of("apvit")
    every, *poolings = attention.maps
    left, counts = network.config.keep_patches, []
    for rate in network.config.keep_rates:
        counts += [int(left * rate)] if rate < 1 else []
        left = int(left * rate)
    assert [one.values.sum() for one in poolings] == [network.config.keep_patches, *counts]
    for earlier, later in pairwise(poolings):
        assert (later.values <= earlier.values).all()  # a cell that was dropped stays so
    np.testing.assert_array_equal(every.values, sum(one.values for one in poolings))


def test_phanet_shows_masks_weights_and_pose() -> None:
    network, attention = maps_of("phanet")
    _, *masks = attention.maps
    assert [one.values.shape for one in masks] == [(24, 24), (12, 12), (6, 6)]
    assert all(0 <= one.values.min() <= one.values.max() <= 1 for one in attention.maps)
    assert attention.arrays["scale_weights"].sum() == pytest.approx(1, abs=1e-5)
    assert attention.arrays["pose"].shape == (5,)
    assert "pose class" in attention.note
    assert not has_attention(build("phanet", config_name="light", attention=False))
    _, without = maps_of("phanet", poses=0)
    assert "pose" not in without.arrays


def test_recording_changes_no_output() -> None:
    for name in CHEAP:
        network = load_network(name)
        x = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            before = network(x)
            attention_maps(network, x[:1])
            assert torch.equal(network.intermediates(x)["logits"], before)
            assert torch.equal(network(x), before)


class Own(nn.Module):
    """A network of a user's own."""

    def attention_maps(self, x: Tensor) -> dict[str, Tensor]:
        return {"gate": x.mean(dim=1).abs()}


def test_a_network_of_ones_own_can_have_attention() -> None:
    (one,) = attention_maps(Own(), torch.ones(1, 3, 8, 8)).maps
    assert one.key == "attention/gate"
    assert one.values.shape == (8, 8)
    with pytest.raises(mien.OptionError, match="no attention"):
        attention_maps(nn.Identity(), torch.ones(1, 3, 8, 8))


def test_a_sheet_shows_networks_and_scales(astronaut: np.ndarray) -> None:
    explanations = mien.explain(astronaut, weights=CHEAP, methods="attention", curves=False)
    assert [one.weights for one in explanations] == CHEAP
    assert [one.network for one in explanations] == ["phanet", "poster_v2"]
    drawn = draw_sheet(explanations, title="astronaut")
    assert drawn.dtype == np.uint8
    assert drawn.shape[1] > 6 * 176
    assert np.ptp(drawn.astype(int), axis=-1).max() > 100  # there is colour


def test_a_network_without_attention_names_the_methods_that_work(monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = load_manifest("phanet")
    monkeypatch.setattr("mien.weights.fill.network_of", lambda _: nn.Sequential(nn.Conv2d(3, 4, 3)))
    with pytest.raises(mien.OptionError, match="no attention to show; occlusion, grad-cam and"):
        TorchMaps(manifest, ["attention"])
    TorchMaps(manifest, ["grad-cam"])
