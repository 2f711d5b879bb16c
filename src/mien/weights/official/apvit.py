"""Official APViT checkpoints, any number of classes, and the ViT-small file that they start from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from mien.models.apvit import APViT, APViTConfig
from mien.weights.official.layout import Layout, Shapes, State, classes_in, layout_of, move, shapes_of

_RULES = (  # ours -> theirs, the first that fits
    (r"image_backbone\.", "extractor."),
    (r"embed\.", "vit.projs.0."),
    (r"(blocks\.\d+\.)(?=qkv|proj)", r"vit.\1attn."),
    (r"head\.", "head.fc."),
    (r"", "vit."),
)
_FROM_VIT = ("cls_token", "patch_pos_embed", "cls_pos_embed", "blocks.", "norm.")


def recognises(state: Mapping[str, Any]) -> bool:
    """Also a file that misses some tensors."""
    return any(key.startswith("vit.") for key in state)


def layout(config: APViTConfig) -> Layout:
    """The tensors of an official file."""
    return layout_of(shapes_of(APViT, config), _names, dead=())


def convert(state: Mapping[str, Any], *, source: str = "this state dict") -> tuple[State, APViTConfig]:
    """Official state dict -> ours, and the config of the network that it fits."""
    config = APViTConfig(classes=classes_in(state, "head.fc.weight"))
    return move(state, layout(config), source=source), config


def is_vit_small(state: Mapping[str, Any]) -> bool:
    """timm's first ViT-small: 8 blocks of width 768 without bias in qkv."""
    return "pos_embed" in state and any(key.startswith("blocks.") for key in state)


def vit_small_shapes() -> State:
    """The tensors of APViT that the ViT-small file fills, without their numbers."""
    return {key: value for key, value in shapes_of(APViT, APViTConfig()).items() if key.startswith(_FROM_VIT)}


def convert_vit_small(state: Mapping[str, Any], *, source: str) -> tuple[State, None]:
    """timm's ViT-small (vit_small_p16_224) -> the transformer of APViT; patches and head are dropped."""
    position = state["pos_embed"]
    if isinstance(position, Tensor) and position.dim() == 3:
        split = {"cls_pos_embed": position[:, :1], "patch_pos_embed": position[:, 1:]}
        state = {key: value for key, value in state.items() if key != "pos_embed"} | split
    own = vit_small_shapes()
    classes = classes_in(state, "head.weight")
    patches: Shapes = {"patch_embed.proj.weight": (768, 3, 16, 16), "patch_embed.proj.bias": (768,)}
    head: Shapes = {"head.weight": (classes, 768), "head.bias": (classes,)}

    def names(ours: str) -> tuple[str]:
        return (_names(ours)[0].removeprefix("vit."),)

    return move(state, layout_of(own, names, [patches, head]), source=source), None


def _names(ours: str) -> tuple[str]:
    for pattern, theirs in _RULES:
        if re.match(pattern, ours):
            return (re.sub(pattern, theirs, ours, count=1),)
    raise AssertionError(f"no rule for {ours}")
