"""What is special to APViT: which patches stay."""

from __future__ import annotations

import itertools

import pytest

torch = pytest.importorskip("torch")

from mien.errors import InputError
from mien.models.apvit import APViT, APViTConfig, strongest, take_rows

TINY = APViTConfig(
    backbone="mobilefacenet", width=16, heads=2, keep_patches=9, keep_rates=(1.0, 0.5, 0.5), classes=3
)


def test_the_strongest_stay_in_their_order() -> None:
    assert strongest(torch.tensor([[3.0, -5.0, 9.0, 4.0]]), 3).tolist() == [[0, 2, 3]]


def test_rows_are_taken_from_their_own_image() -> None:
    x = torch.arange(12.0).view(2, 3, 2)
    assert take_rows(x, torch.tensor([[0, 2], [1, 2]])).tolist() == [
        [[0, 1], [4, 5]],
        [[8, 9], [10, 11]],
    ]


@torch.no_grad()
@pytest.mark.parametrize("count", [1, 2, 5, 10])
def test_pooling_does_not_depend_on_the_batch_size(count: int) -> None:
    """The official code skips a pooling when the batch is as long as the tokens: here 10 and 5."""
    torch.manual_seed(0)
    network = APViT(TINY).eval()
    x = torch.randn(10, 3, 112, 112)
    kept = network.kept_patches(x[:count])
    assert [cells.shape for cells in kept] == [(count, 9), (count, 4), (count, 2)]
    for found, whole in zip(kept, network.kept_patches(x), strict=True):
        assert torch.equal(found, whole[:count])


@torch.no_grad()
def test_each_pooling_keeps_some_of_the_patches_before_it() -> None:
    torch.manual_seed(0)
    kept = APViT(TINY).eval().kept_patches(torch.randn(1, 3, 112, 112))
    for earlier, later in itertools.pairwise(cells[0].tolist() for cells in kept):
        assert set(later) < set(earlier)
        assert later == sorted(later)


def test_published_counts_are_160_144_129_116_104() -> None:
    with torch.device("meta"):
        network = APViT(APViTConfig())
        kept = network.kept_patches(torch.zeros(1, 3, 112, 112))
    assert [cells.shape[1] for cells in kept] == [160, 144, 129, 116, 104]


def test_an_image_of_another_size_is_refused() -> None:
    with pytest.raises(InputError, match=r"reads \(B, 3, 112, 112\), not \(.*, 3, 224, 224\)"):
        APViT(TINY)(torch.zeros(1, 3, 224, 224))
