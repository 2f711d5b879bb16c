"""POSTER++ (POSTER V2): cross-attention from landmark to image features on three levels, then a small ViT.

Source: Mao et al., "POSTER++: A simpler and stronger facial expression recognition network" (2023), figure 2,
and the authors' code (Talented-Q/POSTER_V2, 18de559), whose arithmetic is the default here. Differences
between paper and code stand in docs/differences.md.

    image -> image backbone ----> level 1, 2, 3 --\
                                                  window cross-attention -> tokens of one grid -> ViT -> class
    image -> landmark backbone -> level 1, 2, 3 --/
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from mien.errors import OptionError
from mien.nn.attention import attend
from mien.nn.backbones import image_backbone, nearest
from mien.nn.checks import check_drop, check_faces, check_multiple, check_sizes
from mien.nn.drop_path import DropPath
from mien.nn.hooks import capture, hook, numbered
from mien.nn.mlp import Mlp
from mien.nn.mobilefacenet import (
    LIGHT_BACKBONE,
    OFFICIAL,
    MobileFaceNet,
    MobileFaceNetConfig,
)
from mien.nn.squeeze_excite import SqueezeExcite


@dataclass(frozen=True, kw_only=True)
class PosterV2Config:
    """Sizes. Defaults: the authors' network for RAF-DB."""

    classes: int = 7
    size_px: int = 112  # a 224-pixel input is halved by taking every second pixel, as the authors do
    backbone: Literal["ir50", "mobilefacenet"] = "ir50"
    image: MobileFaceNetConfig = OFFICIAL  # of the light backbone; IR-50 has no options
    landmarks: MobileFaceNetConfig = OFFICIAL
    channels: tuple[int, int, int] = (64, 128, 256)  # of the three levels
    heads: tuple[int, int, int] = (2, 4, 8)
    windows: tuple[int, int, int] = (28, 14, 7)  # the authors' windows span the whole grid
    drop_path: tuple[float, float, float] = (0.0, 0.125, 0.25)
    layer_scale: float = 1e-5
    level_mlp_ratio: float = 4.0
    width: int = 768  # of the tokens
    depth: int = 2
    vit_heads: int = 8
    vit_mlp_ratio: float = 4.0
    linear_std: float | None = 0.01  # of the transformer's initial weights; None: torch's initialisation
    mean_class_token: bool = False  # add the mean of the coarsest tokens to the class token, as POSTER does

    def __post_init__(self) -> None:
        for name in ("channels", "heads", "windows", "drop_path"):
            if not isinstance(getattr(self, name), (tuple, list)) or len(getattr(self, name)) != 3:
                raise OptionError(f"{name} are three values, one for each level, not {getattr(self, name)!r}")
        check_sizes(classes=self.classes, depth=self.depth, vit_heads=self.vit_heads)
        for rate in self.drop_path:
            check_drop("drop_path", rate)
        check_multiple("size_px", self.size_px, 16, why="the pixels of a coarse cell")
        check_multiple("width", self.width, self.vit_heads, why="the vit_heads")
        for channels, heads, grid, window in zip(self.channels, self.heads, self.grids, self.windows, strict=True):
            check_sizes(heads=heads, windows=window)
            check_multiple("channels", channels, heads, why="the heads of its level")
            if grid % window:
                raise OptionError(f"windows divide their grids {self.grids}; {window} does not divide {grid}")

    @property
    def grids(self) -> tuple[int, int, int]:
        """Cells along one side of each level."""
        return self.size_px // 4, self.size_px // 8, self.size_px // 16

    def build(self) -> PosterV2:
        """The network, with random weights."""
        return PosterV2(self)


LIGHT = PosterV2Config(
    classes=8,
    size_px=96,
    backbone="mobilefacenet",
    image=LIGHT_BACKBONE,
    landmarks=LIGHT_BACKBONE,
    channels=(64, 128, 192),
    heads=(2, 4, 6),
    windows=(6, 6, 6),
    level_mlp_ratio=2.0,
    drop_path=(0.0, 0.05, 0.1),
    layer_scale=0.1,
    width=192,
    vit_heads=6,
    vit_mlp_ratio=2.0,
    linear_std=None,
    mean_class_token=True,
)


class WindowCrossAttention(nn.Module):
    """Landmark features attend to the image features of the same window (section 3.2).

    The queries are the landmark features themselves; keys and values come from the normalised image
    features; a bias is learned for every relative position (Swin).
    """

    relative_position_index: Tensor  # (N, N), not stored: it follows from the window size

    def __init__(self, channels: int, *, heads: int, window: int) -> None:
        super().__init__()
        self.heads, self.window = heads, window
        self.kv = nn.Linear(channels, 2 * channels)
        self.proj = nn.Linear(channels, channels)
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)
        self.register_buffer("relative_position_index", relative_positions(window), persistent=False)
        self._bias: tuple[Tensor, int, Tensor] | None = None  # table, its version, the bias gathered from it

    def forward(self, image: Tensor, landmarks: Tensor) -> Tensor:
        """Image and landmark features (B, H, W, C) -> context (B, H, W, C)."""
        h, w = image.shape[1:3]
        q = windows(landmarks, self.window).contiguous()  # (B', N, C); fused attention needs contiguous rows
        k, v = self.kv(windows(image, self.window)).chunk(2, dim=-1)
        context = self.proj(attend(q, k, v, heads=self.heads, bias=self._relative_bias()))  # (B', N, C)
        return unwindows(context, self.window, h, w)

    def _relative_bias(self) -> Tensor:
        """The bias of each query and key (1, heads, N, N); gathered once while the table does not change."""
        table = self.relative_position_bias_table
        if torch.compiler.is_compiling() or torch.is_grad_enabled() or self.training or table.is_inference():
            return self._gather(table)
        if self._bias is None or self._bias[0] is not table or self._bias[1] != table._version:
            self._bias = table, table._version, self._gather(table)
        return self._bias[2]

    def _gather(self, table: Tensor) -> Tensor:
        return table.t()[:, self.relative_position_index].unsqueeze(0)

    def train(self, mode: bool = True) -> WindowCrossAttention:
        self._bias = None
        return super().train(mode)

    def _apply(self, *args: Any, **kwargs: Any) -> WindowCrossAttention:
        self._bias = None  # the table moves to another device or type
        return super()._apply(*args, **kwargs)  # type: ignore[no-untyped-call]


class Level(nn.Module):
    """Cross-attention and a feed-forward net on one level; residuals start from the normalised image features."""

    def __init__(
        self,
        channels: int,
        *,
        heads: int,
        window: int,
        drop_path: float,
        layer_scale: float,
        mlp_ratio: float,
    ) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels, eps=1e-5)
        self.attention = WindowCrossAttention(channels, heads=heads, window=window)
        self.mlp_norm = nn.LayerNorm(channels, eps=1e-5)
        self.mlp = Mlp(channels, round(channels * mlp_ratio))
        self.gamma1 = nn.Parameter(torch.full((channels,), layer_scale))
        self.gamma2 = nn.Parameter(torch.full((channels,), layer_scale))
        self.drop_path = DropPath(drop_path)

    def forward(self, image: Tensor, landmarks: Tensor) -> Tensor:
        """Maps (B, C, H, W) of both streams -> fused map (B, C, H, W)."""
        x = self.norm(image.permute(0, 2, 3, 1))  # (B, H, W, C)
        x = x + self.drop_path(self.gamma1 * self.attention(x, landmarks.permute(0, 2, 3, 1)))
        x = x + self.drop_path(self.gamma2 * self.mlp(self.mlp_norm(x)))
        return x.permute(0, 3, 1, 2)  # (B, C, H, W)


class Block(nn.Module):
    """Pre-norm transformer block of the ViT."""

    def __init__(self, width: int, *, heads: int, mlp_ratio: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = Mlp(width, round(width * mlp_ratio))

    def forward(self, x: Tensor, *, class_only: bool = False) -> Tensor:
        """(B, N, C) -> (B, N, C), or only the class row (B, 1, C) where nothing else is read."""
        q, k, v = self.qkv(self.norm1(x)).chunk(3, dim=-1)
        if class_only:
            q, x = q[:, :1], x[:, :1]
        x = x + self.proj(attend(q, k, v, heads=self.heads))
        return x + self.mlp(self.norm2(x))


class PosterV2(nn.Module):
    """Aligned face (B, 3, 112, 112), or twice that side, -> logits (B, classes)."""

    def __init__(self, config: PosterV2Config) -> None:
        super().__init__()
        self.config = config
        light = config.backbone == "mobilefacenet"
        self.image_backbone = image_backbone(config.backbone, config.image)
        self.landmark_backbone = MobileFaceNet(config.landmarks).requires_grad_(False)  # as the authors do
        # IR-50's maps are twice as fine as the levels: its convolutions stride; the light backbone's fit.
        kernel, stride, padding = (1, 1, 0) if light else (3, 2, 1)
        self.image_convs = nn.ModuleList(
            nn.Conv2d(in_channels, out_channels, kernel, stride, padding)
            for in_channels, out_channels in zip(self.image_backbone.out_channels, config.channels, strict=True)
        )
        self.landmark_convs = nn.ModuleList(
            nn.Identity()
            if in_channels == out_channels
            else nn.Conv2d(in_channels, out_channels, 1 if light else 3, padding=0 if light else 1)
            for in_channels, out_channels in zip(self.landmark_backbone.out_channels, config.channels, strict=True)
        )
        self.levels = nn.ModuleList(
            Level(
                channels,
                heads=heads,
                window=window,
                drop_path=rate,
                layer_scale=config.layer_scale,
                mlp_ratio=config.level_mlp_ratio,
            )
            for channels, heads, window, rate in zip(
                config.channels, config.heads, config.windows, config.drop_path, strict=True
            )
        )
        fine, middle, coarse = config.channels
        width = config.width
        self.embed = nn.ModuleList(
            [
                nn.Sequential(nn.Conv2d(fine, width, 3, 2, 1), nn.Conv2d(width, width, 3, 2, 1)),
                nn.Conv2d(middle, width, 3, 2, 1),
                nn.Conv2d(coarse, width, 1),
            ]
        )
        tokens = 3 * config.grids[2] ** 2
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, tokens + 1, width))
        nn.init.trunc_normal_(self.cls_token, std=0.02)
        nn.init.trunc_normal_(self.pos_embed, std=0.02)
        self.blocks = nn.ModuleList(
            Block(width, heads=config.vit_heads, mlp_ratio=config.vit_mlp_ratio) for _ in range(config.depth)
        )
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.se_block = SqueezeExcite(width)
        self.head = nn.Linear(width, config.classes)
        if config.linear_std is not None:
            for part in [*self.blocks.modules(), *self.se_block.modules(), self.head]:
                if isinstance(part, nn.Linear):
                    nn.init.trunc_normal_(part.weight, std=config.linear_std)
                    nn.init.zeros_(part.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))

    def features(self, x: Tensor) -> Tensor:
        """Aligned face -> the vector (B, width) that the head reads."""
        check_faces(x, self.config.size_px, larger=True)
        x = nearest(x, self.config.size_px)
        image = [conv(y) for conv, y in zip(self.image_convs, self.image_backbone(x), strict=True)]
        landmarks = [conv(y) for conv, y in zip(self.landmark_convs, self.landmark_backbone(x), strict=True)]
        fused = [level(*maps) for level, *maps in zip(self.levels, image, landmarks, strict=True)]
        hook("image", *image)
        hook("landmarks", *landmarks)
        hook("fused", *fused)
        tokens = [embed(y).flatten(2).transpose(1, 2) for embed, y in zip(self.embed, fused, strict=True)]
        cls = self.cls_token.expand(x.shape[0], -1, -1)
        if self.config.mean_class_token:
            cls = cls + tokens[2].mean(dim=1, keepdim=True)
        y = torch.cat([cls, *tokens], dim=1) + self.pos_embed  # (B, 1 + 3 * 49, width)
        hook("tokens", y)
        for i, block in enumerate(self.blocks):
            y = block(y, class_only=i == len(self.blocks) - 1)
        return self.se_block(self.norm(y[:, 0]))

    def intermediates(self, x: Tensor) -> dict[str, Tensor]:
        """Aligned face -> intermediate tensors of `forward`, by name. Level 1 is the finest; sizes of the defaults.

        - "image.1" to "image.3", "landmarks.1" to "landmarks.3": the inputs of the levels; "fused.1" to "fused.3":
          their outputs. All (B, 64, 28, 28), (B, 128, 14, 14), (B, 256, 7, 7).
        - "attention.level1" to "attention.level3": (B, windows, heads, n, n), rows are landmark cells, the queries,
          columns image cells, the keys, each row by row within its window. One window, n = 784, 196, 49.
        - "tokens" (B, 1 + T, width): the class token and the T = 3 * 49 cells of the three levels, the input of the
          transformer.
        - "attention.block0", ...: (B, heads, 1 + T, 1 + T); of the last block the class row (B, heads, 1, 1 + T).
        - "features" (B, width), which the head reads; "logits" (B, classes).
        """
        with capture() as captured:
            features = self.features(x)
        levels, blocks = captured["attention"][:3], captured["attention"][3:]
        named: dict[str, Tensor] = {}
        for part in ("image", "landmarks", "fused"):
            named |= numbered(part, captured[part])
        counts = [(grid // side) ** 2 for grid, side in zip(self.config.grids, self.config.windows, strict=True)]
        named |= {
            f"attention.level{i}": w.unflatten(0, (x.shape[0], n))
            for i, (w, n) in enumerate(zip(levels, counts, strict=True), 1)
        }
        named |= {f"attention.block{i}": weights for i, weights in enumerate(blocks)}
        return named | {"tokens": captured["tokens"][0], "features": features, "logits": self.head(features)}


def windows(x: Tensor, side: int) -> Tensor:
    """Cut a map (B, H, W, C) into squares -> (B * squares, side * side, C)."""
    b, h, w, c = x.shape
    if h == side and w == side:
        return x.flatten(1, 2)
    x = x.reshape(b, h // side, side, w // side, side, c).transpose(2, 3)  # (B, H/s, W/s, s, s, C)
    return x.reshape(-1, side * side, c)  # (B * squares, s * s, C)


def unwindows(x: Tensor, side: int, h: int, w: int) -> Tensor:
    """Undo `windows`: (B * squares, side * side, C) -> (B, H, W, C)."""
    c = x.shape[-1]
    if h == side and w == side:
        return x.reshape(-1, h, w, c)
    x = x.reshape(-1, h // side, w // side, side, side, c).transpose(2, 3)  # (B, H/s, s, W/s, s, C)
    return x.reshape(-1, h, w, c)


def relative_positions(side: int) -> Tensor:
    """For each pair of cells, the row of the bias table (N, N): 0 where the key lies farthest ahead."""
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    y, x = y.flatten(), x.flatten()
    down = y[:, None] - y[None, :] + side - 1
    right = x[:, None] - x[None, :] + side - 1
    return down * (2 * side - 1) + right
