"""Official state dicts and inputs by rule, so that no checkpoint has to be stored.

The official code, filled by the same rule, gave the numbers in the .npz files beside this one.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mien.models.poster_v2 import relative_positions
from mien.weights.official import apvit, poster, poster_v2
from mien.weights.official.layout import Layout

FAMILIES = {"poster": poster, "poster_v2": poster_v2, "apvit": apvit}
HERE = Path(__file__).parent


def fill(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The number of one floating-point tensor, from its official name and shape only."""
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
    n = np.random.Generator(np.random.PCG64(seed)).standard_normal(shape)
    leaf = name.rsplit(".", 1)[-1]
    if leaf == "running_mean" or leaf == "bias":
        n = 0.1 * n
    elif leaf == "running_var":
        n = 1 + 0.1 * np.abs(n)
    elif leaf in {"cls_token", "pos_embed", "patch_pos_embed", "cls_pos_embed"}:
        n = 0.5 * n
    elif len(shape) == 1 and re.search(r"(\.prelu|input_layer\.2|res_layer\.2)\.weight$", name):
        n = 0.25 + 0.1 * n
    elif len(shape) == 1 and name.endswith("res_layer.4.weight"):
        n = 0.3 * (1 + 0.1 * n)
    elif len(shape) == 1:
        n = 1 + 0.1 * n
    else:
        n = n / np.sqrt(np.prod(shape[1:]))
    return n.astype(np.float32)


def state_of(layout: Layout) -> dict[str, Tensor]:
    """A whole official state dict, tensors that never run included."""
    shapes = dict(layout.shapes)
    for group in layout.dead:
        shapes |= group
    state = {}
    for name, shape in shapes.items():
        if name.endswith("num_batches_tracked"):
            state[name] = torch.tensor(0)
        elif name.endswith("relative_position_index"):
            state[name] = relative_positions(round(shape[0] ** 0.5))
        else:
            state[name] = torch.from_numpy(np.asarray(fill(name, shape)))
    return state


def sha256(state: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(state):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(state[name].numpy()).tobytes())
    return digest.hexdigest()


def images(side_px: int) -> Tensor:
    """Two normalised images of noise (2, 3, side, side)."""
    raw = np.random.Generator(np.random.PCG64(0)).random((2, 3, side_px, side_px)).astype(np.float32)
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    return (torch.from_numpy(raw) - mean) / std
