"""Official POSTER++ checkpoints, any number of classes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch

from mien.errors import WeightsError
from mien.models.poster_v2 import PosterV2, PosterV2Config, relative_positions
from mien.weights.official.backbones import ir50_head, ir50_staged, landmark_head
from mien.weights.official.layout import Layout, Shapes, State, classes_in, layout_of, move, shapes_of

_RULES = (  # ours -> theirs, the first that fits; {n} is our counter plus one
    (r"image_backbone\.", "ir_back."),
    (r"landmark_backbone\.", "face_landback."),
    (r"image_convs\.(?P<n>\d)\.", "conv{n}."),
    (r"landmark_convs\.2\.", "last_face_conv."),
    (r"levels\.(?P<n>\d)\.norm\.", "window{n}.norm."),
    (r"levels\.(?P<n>\d)\.attention\.kv\.", "attn{n}.qkv."),
    (r"levels\.(?P<n>\d)\.attention\.", "attn{n}."),
    (r"levels\.(?P<n>\d)\.mlp_norm\.", "ffn{n}.norm."),
    (r"levels\.(?P<n>\d)\.", "ffn{n}."),
    (r"embed\.0\.", "embed_q."),
    (r"embed\.1\.", "embed_k.0."),
    (r"embed\.2\.", "embed_v.proj."),
    (r"(?P<b>blocks\.\d\.)(?=qkv|proj)", "VIT.{b}attn."),
    (r"head\.", "VIT.head.linear."),
    (r"", "VIT."),
)


def recognises(state: Mapping[str, Any]) -> bool:
    """Also a file that misses some tensors."""
    return any(key.startswith("VIT.") for key in state)


def config_of(state: Mapping[str, Any]) -> PosterV2Config:
    """Only the number of classes differs between official files."""
    return PosterV2Config(classes=classes_in(state, "VIT.head.linear.weight"))


def layout(config: PosterV2Config) -> Layout:
    """The tensors of an official file."""
    dead = [landmark_head("face_landback."), ir50_head("ir_back."), _unused_vit(), _positions(config)]
    return layout_of(shapes_of(PosterV2, config), _names, dead)


def convert(state: Mapping[str, Any], *, source: str = "this state dict") -> tuple[State, PosterV2Config]:
    """Official state dict -> ours, and the config of the network that it fits."""
    config = config_of(state)
    moved = move(state, layout(config), source=source)
    for key, side in zip(_positions(config), config.windows, strict=True):
        if key in state and not torch.equal(state[key].cpu(), relative_positions(side)):
            raise WeightsError(f"{source} orders relative positions in another way: {key} is not the authors'")
    return moved, config


def _unused_vit() -> Shapes:
    """Layers of the transformer that the official forward pass never reaches."""
    shapes: Shapes = {
        "VIT.patch_embed.proj.weight": (768, 256, 1, 1),
        "VIT.patch_embed.proj.bias": (768,),
        "VIT.eca_block.conv.weight": (1, 1, 5),
        "VIT.CON1.weight": (768, 256, 1, 1),
        "VIT.IRLinear1.weight": (768, 1024),
        "VIT.IRLinear1.bias": (768,),
        "VIT.IRLinear2.weight": (512, 768),
        "VIT.IRLinear2.bias": (512,),
    }
    for i in range(2):
        shapes |= {f"VIT.blocks.{i}.conv.weight": (148, 148, 1), f"VIT.blocks.{i}.conv.bias": (148,)}
    return shapes


def _positions(config: PosterV2Config) -> Shapes:
    """Follows from the window's side; ours is computed and not stored."""
    return {f"attn{i}.relative_position_index": (side**2,) * 2 for i, side in enumerate(config.windows, 1)}


def _names(ours: str) -> tuple[str]:
    for pattern, theirs in _RULES:
        if match := re.match(pattern, ours):
            groups = match.groupdict()
            if "n" in groups:
                groups["n"] = int(groups["n"]) + 1
            return (ir50_staged(theirs.format(**groups) + ours[match.end() :]),)
    raise AssertionError(f"no rule for {ours}")
