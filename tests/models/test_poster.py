"""What is special to POSTER: dropped branches, and the one row that is read."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from mien.models.poster import ImageTokens, Poster, PosterConfig, PyramidBlock
from mien.nn.drop_path import DropPath


@pytest.mark.parametrize("token_mix", [True, False])
def test_the_last_block_gives_the_row_that_a_full_block_would_give(token_mix: bool) -> None:
    torch.manual_seed(0)
    block = PyramidBlock(PosterConfig(width=64, token_mix=token_mix), drop_path=0.0)
    levels = [torch.randn(2, 100, width) for width in (64, 32, 16)]
    full = block(*levels)[0]
    summary = block(*levels, summary_only=True)[0]
    assert summary.shape == (2, 1, 64)
    torch.testing.assert_close(summary, full[:, :1], rtol=0, atol=1e-6)


def test_image_tokens_are_rows_of_memory_in_channel_order() -> None:
    tokens = ImageTokens(PosterConfig(), 256)
    maps = torch.randn(2, 256, 14, 14)
    expected = tokens.linear(maps.reshape(2, 49, 1024))
    assert torch.equal(tokens(maps.contiguous(memory_format=torch.channels_last)), expected)


def test_a_branch_is_dropped_for_each_stream_of_each_image() -> None:
    torch.manual_seed(0)
    y = DropPath(0.5, sample_dims=2).train()(torch.ones(2, 64, 3, 5))
    assert set(y.unique().tolist()) == {0.0, 2.0}
    assert (y == y[:, :, :1, :1]).all()
    assert not torch.equal(y[0, :, 0, 0], y[1, :, 0, 0])


def test_the_rate_of_dropping_grows_to_the_last_block() -> None:
    with torch.device("meta"):
        blocks = Poster(PosterConfig(size="base")).blocks
    rates = [block.fine.drop_path.rate for block in blocks]
    assert rates == pytest.approx([0, 0.02, 0.04, 0.06, 0.08, 0.1])
