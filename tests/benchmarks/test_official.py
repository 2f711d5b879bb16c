"""The baseline of the speed comparison computes what our networks compute, under the official names."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn

from mien.weights.official import convert_state
from official.apvit import OfficialAPViT
from official.poster import OfficialPoster
from official.poster_v2 import OfficialPosterV2
from tests.parity import official

CASES: dict[str, tuple[type[nn.Module], dict[str, Any]]] = {
    "poster_small": (OfficialPoster, {"depth": 4}),
    "poster_affect_small": (OfficialPoster, {"depth": 4, "token_mix": False}),
    "poster_base": (OfficialPoster, {"depth": 6}),
    "poster_v2_7cls": (OfficialPosterV2, {}),
    "apvit_rafdb_7cls": (OfficialAPViT, {}),
}


@pytest.fixture(scope="module", params=CASES)
def both(request: pytest.FixtureRequest) -> tuple[str, nn.Module, nn.Module]:
    """The official form filled by the official names, and ours converted from it."""
    network, changes = CASES[request.param]
    theirs = network(**changes).eval()
    state = {
        name: torch.from_numpy(np.asarray(official.fill(name, tuple(value.shape))))
        if value.is_floating_point()
        else value
        for name, value in theirs.state_dict().items()
    }
    theirs.load_state_dict(state)
    converted = convert_state(state)
    ours = converted.config.build().eval()
    ours.load_state_dict(converted.state)
    return request.param, theirs, ours


def images(case: str) -> torch.Tensor:
    return official.images(112 if case.startswith("apvit") else 224)


def test_its_tensors_have_the_official_names_and_numbers(both: tuple[str, nn.Module, nn.Module]) -> None:
    case, theirs, _ = both
    with np.load(official.HERE / f"{case}.npz") as expected:
        assert official.sha256(theirs.state_dict()) == str(expected["state_sha256"])


@torch.no_grad()
def test_its_logits_are_those_of_the_official_code_and_ours(both: tuple[str, nn.Module, nn.Module]) -> None:
    case, theirs, ours = both
    logits = theirs(images(case))
    with np.load(official.HERE / f"{case}.npz") as expected:
        np.testing.assert_allclose(logits, expected["logits"], rtol=0, atol=2e-5)
    torch.testing.assert_close(ours(images(case)), logits, rtol=0, atol=2e-5)
