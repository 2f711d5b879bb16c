"""POSTER: cross-attention between an image and a landmark stream, on three levels of a pyramid.

Source: Zheng et al., "POSTER: A pyramid cross-fusion transformer network for facial expression recognition"
(2023), figure 2, and the authors' code (zczcwh/POSTER, ba2e3e9), whose arithmetic is the default here.
Differences between paper and code stand in docs/differences.md.

    image -> image backbone ----> 49 tokens + their mean --\\
                                                            pyramid of cross-attention -> image mean -> class
    image -> landmark backbone -> 49 tokens + their mean --/

Shapes: B images, N = 50 tokens of a stream (its mean first), C width. "Streams" are (2, B, N, C), the image, then
the landmarks; both have layers of the same shape, so each pair of layers is one batched product. Where the authors
treat tokens as channels, the streams are concatenated: (B, 2N, C).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mien.errors import UnknownNameError
from mien.nn.attention import attend
from mien.nn.backbones import image_backbone, nearest
from mien.nn.checks import check_drop, check_faces, check_multiple, check_sizes
from mien.nn.drop_path import DropPath
from mien.nn.hooks import capture, hook, numbered
from mien.nn.linear import StreamLinear
from mien.nn.mobilefacenet import (
    LIGHT_BACKBONE,
    OFFICIAL,
    MobileFaceNet,
    MobileFaceNetConfig,
)
from mien.nn.squeeze_excite import SqueezeExcite

DEPTHS = {"small": 4, "base": 6, "large": 8}  # pyramid blocks


@dataclass(frozen=True, kw_only=True)
class PosterConfig:
    """Sizes. Defaults: the authors' network for RAF-DB."""

    classes: int = 7
    size: Literal["small", "base", "large"] = "large"
    token_mix: bool = True  # after every block, as for RAF-DB; the AffectNet network does not mix
    size_px: int = 112  # a 224-pixel input is halved by taking every second pixel, as the authors do
    backbone: Literal["ir50", "mobilefacenet"] = "ir50"
    image: MobileFaceNetConfig = OFFICIAL  # of the light backbone; IR-50 has no options
    landmarks: MobileFaceNetConfig = OFFICIAL
    width: int = 512  # of the tokens; a half and a quarter of it on the coarser levels
    heads: int = 8  # on every level
    mlp_ratio: float = 2.0
    drop_path: float = 0.1  # of the last block; earlier ones have less

    def __post_init__(self) -> None:
        check_sizes(classes=self.classes, heads=self.heads)
        check_drop("drop_path", self.drop_path)
        check_multiple("size_px", self.size_px, 16, why="the pixels of a cell")
        check_multiple("width", self.width, 4 * self.heads, why="four times the heads, which share a quarter of it")

    @property
    def depth(self) -> int:
        """Pyramid blocks."""
        if self.size not in DEPTHS:
            raise UnknownNameError("size of POSTER", self.size, DEPTHS)
        return DEPTHS[self.size]

    @property
    def cells(self) -> int:
        """Tokens of one stream without its mean."""
        return (self.size_px // 16) ** 2

    def build(self) -> Poster:
        """The network, with random weights."""
        return Poster(self)


LIGHT = PosterConfig(
    classes=8,
    size="small",
    backbone="mobilefacenet",
    image=LIGHT_BACKBONE,
    landmarks=LIGHT_BACKBONE,
    width=192,
    heads=6,
    drop_path=0.05,
)


class ImageTokens(nn.Module):
    """Image map -> one token per cell of the landmark map.

    IR-50's map has four cells where the landmark map has one. The authors' network does not gather these four: it
    reads the memory of (256, 14, 14) as 49 rows of 1024 numbers, about five channels each.
    """

    def __init__(self, config: PosterConfig, channels: int) -> None:
        super().__init__()
        self.cells, self.from_memory = config.cells, config.backbone == "ir50"
        self.linear = nn.Linear(4 * channels if self.from_memory else channels, config.width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C', H, W) -> (B, cells, C)."""
        if self.from_memory:
            tokens = x.contiguous().reshape(
                x.shape[0], self.cells, self.linear.in_features
            )  # channels before cells, always
        else:
            tokens = x.flatten(2).transpose(1, 2)
        return self.linear(tokens)


class StreamNorm(nn.Module):
    """Layer norm of both streams, with an affine map for each."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2, width))
        self.bias = nn.Parameter(torch.zeros(2, width))
        self.eps = 1e-6

    def normalise(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], eps=self.eps)

    def affine(self, x: Tensor) -> Tensor:
        """(S, B, N, C), of both streams or of the image alone."""
        weight, bias = (part[: x.shape[0], None, None] for part in (self.weight, self.bias))
        return torch.addcmul(bias, x, weight)

    def forward(self, x: Tensor) -> Tensor:
        return self.affine(self.normalise(x))


class CrossFusion(nn.Module):
    """Each stream takes its queries from the other one, then runs its feed-forward net (section 3.2).

    The queries are the other stream's normalised tokens, under the affine map of this stream's norm.
    """

    def __init__(self, config: PosterConfig, *, width: int, drop_path: float) -> None:
        super().__init__()
        self.heads = config.heads
        hidden, tokens = round(width * config.mlp_ratio), 2 * (config.cells + 1)
        self.norm1 = StreamNorm(width)
        self.kv = StreamLinear(width, 2 * width)
        self.proj = StreamLinear(width, width)
        self.norm2 = StreamNorm(width)
        self.fc1 = StreamLinear(width, hidden)
        self.fc2 = StreamLinear(hidden, width)
        self.mix = nn.Conv1d(tokens, tokens, 1) if config.token_mix else None
        self.drop_path = DropPath(drop_path, sample_dims=2)  # each stream of each image

    def forward(self, x: Tensor, *, summary_only: bool = False) -> Tensor:
        """(B, 2N, C) -> (B, 2N, C), or the image's mean (B, 1, C) where nothing else is read."""
        own = x.unflatten(1, (2, -1)).transpose(0, 1)  # (2, B, N, C)
        normed = self.norm1.normalise(own)
        other = normed.flip(0)
        if summary_only and self.mix is None:  # without mixing, the output of the landmark stream is not used
            own, normed, other = own[:1, :, :1], normed[:1], other[:1, :, :1]
        y = own + self.drop_path(self._attend(self.norm1.affine(other), self.norm1.affine(normed)))
        y = y + self.drop_path(self.fc2(F.gelu(self.fc1(self.norm2(y)))))
        y = y.transpose(0, 1).flatten(1, 2)  # (B, 2N, C)
        if self.mix is None:
            return y
        rows = 1 if summary_only else y.shape[1]
        return F.conv1d(y, self.mix.weight[:rows], self.mix.bias[:rows])  # type: ignore[index]

    def _attend(self, query: Tensor, context: Tensor) -> Tensor:
        """(S, B, M, C) attends to (S, B, N, C) -> (S, B, M, C)."""
        key, value = self.kv(context).chunk(2, dim=-1)
        streams = (part.flatten(0, 1) for part in (query, key, value))  # (2B, N, C)
        return self.proj(attend(*streams, heads=self.heads).view(query.shape))


class PyramidBlock(nn.Module):
    """Cross-fusion on three levels; then each finer level adds the coarser one, upsampled."""

    def __init__(self, config: PosterConfig, *, drop_path: float) -> None:
        super().__init__()
        width, tokens = config.width, 2 * (config.cells + 1)
        self.fine = CrossFusion(config, width=width, drop_path=drop_path)
        self.middle = CrossFusion(config, width=width // 2, drop_path=drop_path)
        self.coarse = CrossFusion(config, width=width // 4, drop_path=drop_path)
        self.coarse_to_middle = nn.ConvTranspose1d(tokens, tokens, 2, stride=2)
        self.middle_to_fine = nn.ConvTranspose1d(tokens, tokens, 2, stride=2)

    def forward(
        self, fine: Tensor, middle: Tensor, coarse: Tensor, *, summary_only: bool = False
    ) -> tuple[Tensor, Tensor, Tensor]:
        """(B, 2N, C), (B, 2N, C/2), (B, 2N, C/4) -> the same shapes, or of the first only the image's mean."""
        fine = self.fine(fine, summary_only=summary_only)
        coarse = self.coarse(coarse)
        middle = self.middle(middle) + self.coarse_to_middle(coarse)
        rows = fine.shape[1]  # tokens are channels here: only those that are read are computed
        weight, bias = self.middle_to_fine.weight[:, :rows], self.middle_to_fine.bias[:rows]  # type: ignore[index]
        fine = fine + F.conv_transpose1d(middle, weight, bias, stride=2)
        return fine, middle, coarse


class Poster(nn.Module):
    """Aligned face (B, 3, 112, 112), or twice that side, -> logits (B, classes)."""

    def __init__(self, config: PosterConfig) -> None:
        super().__init__()
        self.config = config
        width, tokens = config.width, 2 * (config.cells + 1)
        self.image_backbone = image_backbone(config.backbone, config.image)
        self.landmark_backbone = MobileFaceNet(config.landmarks).requires_grad_(False)  # as the authors do
        self.image_tokens = ImageTokens(config, self.image_backbone.out_channels[2])
        features = self.landmark_backbone.out_channels[2]
        self.landmark_tokens = nn.Identity() if features == width else nn.Linear(features, width)
        self.pos_embed = nn.Parameter(torch.zeros(1, config.cells + 1, width))  # of the image tokens only
        self.fine_to_middle = nn.Conv1d(tokens, tokens, 2, stride=2)
        self.fine_to_coarse = nn.Conv1d(tokens, tokens, 4, stride=4)
        rates = [config.drop_path * i / (config.depth - 1) for i in range(config.depth)]
        self.blocks = nn.ModuleList(PyramidBlock(config, drop_path=rate) for rate in rates)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.se_block = SqueezeExcite(width)
        self.head = nn.Linear(width, config.classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))

    def features(self, x: Tensor) -> Tensor:
        """Aligned face -> the vector (B, width) that the head reads."""
        check_faces(x, self.config.size_px, larger=True)
        x = nearest(x, self.config.size_px)
        image_maps, landmark_maps = self.image_backbone(x), self.landmark_backbone(x)
        hook("image", *image_maps)
        hook("landmarks", *landmark_maps)
        image = with_mean(self.image_tokens(image_maps[2])) + self.pos_embed  # (B, N, C)
        landmarks = with_mean(self.landmark_tokens(landmark_maps[2].flatten(2).transpose(1, 2)))  # (B, N, C)
        fine = torch.cat([image, landmarks], dim=1)  # (B, 2N, C)
        middle, coarse = self.fine_to_middle(fine), self.fine_to_coarse(fine)  # (B, 2N, C/2), (B, 2N, C/4)
        for i, block in enumerate(self.blocks):
            hook("tokens", fine)
            fine, middle, coarse = block(fine, middle, coarse, summary_only=i == len(self.blocks) - 1)
        return self.se_block(self.norm(fine[:, 0]))

    def intermediates(self, x: Tensor) -> dict[str, Tensor]:
        """Aligned face -> intermediate tensors of `forward`, by name.

        - "image.1" to "image.3": maps of the image backbone, finest first. IR-50: (B, 64, 56, 56),
          (B, 128, 28, 28), (B, 256, 14, 14); MobileFaceNet: as the landmarks.
        - "landmarks.1" to "landmarks.3": (B, 64, 28, 28), (B, 128, 14, 14), (B, 512, 7, 7).
        - "tokens.0", ...: the input of each pyramid block on its finest level (B, 2N, C): the mean of the image map
          and its cells, then those of the landmark map.
        - "attention.block0.fine.image", ... for each block, level (fine, middle, coarse) and stream (image,
          landmarks): (B, heads, N, N), rows are the queries, from the other stream. On the finest level of the last
          block without `token_mix`, the only query is the landmarks' mean, to the image: (B, heads, 1, N).
        - "features" (B, C), which the head reads; "logits" (B, classes).
        """
        with capture() as captured:
            features = self.features(x)
        named = numbered("image", captured["image"]) | numbered("landmarks", captured["landmarks"])
        named |= {f"tokens.{i}": tokens for i, tokens in enumerate(captured["tokens"])}
        levels = [f"block{i}.{level}" for i in range(len(self.blocks)) for level in ("fine", "coarse", "middle")]
        for level, weights in zip(levels, captured["attention"], strict=True):
            alone = level == f"block{len(self.blocks) - 1}.fine" and not self.config.token_mix
            streams = ("image",) if alone else ("image", "landmarks")
            parts = zip(streams, weights.chunk(len(streams)), strict=True)
            named |= {f"attention.{level}.{stream}": part for stream, part in parts}
        return named | {"features": features, "logits": self.head(features)}


def with_mean(tokens: Tensor) -> Tensor:
    """Prepend the mean of the tokens (B, N, C) -> (B, N + 1, C)."""
    return torch.cat([tokens.mean(dim=1, keepdim=True), tokens], dim=1)
