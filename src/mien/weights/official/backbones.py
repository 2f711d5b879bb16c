"""Official backbones: IR-50 of face.evoLVe or POSTER++, the 68-landmark MobileFaceNet, ImageNet DenseNets.

Names of the first two appear again, under a prefix, in the files of the networks that carry them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from mien.errors import WeightsError
from mien.models.landmarks68 import Landmarks68, Landmarks68Config
from mien.nn.densenet import DenseNet, DenseNetConfig
from mien.nn.iresnet import IR50, STAGES
from mien.weights.official.layout import Shapes, State, classes_in, layout_of, move, shapes_of

_UNITS_BEFORE = [sum(units for _, units in STAGES[:i]) for i in range(len(STAGES))]  # 0, 3, 7
_BODY = re.compile(r"body\.(\d+)\.(\d+)\.")  # ours: stage, unit
_DENSE_LAYER = re.compile(r"features\.denseblock(\d+)\.denselayer(\d+)\.")
_OLD_DENSE = re.compile(r"(features\.denseblock\d+\.denselayer\d+\.(?:norm|conv))\.([12])\.")


def ir50_flat(name: str) -> str:
    """Our name of an IR-50 tensor -> face.evoLVe's and POSTER's: units counted through."""
    return _BODY.sub(lambda m: f"body.{_UNITS_BEFORE[int(m[1])] + int(m[2])}.", name)


def ir50_staged(name: str) -> str:
    """Our name of an IR-50 tensor -> POSTER++'s: one list for each stage, counted from 1."""
    return _BODY.sub(lambda m: f"body{int(m[1]) + 1}.{m[2]}.", name)


def norm_shapes(prefix: str, channels: int) -> Shapes:
    """The five tensors of a batch norm."""
    vectors = ("weight", "bias", "running_mean", "running_var")
    return {f"{prefix}.{leaf}": (channels,) for leaf in vectors} | {f"{prefix}.num_batches_tracked": ()}


def ir50_head(prefix: str = "") -> Shapes:
    """The face-identity head of IR-50, which no expression network runs."""
    head = f"{prefix}output_layer"
    linear: Shapes = {f"{head}.3.weight": (512, 25088), f"{head}.3.bias": (512,)}
    return norm_shapes(f"{head}.0", 512) | linear | norm_shapes(f"{head}.4", 512)


def landmark_head(prefix: str = "") -> Shapes:
    """The 68-point head of the landmark backbone, computed and never read by the expression networks."""
    head = f"{prefix}output_layer"
    convs: Shapes = {f"{head}.conv_6_dw.conv.weight": (512, 1, 7, 7), f"{head}.linear.weight": (136, 512)}
    return convs | norm_shapes(f"{head}.conv_6_dw.bn", 512) | norm_shapes(f"{head}.bn", 136)


def fourth_stage(staged: bool) -> Shapes:
    """IR-50's last three units, 256 -> 512 -> 512 -> 512, which the expression networks do not build."""
    shapes: Shapes = {}
    for i in range(3):
        unit, inside = (f"body4.{i}" if staged else f"body.{21 + i}"), 256 if i == 0 else 512
        shapes |= norm_shapes(f"{unit}.res_layer.0", inside) | norm_shapes(f"{unit}.res_layer.4", 512)
        shapes[f"{unit}.res_layer.1.weight"] = (512, inside, 3, 3)
        shapes[f"{unit}.res_layer.2.weight"] = (512,)
        shapes[f"{unit}.res_layer.3.weight"] = (512, 512, 3, 3)
    first = "body4.0" if staged else "body.21"
    shapes[f"{first}.shortcut_layer.0.weight"] = (512, 256, 1, 1)
    return shapes | norm_shapes(f"{first}.shortcut_layer.1", 512)


def is_ir50(state: Mapping[str, Any]) -> bool:
    """Also of a file that misses some tensors."""
    return any(key.startswith(("body.0.", "body1.0.")) for key in state)


def convert_ir50(state: Mapping[str, Any], *, source: str) -> tuple[State, None]:
    """Face-identity IR-50 -> the image backbone of all three networks; its last stage and head are dropped."""
    staged = any(key.startswith("body1.") for key in state)
    by_stage = any(key.startswith("body.0.0.") for key in state)  # APViT's naming is ours

    def names(ours: str) -> tuple[str]:
        return (ours if by_stage else ir50_staged(ours) if staged else ir50_flat(ours),)

    own = shapes_of(lambda _: IR50(), None)
    layout = layout_of(own, names, [ir50_head(), fourth_stage(staged)])
    return move(state, layout, source=source), None


def is_landmarks68(state: Mapping[str, Any]) -> bool:
    """Also of a file that misses some tensors."""
    return any(key.startswith(("conv_6_sep.", "output_layer.conv_6_dw.")) for key in state)


def convert_landmarks68(state: Mapping[str, Any], *, source: str) -> tuple[State, Landmarks68Config]:
    """The 68-landmark network that POSTER carries, whole."""
    config = Landmarks68Config()
    layout = layout_of(shapes_of(Landmarks68, config), lambda ours: (ours.removeprefix("backbone."),), dead=())
    return move(state, layout, source=source), config


def is_densenet(state: Mapping[str, Any]) -> bool:
    """Also of a file that misses some tensors."""
    return any(key.startswith("features.denseblock") for key in state)


def convert_densenet(state: Mapping[str, Any], *, source: str) -> tuple[State, DenseNetConfig]:
    """torchvision's DenseNet-121, -161, -169 or -201 -> the image backbone of PhaNet; its classifier is dropped.

    The files that torchvision hands out say `norm.1` where its networks say `norm1`; both are read.
    """
    state = {_OLD_DENSE.sub(r"\1\2.", key): value for key, value in state.items()}
    config = _dense_sizes(state, source)
    classes = classes_in(state, "classifier.weight")
    head: Shapes = {"classifier.weight": (classes, config.out_channels[-1]), "classifier.bias": (classes,)}
    layout = layout_of(shapes_of(DenseNet, config), lambda ours: (ours,), [head])
    return move(state, layout, source=source), config


def _dense_sizes(state: Mapping[str, Any], source: str) -> DenseNetConfig:
    """Growth, blocks and stem from names and shapes."""
    layers: dict[int, int] = {}
    for block, layer in (match.groups() for match in map(_DENSE_LAYER.match, state) if match):
        layers[int(block)] = max(layers.get(int(block), 0), int(layer))
    blocks = tuple(layers.get(i, 0) for i in range(1, max(layers, default=0) + 1))
    sizes = [state.get(f"features.{name}.weight") for name in ("denseblock1.denselayer1.conv2", "conv0")]
    rows = [len(weight) for weight in sizes if isinstance(weight, Tensor) and weight.dim() == 4]
    if not all(blocks) or len(rows) < 2:
        raise WeightsError(
            f"{source} is no whole DenseNet: blocks of {blocks} layers; features.conv0.weight and "
            "features.denseblock1.denselayer1.conv2.weight, which give its sizes, must be there"
        )
    return DenseNetConfig(growth=rows[0], blocks=blocks, stem=rows[1])
