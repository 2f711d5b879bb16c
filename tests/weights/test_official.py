"""Official files under our names, and everything that is refused."""

from __future__ import annotations

import re
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor

from mien.errors import WeightsError
from mien.models import build
from mien.models.apvit import APViTConfig
from mien.models.poster import PosterConfig
from mien.models.poster_v2 import PosterV2Config, relative_positions
from mien.nn.densenet import DenseNet, DenseNetConfig
from mien.nn.iresnet import IR50
from mien.weights.official import backbones, convert_state
from mien.weights.official.layout import unwrap
from tests.parity.official import FAMILIES

CONFIGS = {
    "poster small, 7 classes": ("poster", PosterConfig(size="small")),
    "poster base, 5 classes": ("poster", PosterConfig(size="base", classes=5)),
    "poster large for AffectNet, 8 classes": ("poster", PosterConfig(classes=8, token_mix=False)),
    "poster_v2, 8 classes": ("poster_v2", PosterV2Config(classes=8)),
    "apvit, 11 classes": ("apvit", APViTConfig(classes=11)),
}


def official(family: str, config: Any) -> dict[str, Tensor]:
    """An official state dict of zeros that take no memory."""
    layout = FAMILIES[family].layout(config)
    shapes = dict(layout.shapes)
    for group in layout.dead:
        shapes |= group
    state = {name: torch.zeros(()).expand(shape) for name, shape in shapes.items()}
    for name in state:
        if name.endswith("relative_position_index"):
            state[name] = relative_positions(round(len(state[name]) ** 0.5))
    return state


@pytest.fixture(scope="module")
def poster_v2() -> dict[str, Tensor]:
    return official("poster_v2", PosterV2Config())


@pytest.mark.parametrize("name", CONFIGS)
def test_size_variant_and_classes_are_read_from_names_and_shapes(name: str) -> None:
    family, config = CONFIGS[name]
    converted = convert_state(official(family, config))
    assert (converted.network, converted.config) == (family, config)
    with torch.device("meta"):
        own = config.build().state_dict()
    assert {k: v.shape for k, v in converted.state.items()} == {k: v.shape for k, v in own.items()}


@pytest.mark.parametrize("name", CONFIGS)
def test_a_file_without_the_tensors_that_never_run_is_enough(name: str) -> None:
    family, config = CONFIGS[name]
    live = FAMILIES[family].layout(config).shapes
    state = {key: value for key, value in official(family, config).items() if key in live}
    assert convert_state(state).config == config


def test_scripts_wrap_their_weights_in_many_ways(poster_v2: dict[str, Tensor]) -> None:
    parallel = {f"module.{name}": value for name, value in poster_v2.items()}
    for saved in (
        poster_v2,
        {"epoch": 3, "state_dict": parallel, "best_acc": torch.tensor(92.0), "optimizer": {}},
        {"iter": 3, "model_state_dict": parallel, "optimizer_state_dict": {}},
        {"meta": {"epoch": 40}, "state_dict": poster_v2},
    ):
        assert convert_state(saved).network == "poster_v2"


def test_all_reasons_are_listed_at_once(poster_v2: dict[str, Tensor]) -> None:
    state = dict(poster_v2)
    del state["VIT.cls_token"], state["ir_back.output_layer.3.weight"]
    state["VIT.extra"] = torch.zeros(1)
    state["conv1.weight"] = torch.zeros(64, 64, 1, 1)
    state["VIT.norm.bias"] = "a word"  # type: ignore[assignment]
    with pytest.raises(WeightsError) as error:
        convert_state(state, source="broken.pth")
    assert str(error.value).split("\n  ") == [
        "broken.pth does not fit:",
        "missing   VIT.cls_token",
        "missing   ir_back.output_layer.3.weight",
        "no tensor VIT.norm.bias: str",
        "shape     conv1.weight: file (64, 64, 1, 1), network (64, 64, 3, 3)",
        "unknown   VIT.extra",
    ]


def test_every_single_missing_tensor_is_noticed() -> None:
    state = official("apvit", APViTConfig())
    for name in list(state)[::25]:
        with pytest.raises(WeightsError, match=f"missing   {name}"):
            convert_state({key: value for key, value in state.items() if key != name})


def test_positions_in_another_order_are_refused(poster_v2: dict[str, Tensor]) -> None:
    turned = {"attn3.relative_position_index": poster_v2["attn3.relative_position_index"].t()}
    with pytest.raises(WeightsError, match=r"attn3\.relative_position_index is not the authors'"):
        convert_state(poster_v2 | turned)


def test_only_plain_numbers_of_the_right_kind_are_weights(poster_v2: dict[str, Tensor]) -> None:
    head = "VIT.head.linear.weight"
    value = torch.zeros(7, 768)
    for broken in (value.to(torch.complex64), value.long(), value.to_sparse(), value.to("meta")):
        with pytest.raises(WeightsError, match=f"numbers   {head}: {broken.dtype}"):
            convert_state(poster_v2 | {head: broken})
    with pytest.raises(WeightsError, match=rf"shape     {head}: file \(0, 768\)"):
        convert_state(poster_v2 | {head: value[:0]})


def test_a_poster_of_unknown_depth_is_refused() -> None:
    state = official("poster", PosterConfig(size="small"))
    state = {name: value for name, value in state.items() if ".blocks.3." not in name}
    with pytest.raises(WeightsError, match="with 3 pyramid blocks; the sizes are small 4, base 6, large 8"):
        convert_state(state)


def test_a_best_file_of_poster_v2_holds_only_the_optimiser() -> None:
    with pytest.raises(WeightsError, match=r"only the optimizer's state.*Use the rolling checkpoint"):
        convert_state({"state": {0: {"step": 1}}, "param_groups": []})


def test_other_contents_are_named() -> None:
    with pytest.raises(WeightsError, match="holds a list, not a dict"):
        convert_state([1, 2])  # type: ignore[arg-type]
    with pytest.raises(WeightsError, match="holds no tensors, only: epoch, loss"):
        convert_state({"epoch": 1, "loss": 0.5})
    with pytest.raises(WeightsError, match=r"is none of poster, poster_v2, .* called fc\.weight"):
        convert_state({"fc.weight": torch.zeros(2, 2)})


def test_the_network_is_found_under_any_key() -> None:
    weights, optimizer = {"fc.weight": torch.zeros(2, 2)}, {"state": {0: {"m": torch.zeros(2)}}, "param_groups": []}
    saved = {
        "net": weights,
        "acc": torch.tensor(0.9),
        "optimizer": optimizer,
        "rng": {"cpu": torch.get_rng_state()},
    }
    assert unwrap(saved, source="x.pth") == weights
    assert unwrap({"models": {"net": weights}}, source="x.pth") == weights
    for wrapped in ("module.", "_orig_mod.", "model.", "model.module.", "_orig_mod.module.", "net."):
        assert unwrap({f"{wrapped}{key}": value for key, value in weights.items()}, source="x.pth") == weights
    with pytest.raises(
        WeightsError, match=r"x\.pth holds several networks: net, ema\. Save the one you mean alone"
    ):
        unwrap({"net": weights, "ema": weights}, source="x.pth")


def test_halves_become_floats_and_counters_stay_whole() -> None:
    state = {
        name: value.half() if value.is_floating_point() else value
        for name, value in official("apvit", APViTConfig()).items()
    }
    dtypes = {name.endswith("num_batches_tracked"): v.dtype for name, v in convert_state(state).state.items()}
    assert dtypes[False] == torch.float32


# Parts to start a training from.


@pytest.mark.parametrize("staged", [False, True])
def test_ir50_files_of_both_namings_fill_the_image_backbone(staged: bool) -> None:
    torch.manual_seed(0)
    own = IR50().state_dict()
    names = backbones.ir50_staged if staged else backbones.ir50_flat
    state = {names(key): value for key, value in own.items()}
    assert ("body3.13.res_layer.0.weight" if staged else "body.20.res_layer.0.weight") in state
    dead = backbones.ir50_head() | backbones.fourth_stage(staged)
    for extra in ({}, {name: torch.zeros(shape) for name, shape in dead.items()}):
        converted = convert_state({"state_dict": state | extra})
        assert (converted.network, converted.config) == ("ir50", None)
        assert all(torch.equal(converted.state[key], own[key]) for key in own)
    build("apvit").image_backbone.load_state_dict(converted.state)


def test_a_file_older_than_batch_counters_is_read() -> None:
    state = {
        backbones.ir50_flat(key): value
        for key, value in IR50().state_dict().items()
        if not key.endswith("num_batches_tracked")
    }
    assert convert_state(state).state["body.2.13.res_layer.0.num_batches_tracked"] == 0


def test_the_landmark_file_is_the_whole_landmark_network() -> None:
    network = build("landmarks68")
    state = {f"module.{k.removeprefix('backbone.')}": v for k, v in network.state_dict().items()}
    converted = convert_state({"epoch": 1, "state_dict": state})
    assert (converted.network, converted.config) == ("landmarks68", network.config)
    network.load_state_dict(converted.state)


def test_the_transformer_of_apvit_starts_from_vit_small() -> None:
    with torch.device("meta"):
        network = build("apvit")
    state = {
        "cls_token": torch.ones(1, 1, 768),
        "pos_embed": torch.arange(197.0).view(1, 197, 1).expand(1, 197, 768),
        "patch_embed.proj.weight": torch.zeros(768, 3, 16, 16),
        "patch_embed.proj.bias": torch.zeros(768),
        "head.weight": torch.zeros(1000, 768),
        "head.bias": torch.zeros(1000),
    }
    for name, value in network.state_dict().items():
        if name.startswith(("blocks.", "norm.")):
            theirs = name.replace(".qkv", ".attn.qkv").replace(".proj", ".attn.proj")
            state[theirs] = torch.zeros(()).expand(value.shape)
    converted = convert_state(state)
    assert (converted.network, converted.config) == ("vit_small", None)
    assert converted.state["cls_pos_embed"].unique().tolist() == [0]
    assert converted.state["patch_pos_embed"][0, :, 0].tolist() == list(range(1, 197))
    missing = network.load_state_dict(converted.state, strict=False, assign=True).missing_keys
    assert all(name.startswith(("image_backbone.", "embed.", "head.")) for name in missing)


def test_densenet_files_of_both_namings_fill_the_image_backbone() -> None:
    torch.manual_seed(0)
    config = DenseNetConfig(growth=8, blocks=(2, 3, 1, 2), stem=16)
    own = DenseNet(config).state_dict()
    head = {"classifier.weight": torch.zeros(1000, config.out_channels[-1]), "classifier.bias": torch.zeros(1000)}
    old = {
        re.sub(r"(denselayer\d+\.(?:norm|conv))([12])", r"\1.\2", key): value
        for key, value in own.items()
        if not key.endswith("num_batches_tracked")  # as in the files that torchvision hands out
    }
    assert "features.denseblock2.denselayer3.norm.1.running_var" in old
    assert "features.transition3.norm.weight" in old
    for state in (own, own | head, old | head, {f"module.{key}": value for key, value in old.items()}):
        converted = convert_state(state)
        assert (converted.network, converted.config) == ("densenet", config)
        assert all(torch.equal(converted.state[key], own[key]) for key in own)
        build("phanet", dense=converted.config, width=8).image_backbone.load_state_dict(converted.state)


def test_the_sizes_of_densenet_121_and_161_are_read_from_their_files() -> None:
    for config in (DenseNetConfig(), DenseNetConfig(growth=48, blocks=(6, 12, 36, 24), stem=96)):
        with torch.device("meta"):
            shapes = {name: (value.shape, value.dtype) for name, value in DenseNet(config).state_dict().items()}
        state = {name: torch.zeros((), dtype=kind).expand(shape) for name, (shape, kind) in shapes.items()}
        assert convert_state(state).config == config


def test_a_broken_densenet_is_refused() -> None:
    state = DenseNet(DenseNetConfig(growth=8, blocks=(2, 1), stem=16)).state_dict()
    with pytest.raises(WeightsError, match=r"missing   features\.denseblock1\.denselayer1\.norm2\.bias"):
        convert_state({key: v for key, v in state.items() if key != "features.denseblock1.denselayer1.norm2.bias"})
    with pytest.raises(WeightsError, match=r"no whole DenseNet: blocks of \(0, 1\) layers"):
        convert_state({key: v for key, v in state.items() if "denseblock1" not in key})
    with pytest.raises(WeightsError, match="no whole DenseNet"):
        convert_state({key: v for key, v in state.items() if key != "features.conv0.weight"})
