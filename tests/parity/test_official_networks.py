"""Each network equals the authors' code: same names, same numbers, same gradients, same chosen patches.

The .npz files hold what the official code gave in float32 on a CPU for `official.state_of` and
`official.images`: logits, loss, 128 samples and the standard deviation of each intermediate, and the norm
of every gradient of the cross-entropy with labels 1 and 5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn

from mien.models import configure
from mien.weights.official import convert_state
from mien.weights.official.layout import Layout
from tests.parity import official

CASES = {
    "poster_small": ("poster", {"size": "small"}),
    "poster_affect_small": ("poster", {"size": "small", "token_mix": False}),
    "poster_base": ("poster", {"size": "base"}),
    "poster_v2_7cls": ("poster_v2", {}),
    "apvit_rafdb_7cls": ("apvit", {}),
}


@dataclass(frozen=True)
class Case:
    name: str
    family: str
    expected: dict[str, np.ndarray]
    layout: Layout
    state_sha256: str
    network: nn.Module
    logits: np.ndarray
    loss: float
    seen: dict[str, np.ndarray]
    kept: list[np.ndarray]


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    """The official file through conversion, and one forward and backward pass of our network."""
    family, changes = CASES[request.param]
    with np.load(official.HERE / f"{request.param}.npz") as file:
        expected = dict(file)
    layout = official.FAMILIES[family].layout(configure(family, **changes))
    state = official.state_of(layout)
    converted = convert_state({"state_dict": {f"module.{name}": value for name, value in state.items()}})
    assert converted.network == family
    network = converted.config.build().eval().requires_grad_(True)
    network.load_state_dict(converted.state)

    x = official.images(112 if family == "apvit" else 224)
    seen: dict[str, Tensor] = {}
    hooks = WATCH[family](network, seen)
    y = network(x)
    loss = nn.functional.cross_entropy(y, torch.tensor([1, 5]))
    loss.backward()
    for hook in hooks:
        hook.remove()
    with torch.no_grad():
        kept = network.kept_patches(x) if family == "apvit" else []
    return Case(
        name=request.param,
        family=family,
        expected=expected,
        layout=layout,
        state_sha256=official.sha256(state),
        network=network,
        logits=y.detach().numpy(),
        loss=loss.item(),
        seen={name: value.detach().numpy() for name, value in seen.items()},
        kept=[cells.numpy() for cells in kept],
    )


def test_the_official_file_has_the_names_and_shapes_that_we_expect(case: Case) -> None:
    assert case.state_sha256 == str(case.expected["state_sha256"])


def test_logits_are_those_of_the_official_code(case: Case) -> None:
    np.testing.assert_allclose(case.logits, case.expected["logits"], rtol=0, atol=2e-5)
    assert case.loss == pytest.approx(float(case.expected["loss"]), abs=1e-5)


def test_inference_mode_changes_nothing(case: Case) -> None:
    x = official.images(112 if case.family == "apvit" else 224)
    with torch.inference_mode():
        y = case.network(x)
        again = case.network(x)
    np.testing.assert_allclose(y, case.expected["logits"], rtol=0, atol=2e-5)
    assert torch.equal(y, again)


def test_every_intermediate_is_that_of_the_official_code(case: Case) -> None:
    names = {key.removeprefix("sample_") for key in case.expected if key.startswith("sample_")}
    assert names == case.seen.keys()
    for name in names:
        found = case.seen[name].reshape(-1)
        found = found[np.linspace(0, found.size - 1, min(found.size, 128)).astype(int)]
        atol = 1e-4 * float(case.expected[f"std_{name}"])
        np.testing.assert_allclose(found, case.expected[f"sample_{name}"], rtol=0, atol=atol, err_msg=name)


def test_every_gradient_has_the_official_norm(case: Case) -> None:
    parameters = dict(case.network.named_parameters())
    ours = []
    for name in case.expected["gradient_names"]:
        key, row = case.layout.targets[str(name)]
        gradient = parameters[key].grad
        ours.append((gradient if row is None else gradient[row]).double().norm().item())
    # Some norms are rounding errors of a zero: what comes before a layer norm cannot shift all its inputs.
    np.testing.assert_allclose(ours, case.expected["gradient_norms"], rtol=1e-3, atol=1e-6)


def test_the_same_patches_are_kept_as_in_the_official_code(case: Case) -> None:
    expected = [case.expected[key] for key in sorted(case.expected) if key.startswith("kept_")]
    assert [cells.shape[1] for cells in case.kept] == [cells.shape[1] for cells in expected]
    for found, wanted in zip(case.kept, expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


# What each intermediate of the .npz files is in our networks.


def _watch(seen: dict[str, Tensor], module: nn.Module, name: str, change: Any = lambda y: y) -> Any:
    def hook(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        seen[name] = change(output)

    return module.register_forward_hook(hook)


def _watch_poster(network: Any, seen: dict[str, Tensor]) -> list[Any]:
    return [
        _watch(seen, network.landmark_backbone, "landmark_feat", lambda maps: maps[2]),
        _watch(seen, network.image_backbone, "ir_tokens", lambda maps: maps[2].contiguous()),  # in memory order
        _watch(seen, network.image_tokens, "ir_layer"),
        _watch(seen, network.blocks[0], "block0_l", lambda levels: levels[0]),
        _watch(seen, network.blocks[0], "block0_m", lambda levels: levels[1]),
        _watch(seen, network.blocks[0], "block0_s", lambda levels: levels[2]),
        _watch(seen, network.blocks[-1], "last_l", lambda levels: levels[0][:, 0]),
        _watch(seen, network.norm, "fused_cls"),
        _watch(seen, network.se_block, "se"),
    ]


def _watch_poster_v2(network: Any, seen: dict[str, Tensor]) -> list[Any]:
    hooks = [
        _watch(seen, network.landmark_backbone, "face1", lambda maps: maps[0]),
        _watch(seen, network.landmark_backbone, "face2", lambda maps: maps[1]),
        _watch(seen, network.landmark_convs[2], "face3"),
        _watch(seen, network.levels[2].attention, "attn3"),
        _watch(seen, network.embed[2], "tokens_v", lambda y: y.flatten(2).transpose(1, 2)),
        _watch(seen, network.blocks[0], "vit_block0"),
        _watch(seen, network.norm, "vit_norm"),
        _watch(seen, network.se_block, "se"),
    ]
    for i in range(3):
        hooks.append(_watch(seen, network.image_convs[i], f"ir{i + 1}"))
        hooks.append(_watch(seen, network.levels[i], f"ffn{i + 1}", lambda y: y.permute(0, 2, 3, 1)))
    return hooks


def _watch_apvit(network: Any, seen: dict[str, Tensor]) -> list[Any]:
    hooks = [
        _watch(seen, network.image_backbone, "extractor", lambda maps: maps[-1]),
        _watch(seen, network.embed, "proj"),
        _watch(seen, network.embed, "attn_map", lambda y: y.abs().sum(dim=1)),
        _watch(seen, network.blocks[7], "block7", lambda y: y[0][:, 0]),
        _watch(seen, network.norm, "cls"),
    ]
    return hooks + [_watch(seen, network.blocks[i], f"block{i}", lambda y: y[0]) for i in (0, 3, 4)]


WATCH = {"poster": _watch_poster, "poster_v2": _watch_poster_v2, "apvit": _watch_apvit}
