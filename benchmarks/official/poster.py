"""POSTER as its authors wrote it (zczcwh/POSTER): separate streams, unfused attention, all rows to the end."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from official.backbones import LandmarkBackbone, stage, stem, unused_identity_head
from official.vectors import DropPath, Head, Mlp, SqueezeExcite, in_heads, join_heads

TOKENS, WIDTH, HEADS = 49, 512, 8


class ImageBackbone(nn.Module):
    """Resize to 112, IR-50, and its memory read as 49 rows."""

    def __init__(self) -> None:
        super().__init__()
        self.input_layer = stem()
        self.output_layer = unused_identity_head()
        self.body = nn.Sequential(*stage(0), *stage(1), *stage(2))

    def forward(self, x: Tensor) -> Tensor:
        x = F.interpolate(x, size=112)
        return self.body(self.input_layer(x)).view(-1, TOKENS, 1024)


class Attention(nn.Module):
    """Queries are given; keys and values are projected."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = (width // HEADS) ** -0.5
        self.kv = nn.Linear(width, 2 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, own: Tensor, other: Tensor) -> Tensor:
        b, n, c = own.shape
        k, v = self.kv(own).reshape(b, n, 2, HEADS, c // HEADS).permute(2, 0, 3, 1, 4).unbind(0)
        q = in_heads(other, HEADS)
        weights = ((q @ k.transpose(-2, -1)) * self.scale).softmax(dim=-1)
        return self.proj(join_heads(weights @ v))


class Block(nn.Module):
    """Both streams of one level, one after the other."""

    def __init__(self, width: int, drop_path: float, *, token_mix: bool) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn_img = Attention(width)
        self.attn_lm = Attention(width)
        self.drop_path = DropPath(drop_path)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp1 = Mlp(width, 2 * width)
        self.mlp2 = Mlp(width, 2 * width)
        self.norm3 = nn.LayerNorm(width, eps=1e-6)
        self.norm4 = nn.LayerNorm(width, eps=1e-6)
        if token_mix:
            self.conv = nn.Conv1d(2 * TOKENS + 2, 2 * TOKENS + 2, 1)
        self.token_mix = token_mix

    def forward(self, x: Tensor) -> Tensor:
        n = TOKENS + 1
        image, landmarks = x[:, :n], x[:, n:]
        y, z = self.norm1(x), self.norm3(x)
        image = image + self.drop_path(self.attn_img(y[:, :n], y[:, n:]))
        image = image + self.drop_path(self.mlp1(self.norm2(image)))
        landmarks = landmarks + self.drop_path(self.attn_lm(z[:, n:], z[:, :n]))
        landmarks = landmarks + self.drop_path(self.mlp2(self.norm4(landmarks)))
        x = torch.cat([image, landmarks], dim=1)
        return self.conv(x) if self.token_mix else x


class PyramidBlock(nn.Module):
    """Three levels, then the coarse is added to the finer ones."""

    def __init__(self, drop_path: float, *, token_mix: bool) -> None:
        super().__init__()
        tokens = 2 * TOKENS + 2
        self.block_l = Block(WIDTH, drop_path, token_mix=token_mix)
        self.block_m = Block(WIDTH // 2, drop_path, token_mix=token_mix)
        self.block_s = Block(WIDTH // 4, drop_path, token_mix=token_mix)
        self.upsample_m = nn.ConvTranspose1d(tokens, tokens, 2, stride=2)
        self.upsample_s = nn.ConvTranspose1d(tokens, tokens, 2, stride=2)

    def forward(self, large: Tensor, middle: Tensor, small: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        large, middle, small = self.block_l(large), self.block_m(middle), self.block_s(small)
        middle = middle + self.upsample_s(small)
        large = large + self.upsample_m(middle)
        return large, middle, small


class PyramidFusion(nn.Module):
    """Tokens of both streams -> the image summary's vector."""

    def __init__(self, depth: int, *, token_mix: bool) -> None:
        super().__init__()
        tokens = 2 * TOKENS + 2
        self.cls_token = nn.Parameter(torch.zeros(1, 1, WIDTH))  # never read
        self.pos_embed = nn.Parameter(torch.zeros(1, TOKENS + 1, WIDTH))
        self.downsample_m = nn.Conv1d(tokens, tokens, 2, stride=2)
        self.downsample_s = nn.Conv1d(tokens, tokens, 4, stride=4)
        rates = torch.linspace(0, 0.1, depth).tolist()
        self.blocks = nn.ModuleList(PyramidBlock(rate, token_mix=token_mix) for rate in rates)
        self.norm = nn.LayerNorm(WIDTH, eps=1e-6)

    def forward(self, image: Tensor, landmarks: Tensor) -> Tensor:
        image = torch.cat([image.mean(dim=1, keepdim=True), image], dim=1) + self.pos_embed
        landmarks = torch.cat([landmarks.mean(dim=1, keepdim=True), landmarks], dim=1)
        large = torch.cat([image, landmarks], dim=1)
        middle, small = self.downsample_m(large), self.downsample_s(large)
        for block in self.blocks:
            large, middle, small = block(large, middle, small)
        return self.norm(large)[:, 0]


class OfficialPoster(nn.Module):
    """Face (B, 3, 224, 224) -> logits (B, classes)."""

    def __init__(self, *, depth: int = 8, token_mix: bool = True, classes: int = 7) -> None:
        super().__init__()
        self.face_landback = LandmarkBackbone()
        self.ir_back = ImageBackbone()
        self.ir_layer = nn.Linear(1024, WIDTH)
        self.pyramid_fuse = PyramidFusion(depth, token_mix=token_mix)
        self.se_block = SqueezeExcite(WIDTH)
        self.head = Head(WIDTH, classes, name="linear")

    def forward(self, x: Tensor) -> Tensor:
        landmarks = self.face_landback(x)[2].flatten(2).transpose(1, 2)
        image = self.ir_layer(self.ir_back(x))
        return self.head(self.se_block(self.pyramid_fuse(image, landmarks)))
