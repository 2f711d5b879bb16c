"""What is special to POSTER++: its windows and their learned bias."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from mien.models.poster_v2 import (
    PosterV2,
    PosterV2Config,
    WindowCrossAttention,
    relative_positions,
    unwindows,
    windows,
)


def test_relative_positions_count_down_and_right_from_the_farthest_key() -> None:
    assert relative_positions(2).tolist() == [[4, 3, 1, 0], [5, 4, 2, 1], [7, 6, 4, 3], [8, 7, 5, 4]]


def test_windows_there_and_back_change_nothing() -> None:
    x = torch.randn(2, 14, 28, 3)
    assert windows(x, 7).shape == (16, 49, 3)
    assert torch.equal(unwindows(windows(x, 7), 7, 14, 28), x)


@torch.no_grad()
def test_the_gathered_bias_follows_its_table() -> None:
    attention = WindowCrossAttention(32, heads=2, window=7).eval()
    image, landmarks = torch.randn(2, 1, 7, 7, 32).unbind()

    def fresh() -> torch.Tensor:
        copy = WindowCrossAttention(32, heads=2, window=7).eval()
        copy.load_state_dict(attention.state_dict())
        return copy(image, landmarks)

    attention(image, landmarks)
    assert attention._bias is not None
    attention.relative_position_bias_table.add_(torch.randn(169, 2))
    assert torch.equal(attention(image, landmarks), fresh())
    attention.load_state_dict({k: v + 1 for k, v in attention.state_dict().items()})
    assert torch.equal(attention(image, landmarks), fresh())
    attention.double()
    assert attention(image.double(), landmarks.double()).dtype == torch.float64


def test_the_published_start_is_narrow_in_the_transformer_and_near_nothing_in_the_fusion() -> None:
    torch.manual_seed(0)
    network = PosterV2(PosterV2Config(width=96))
    for linear in (network.blocks[0].qkv, network.se_block.linear1, network.head):
        assert linear.weight.std().item() == pytest.approx(0.01, rel=0.1)
        assert not linear.bias.any()
    assert network.levels[0].gamma1.tolist() == pytest.approx([1e-5] * 64)
