"""POSTER++ as its authors wrote it (Talented-Q/POSTER_V2): one window for the whole map, its bias gathered anew."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from official.backbones import LandmarkBackbone, stage, stem, unused_identity_head
from official.vectors import DropPath, Head, Mlp, SqueezeExcite, in_heads, join_heads

WIDTH, TOKENS, VIT_HEADS = 768, 3 * 49 + 1, 8
LEVELS = ((64, 28, 2, 0.0), (128, 14, 4, 0.125), (256, 7, 8, 0.25))  # channels, side, heads, drop path


class ImageBackbone(nn.Module):
    """Resize to 112 and IR-50's three maps."""

    def __init__(self) -> None:
        super().__init__()
        self.input_layer = stem()
        self.output_layer = unused_identity_head()
        self.body1 = nn.Sequential(*stage(0))
        self.body2 = nn.Sequential(*stage(1))
        self.body3 = nn.Sequential(*stage(2))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = self.input_layer(F.interpolate(x, size=112))
        fine = self.body1(x)
        middle = self.body2(fine)
        return fine, middle, self.body3(middle)


def cut(x: Tensor, side: int) -> Tensor:
    """(B, H, W, C) -> (windows, side, side, C), by copy."""
    b, h, w, c = x.shape
    x = x.view(b, h // side, side, w // side, side, c).permute(0, 1, 3, 2, 4, 5).contiguous()
    return x.view(-1, side, side, c)


def paste(x: Tensor, side: int, h: int, w: int) -> Tensor:
    """(windows, side, side, C) -> (B, H, W, C), by copy."""
    b = x.shape[0] // (h * w // side // side)
    x = x.view(b, h // side, w // side, side, side, -1).permute(0, 1, 3, 2, 4, 5).contiguous()
    return x.view(b, h, w, -1)


class Window(nn.Module):
    """Normalise a map and cut it."""

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        self.side = side
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.norm(x.permute(0, 2, 3, 1).contiguous())
        return cut(x, self.side).flatten(1, 2), x


class WindowAttention(nn.Module):
    """The landmark map attends to the image windows."""

    relative_position_index: Tensor

    def __init__(self, channels: int, side: int, heads: int) -> None:
        super().__init__()
        self.heads, self.scale = heads, (channels // heads) ** -0.5
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * side - 1) ** 2, heads))
        self.register_buffer("relative_position_index", positions(side))
        self.qkv = nn.Linear(channels, 2 * channels)
        self.proj = nn.Linear(channels, channels)

    def forward(self, image: Tensor, landmarks: Tensor) -> Tensor:
        b, n, c = image.shape
        k, v = self.qkv(image).reshape(b, n, 2, self.heads, c // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        q = in_heads(landmarks, self.heads) * self.scale
        weights = q @ k.transpose(-2, -1)
        bias = self.relative_position_bias_table[self.relative_position_index.view(-1)].view(n, n, -1)
        weights = weights + bias.permute(2, 0, 1).contiguous().unsqueeze(0)
        return self.proj(join_heads(weights.softmax(dim=-1) @ v))


class FeedForward(nn.Module):
    """Both residuals of a level, each with its layer scale."""

    def __init__(self, channels: int, side: int, drop_path: float) -> None:
        super().__init__()
        self.side = side
        self.gamma1 = nn.Parameter(torch.full((channels,), 1e-5))
        self.gamma2 = nn.Parameter(torch.full((channels,), 1e-5))
        self.drop_path = DropPath(drop_path)
        self.norm = nn.LayerNorm(channels)
        self.mlp = Mlp(channels, 4 * channels)

    def forward(self, context: Tensor, shortcut: Tensor) -> Tensor:
        h, w, c = shortcut.shape[1:]
        x = paste(context.view(-1, self.side, self.side, c), self.side, h, w)
        x = shortcut + self.drop_path(self.gamma1 * x)
        return x + self.drop_path(self.gamma2 * self.mlp(self.norm(x)))


class VitAttention(nn.Module):
    """Self-attention of all 148 rows."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = (WIDTH // VIT_HEADS) ** -0.5
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.proj = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        b, n, c = x.shape
        q, k, v = self.qkv(x).reshape(b, n, 3, VIT_HEADS, c // VIT_HEADS).permute(2, 0, 3, 1, 4).unbind(0)
        weights = ((q @ k.transpose(-2, -1)) * self.scale).softmax(dim=-1)
        return self.proj(join_heads(weights @ v))


class VitBlock(nn.Module):
    """Pre-norm block."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(WIDTH, eps=1e-6)
        self.conv = nn.Conv1d(TOKENS, TOKENS, 1)  # never run
        self.attn = VitAttention()
        self.norm2 = nn.LayerNorm(WIDTH, eps=1e-6)
        self.mlp = Mlp(WIDTH, 4 * WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Vit(nn.Module):
    """147 tokens -> logits."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.pos_embed = nn.Parameter(torch.zeros(1, TOKENS, WIDTH))
        self.se_block = SqueezeExcite(WIDTH)
        self.head = Head(WIDTH, classes, name="linear")
        self.blocks = nn.Sequential(VitBlock(), VitBlock())
        self.norm = nn.LayerNorm(WIDTH, eps=1e-6)
        # Never run:
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(256, WIDTH, 1)})
        self.eca_block = nn.ModuleDict({"conv": nn.Conv1d(1, 1, 5, bias=False)})
        self.CON1 = nn.Conv2d(256, WIDTH, 1, bias=False)
        self.IRLinear1 = nn.Linear(1024, WIDTH)
        self.IRLinear2 = nn.Linear(WIDTH, 512)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.cat([self.cls_token.expand(x.shape[0], -1, -1), x], dim=1) + self.pos_embed
        x = self.norm(self.blocks(x))[:, 0]
        return self.head(self.se_block(x))


class OfficialPosterV2(nn.Module):
    """Face (B, 3, 224, 224) -> logits (B, classes)."""

    def __init__(self, *, classes: int = 7) -> None:
        super().__init__()
        self.face_landback = LandmarkBackbone()
        self.ir_back = ImageBackbone()
        self.last_face_conv = nn.Conv2d(512, 256, 3, padding=1)
        for i, (channels, side, heads, drop_path) in enumerate(LEVELS, 1):
            self.add_module(f"conv{i}", nn.Conv2d(channels, channels, 3, 2, 1))
            self.add_module(f"window{i}", Window(channels, side))
            self.add_module(f"attn{i}", WindowAttention(channels, side, heads))
            self.add_module(f"ffn{i}", FeedForward(channels, side, drop_path))
        self.embed_q = nn.Sequential(nn.Conv2d(64, WIDTH, 3, 2, 1), nn.Conv2d(WIDTH, WIDTH, 3, 2, 1))
        self.embed_k = nn.Sequential(nn.Conv2d(128, WIDTH, 3, 2, 1))
        self.embed_v = nn.ModuleDict({"proj": nn.Conv2d(256, WIDTH, 1)})
        self.VIT = Vit(classes)

    def forward(self, x: Tensor) -> Tensor:
        *face_maps, coarse = self.face_landback(x)
        face_maps.append(self.last_face_conv(coarse))
        fused = []
        for i, (image, landmarks) in enumerate(zip(self.ir_back(x), face_maps, strict=True), 1):
            windows, shortcut = self.get_submodule(f"window{i}")(self.get_submodule(f"conv{i}")(image))
            queries = landmarks.permute(0, 2, 3, 1).contiguous().flatten(1, 2)
            context = self.get_submodule(f"attn{i}")(windows, queries)
            fused.append(self.get_submodule(f"ffn{i}")(context, shortcut).permute(0, 3, 1, 2).contiguous())
        maps = self.embed_q(fused[0]), self.embed_k(fused[1]), self.embed_v["proj"](fused[2])
        return self.VIT(torch.cat([y.flatten(2).transpose(1, 2) for y in maps], dim=1))


def positions(side: int) -> Tensor:
    """Row of the bias table for each query and key (N, N)."""
    grid = torch.arange(side)
    y, x = (part.flatten() for part in torch.meshgrid(grid, grid, indexing="ij"))
    return (y[:, None] - y + side - 1) * (2 * side - 1) + x[:, None] - x + side - 1
