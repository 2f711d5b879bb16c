"""APViT as its authors wrote it (youqingxiaozhua/APViT): full score matrices, gathers with one index per number."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from official.backbones import stage, stem
from official.vectors import Head, Mlp, join_heads

WIDTH, HEADS, CELLS, KEPT = 768, 8, 196, 160
RATES = (1.0,) * 4 + (0.9,) * 4


class Extractor(nn.Module):
    """IR-50's last map."""

    def __init__(self) -> None:
        super().__init__()
        self.input_layer = stem()
        self.body = nn.Sequential(*[nn.Sequential(*stage(i)) for i in range(3)])

    def forward(self, x: Tensor) -> Tensor:
        return self.body(self.input_layer(x))


def strongest(scores: Tensor, count: int) -> Tensor:
    """(B, N) -> one index for each number of the kept tokens (B, count, WIDTH)."""
    rows = scores.topk(count, dim=1).indices.sort(dim=1).values
    return rows.unsqueeze(-1).repeat(1, 1, WIDTH)


class PoolingAttention(nn.Module):
    """Self-attention that also ranks the patches by what the class token asks of them."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate, self.scale = rate, (WIDTH // HEADS) ** -0.5
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.proj = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        b, n, c = x.shape
        q, k, v = self.qkv(x).reshape(b, n, 3, HEADS, c // HEADS).permute(2, 0, 3, 1, 4).unbind(0)
        products = (q @ k.transpose(-2, -1)) * self.scale
        kept = None
        if self.rate < 1:
            kept = strongest(products[:, :, 0, 1:].sum(dim=1), int((n - 1) * self.rate))
        return self.proj(join_heads(products.softmax(dim=-1) @ v)), kept


class PoolingBlock(nn.Module):
    """Pre-norm block that drops patches before its feed-forward net."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(WIDTH, eps=1e-6)
        self.attn = PoolingAttention(rate)
        self.norm2 = nn.LayerNorm(WIDTH, eps=1e-6)
        self.mlp = Mlp(WIDTH, 3 * WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        context, kept = self.attn(self.norm1(x))
        x = x + context
        if kept is not None:
            x = torch.cat([x[:, :1], x[:, 1:].gather(1, kept)], dim=1)
        return x + self.mlp(self.norm2(x))


class PoolingVit(nn.Module):
    """Image map -> the class token's vector."""

    def __init__(self) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.patch_pos_embed = nn.Parameter(torch.zeros(1, CELLS, WIDTH))
        self.cls_pos_embed = nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.projs = nn.ModuleList([nn.Conv2d(256, WIDTH, 1)])
        self.blocks = nn.ModuleList(PoolingBlock(rate) for rate in RATES)
        self.norm = nn.LayerNorm(WIDTH, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        x = self.projs[0](x)
        kept = strongest(x.abs().sum(dim=1).flatten(1), KEPT)
        x = (x.flatten(2).transpose(1, 2) + self.patch_pos_embed).gather(1, kept)
        cls = self.cls_token.expand(x.shape[0], -1, -1) + self.cls_pos_embed
        x = torch.cat([cls, x], dim=1)
        for block in self.blocks:
            x = block(x)
        return self.norm(x)[:, 0]


class OfficialAPViT(nn.Module):
    """Face (B, 3, 112, 112) -> logits (B, classes)."""

    def __init__(self, *, classes: int = 7) -> None:
        super().__init__()
        self.extractor = Extractor()
        self.vit = PoolingVit()
        self.head = Head(WIDTH, classes, name="fc")

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.vit(self.extractor(x)))
