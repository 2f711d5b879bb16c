"""The baseline: an image backbone and a linear head, nothing else."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from mien.errors import InputError, OptionError
from mien.models import build
from mien.models.bare_backbone import LIGHT


@torch.no_grad()
def test_a_linear_head_reads_the_mean_of_the_last_map() -> None:
    network = LIGHT.build().eval()
    x = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    last = network.image_backbone(x)[-1]
    torch.testing.assert_close(network(x), network.head(last.mean(dim=(2, 3))))
    inside = network.intermediates(x)
    torch.testing.assert_close(inside["logits"], network(x))
    assert torch.equal(inside["maps.3"], last)
    assert {name.split(".")[0] for name, _ in network.named_parameters()} == {"image_backbone", "head"}


def test_light_form_has_less_than_a_million_parameters() -> None:
    assert 0.9e6 < sum(p.numel() for p in LIGHT.build().parameters()) < 0.95e6


def test_what_cannot_be_is_said() -> None:
    with pytest.raises(OptionError, match="dropout is at least 0"):
        build("bare_backbone", config_name="light", dropout=1)
    with pytest.raises(InputError, match=r"reads \(B, 3, 96, 96\)"):
        LIGHT.build()(torch.zeros(1, 3, 64, 64))
