"""APViT: a transformer on the cells of a feature map, which drops uninformative cells twice.

Source: Xue et al., "Vision transformer with attentive pooling for robust facial expression recognition"
(2022), figure 2, and the authors' code (youqingxiaozhua/APViT, 9efaf97, PyTorch), whose arithmetic is the
default here. Differences between paper and code stand in docs/differences.md.

    image -> image backbone -> 196 patches -> the 160 strongest -> 4 blocks
          -> 4 blocks, each dropping a tenth of its patches -> class token -> class

Attentive pooling only selects: no patch is weighted by its score, and no gradient passes through the selection.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from mien.errors import OptionError, UnknownNameError
from mien.nn.attention import attend
from mien.nn.backbones import image_backbone
from mien.nn.checks import check_faces, check_multiple, check_sizes
from mien.nn.hooks import capture, hook, numbered
from mien.nn.mlp import Mlp
from mien.nn.mobilefacenet import LIGHT_BACKBONE, OFFICIAL, MobileFaceNetConfig

Score = Literal["sum", "sum_abs", "max", "max_abs"]

SCORES: dict[str, Callable[[Tensor], Tensor]] = {  # (B, N, parts) -> (B, N)
    "sum": lambda x: x.sum(dim=2),
    "sum_abs": lambda x: x.abs().sum(dim=2),
    "max": lambda x: x.amax(dim=2),
    "max_abs": lambda x: x.abs().amax(dim=2),
}


@dataclass(frozen=True, kw_only=True)
class APViTConfig:
    """Sizes. Defaults: the authors' network for RAF-DB."""

    classes: int = 7
    size_px: int = 112
    backbone: Literal["ir50", "mobilefacenet"] = "ir50"
    image: MobileFaceNetConfig = OFFICIAL  # of the light backbone; IR-50 has no options
    keep_patches: int = 160  # of 196, before the first block
    patch_score: Score = "sum_abs"  # over the channels of a patch
    keep_rates: tuple[float, ...] = (1.0,) * 4 + (0.9,) * 4  # of the patches, after the attention of each block
    token_score: Score = "sum"  # noqa: S105 - over the heads: the class token's attention logits
    width: int = 768
    heads: int = 8
    mlp_ratio: float = 3.0

    def __post_init__(self) -> None:
        check_sizes(classes=self.classes, heads=self.heads, keep_patches=self.keep_patches)
        check_multiple("size_px", self.size_px, 8, why="the pixels of a patch")
        check_multiple("width", self.width, self.heads, why="the heads")
        for score in (self.patch_score, self.token_score):
            if score not in SCORES:
                raise UnknownNameError("score of APViT", score, SCORES)
        left = self.keep_patches
        if left > self.patches:
            raise OptionError(
                f"keep_patches is at most {self.patches}, the cells at {self.size_px} pixels; not {left}"
            )
        for rate in self.keep_rates:
            left = int(left * rate) if 0 < rate <= 1 else 0
        if not self.keep_rates or left < 1:
            raise OptionError(
                "keep_rates are one number for each block, above 0 and up to 1, that leave at least one of "
                f"{self.keep_patches} patches; not {self.keep_rates}"
            )

    @property
    def patches(self) -> int:
        """Cells of the feature map."""
        return (self.size_px // 8) ** 2

    def build(self) -> APViT:
        """The network, with random weights."""
        return APViT(self)


LIGHT = APViTConfig(
    classes=8,
    backbone="mobilefacenet",
    image=LIGHT_BACKBONE,
    width=192,
    heads=6,
)


class Block(nn.Module):
    """Pre-norm transformer block that drops patches between its attention and its feed-forward net."""

    def __init__(self, config: APViTConfig, *, keep_rate: float) -> None:
        super().__init__()
        width = config.width
        self.heads, self.keep_rate = config.heads, keep_rate
        self.score = SCORES[config.token_score]
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.proj = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = Mlp(width, round(width * config.mlp_ratio))

    def forward(self, x: Tensor, *, class_only: bool = False) -> tuple[Tensor, Tensor | None]:
        """Class token and patches (B, 1 + N, C) -> the kept ones (B, 1 + M, C) and their indices (B, M).

        The indices are None where all are kept. `class_only`: only the class token's row (B, 1, C).
        """
        q, k, v = self.qkv(self.norm1(x)).chunk(3, dim=-1)
        kept = None
        if self.keep_rate < 1:
            products = q[:, :1].detach().float() * k[:, 1:].detach().float()  # (B, N, C): in full precision
            products = products.unflatten(-1, (self.heads, -1)).sum(dim=-1)  # (B, N, heads)
            scores = self.score(products * (q.shape[-1] / self.heads) ** -0.5)  # (B, N)
            hook("token_scores", scores)
            kept = strongest(scores, int(scores.shape[1] * self.keep_rate))
        if class_only:
            q, x = q[:, :1], x[:, :1]
        x = x + self.proj(attend(q, k, v, heads=self.heads))
        if kept is not None and not class_only:
            x = torch.cat([x[:, :1], take_rows(x[:, 1:], kept)], dim=1)
        return x + self.mlp(self.norm2(x)), kept


class APViT(nn.Module):
    """Aligned face (B, 3, 112, 112) -> logits (B, classes)."""

    def __init__(self, config: APViTConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.image_backbone = image_backbone(config.backbone, replace(config.image, maps=2))
        self.embed = nn.Conv2d(self.image_backbone.out_channels[-1], width, 1)
        self.patch_pos_embed = nn.Parameter(torch.empty(1, config.patches, width))
        self.cls_token = nn.Parameter(torch.empty(1, 1, width))
        self.cls_pos_embed = nn.Parameter(torch.empty(1, 1, width))
        for vectors in (self.patch_pos_embed, self.cls_token, self.cls_pos_embed):
            nn.init.trunc_normal_(vectors, std=0.02)
        self.blocks = nn.ModuleList(Block(config, keep_rate=rate) for rate in config.keep_rates)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.head = nn.Linear(width, config.classes)
        nn.init.zeros_(self.head.weight)  # as the authors do
        nn.init.zeros_(self.head.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))

    def features(self, x: Tensor) -> Tensor:
        """Aligned face -> the vector (B, width) that the head reads."""
        return self._encode(x)[0]

    def kept_patches(self, x: Tensor) -> list[Tensor]:
        """Aligned face -> after each pooling, the indices (B, M) of the cells that are left, ascending."""
        return self._encode(x)[1]

    def intermediates(self, x: Tensor) -> dict[str, Tensor]:
        """Aligned face -> intermediate tensors of `forward`, by name.

        - "image.1", ...: maps of the image backbone, finest first; the last, (B, C', 14, 14), is cut into patches.
        - "patch_scores" (B, 196): of each cell of the 14 x 14 grid, row by row; "kept_patches" (B, 160): indices of
          the cells that reach the transformer, ascending.
        - "tokens" (B, 161, C): the class token and these patches, the input of the transformer.
        - "attention.block0", ...: (B, heads, 1 + N, 1 + N) over the N patches that are left when the block begins;
          of the last block the class token's row (B, heads, 1, 1 + N).
        - for each block that drops patches, such as 4: "token_scores.block4" (B, N), the class token's attention to
          each patch before the softmax; "kept_tokens.block4" (B, M): the cells left after it, ascending.
          What the last block drops changes nothing.
        - "features" (B, C), which the head reads; "logits" (B, classes).
        """
        with capture() as captured:
            features, (patches, *kept) = self._encode(x)
        named = numbered("image", captured["image"])
        named |= {
            "patch_scores": captured["patch_scores"][0],
            "kept_patches": patches,
            "tokens": captured["tokens"][0],
        }
        named |= {f"attention.block{i}": weights for i, weights in enumerate(captured["attention"])}
        pooling = [i for i, rate in enumerate(self.config.keep_rates) if rate < 1]
        for i, scores, cells in zip(pooling, captured["token_scores"], kept, strict=True):
            named |= {f"token_scores.block{i}": scores, f"kept_tokens.block{i}": cells}
        return named | {"features": features, "logits": self.head(features)}

    def _encode(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        check_faces(x, self.config.size_px)
        maps = self.image_backbone(x)
        patches = self.embed(maps[-1]).flatten(2).transpose(1, 2)  # (B, 196, C)
        scores = SCORES[self.config.patch_score](patches.detach().float())  # (B, 196)
        hook("image", *maps)
        hook("patch_scores", scores)
        cells = strongest(scores, self.config.keep_patches)
        patches = take_rows(patches + self.patch_pos_embed, cells)  # (B, 160, C)
        cls = (self.cls_token + self.cls_pos_embed).expand(x.shape[0], -1, -1)
        y = torch.cat([cls, patches], dim=1)
        hook("tokens", y)
        kept = [cells]
        for i, block in enumerate(self.blocks):
            y, indices = block(y, class_only=i == len(self.blocks) - 1)
            if indices is not None:
                kept.append(kept[-1].gather(1, indices))
        return self.norm(y[:, 0]), kept


def strongest(scores: Tensor, count: int) -> Tensor:
    """Indices (B, count) of the highest scores (B, N), ascending."""
    return scores.topk(count, dim=1, sorted=False).indices.sort(dim=1).values


def take_rows(x: Tensor, rows: Tensor) -> Tensor:
    """Rows (B, M) of tokens (B, N, C) -> (B, M, C)."""
    starts = torch.arange(x.shape[0], device=x.device).unsqueeze(1) * x.shape[1]
    return x.flatten(0, 1).index_select(0, (rows + starts).flatten()).view(*rows.shape, x.shape[2])
