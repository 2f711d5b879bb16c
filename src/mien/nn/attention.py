"""Attention in heads, as all networks here have it: consecutive slices of the width."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from mien.nn.hooks import hook, is_capturing


def attend(q: Tensor, k: Tensor, v: Tensor, *, heads: int, bias: Tensor | None = None) -> Tensor:
    """Queries (B, M, C) attend to keys and values (B, N, C) -> context (B, M, C).

    `bias` (1, heads, M, N) is added to the scaled products. Hook "attention" (B, heads, M, N): the weight of each
    value for each query.
    """
    q, k, v = (part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in (q, k, v))
    if is_capturing():
        hook("attention", attention_weights(q, k, bias))
    context = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)  # (B, heads, M, C / heads)
    context = context.transpose(1, 2)
    if torch.compiler.is_compiling():  # the traced kernel may use another memory layout than the one run later
        context = context.clone(memory_format=torch.contiguous_format)
    return context.flatten(2)


def attention_weights(q: Tensor, k: Tensor, bias: Tensor | None = None) -> Tensor:
    """Queries and keys (B, heads, M or N, C / heads) -> weights (B, heads, M, N), rows summing to 1.

    Computed beside the fused kernel, which does not give its own: the context is bit for bit the same.
    """
    products = q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5
    return (products if bias is None else products + bias).softmax(dim=-1)
