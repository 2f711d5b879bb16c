"""Official POSTER checkpoints: both variants, all sizes, any number of classes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mien.errors import WeightsError
from mien.models.poster import DEPTHS, Poster, PosterConfig
from mien.weights.official.backbones import ir50_flat, ir50_head, landmark_head
from mien.weights.official.layout import Layout, Shapes, State, classes_in, layout_of, move, shapes_of

_LEVELS = {"fine": "block_l", "middle": "block_m", "coarse": "block_s"}
_STREAMS = {  # ours holds both streams: image, landmarks
    "norm1": ("norm1", "norm3"),
    "kv": ("attn_img.kv", "attn_lm.kv"),
    "proj": ("attn_img.proj", "attn_lm.proj"),
    "norm2": ("norm2", "norm4"),
    "fc1": ("mlp1.fc1", "mlp2.fc1"),
    "fc2": ("mlp1.fc2", "mlp2.fc2"),
    "mix": ("conv",),
}
_RULES = (  # ours -> theirs, the first that fits
    (r"image_backbone\.", "ir_back."),
    (r"landmark_backbone\.", "face_landback."),
    (r"image_tokens\.linear\.", "ir_layer."),
    (r"pos_embed", "pyramid_fuse.pos_embed"),
    (r"fine_to_middle\.", "pyramid_fuse.downsample_m."),
    (r"fine_to_coarse\.", "pyramid_fuse.downsample_s."),
    (r"(blocks\.\d+\.)coarse_to_middle\.", r"pyramid_fuse.\1upsample_s."),
    (r"(blocks\.\d+\.)middle_to_fine\.", r"pyramid_fuse.\1upsample_m."),
    (r"norm\.", "pyramid_fuse.norm."),
    (r"se_block\.", "se_block."),
    (r"head\.", "head.linear."),
)
_BLOCK = re.compile(r"(blocks\.\d+)\.(fine|middle|coarse)\.(\w+)\.(\w+)$")


def recognises(state: Mapping[str, Any]) -> bool:
    """Also a file that misses some tensors."""
    return any(key.startswith("pyramid_fuse.") for key in state)


def config_of(state: Mapping[str, Any], *, source: str) -> PosterConfig:
    """Size, variant and number of classes, from names and shapes."""
    blocks = {m[1] for key in state if (m := re.match(r"pyramid_fuse\.blocks\.(\d+)\.", key))}
    sizes = {depth: size for size, depth in DEPTHS.items()}
    if len(blocks) not in sizes:
        known = ", ".join(f"{size} {depth}" for size, depth in DEPTHS.items())
        raise WeightsError(f"{source} is a POSTER with {len(blocks)} pyramid blocks; the sizes are {known}")
    return PosterConfig(
        classes=classes_in(state, "head.linear.weight"),
        size=sizes[len(blocks)],  # type: ignore[arg-type]
        token_mix=any(re.search(r"\.block_[lms]\.conv\.", key) for key in state),
    )


def layout(config: PosterConfig) -> Layout:
    """The tensors of an official file."""
    class_token: Shapes = {"pyramid_fuse.cls_token": (1, 1, 512)}
    dead = [landmark_head("face_landback."), ir50_head("ir_back."), class_token]
    return layout_of(shapes_of(Poster, config), _names, dead)


def convert(state: Mapping[str, Any], *, source: str = "this state dict") -> tuple[State, PosterConfig]:
    """Official state dict -> ours, and the config of the network that it fits."""
    config = config_of(state, source=source)
    return move(state, layout(config), source=source), config


def _names(ours: str) -> tuple[str, ...]:
    if match := _BLOCK.match(ours):
        block, level, part, leaf = match.groups()
        return tuple(f"pyramid_fuse.{block}.{_LEVELS[level]}.{name}.{leaf}" for name in _STREAMS[part])
    for pattern, theirs in _RULES:
        if re.match(pattern, ours):
            return (ir50_flat(re.sub(pattern, theirs, ours, count=1)),)
    raise AssertionError(f"no rule for {ours}")
