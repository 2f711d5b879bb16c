"""Attention in heads, as all networks here have it: consecutive slices of the width."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from mien.nn.intermediates import hook, is_capturing


def attend(q: Tensor, k: Tensor, v: Tensor, *, heads: int, bias: Tensor | None = None) -> Tensor:
    """Queries (B, M, C) ask keys and values (B, N, C) -> answers (B, M, C).

    `bias` (1, heads, M, N) is added to the scaled products. Notes "attention" (B, heads, M, N): how much each
    query takes of each value.
    """
    q, k, v = (part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in (q, k, v))
    if is_capturing():
        answer = _attend_openly(q, k, v, bias)
    else:
        answer = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)  # (B, heads, M, C / heads)
    answer = answer.transpose(1, 2)
    if torch.compiler.is_compiling():  # a traced kernel may lay out its answer otherwise than the one run later
        answer = answer.clone(memory_format=torch.contiguous_format)
    return answer.flatten(2)


def _attend_openly(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None) -> Tensor:
    """The same with the weights in sight."""
    products = q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5
    weights = (products if bias is None else products + bias).softmax(dim=-1)
    hook("attention", weights)
    return weights @ v
