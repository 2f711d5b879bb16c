"""YuNet with fewer channels: which to keep, and how the next layer makes up for the others."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from mien.models.yunet import YuNet, YuNetConfig

CONFIG = YuNetConfig(early=(32, 32, 64))
ROWS = 60_000  # positions that the least-squares fit sees


def slimmed(network: YuNet, images: Tensor) -> dict[str, Tensor]:
    """The state of `CONFIG` that approximates the published network best on these images.

    Of a unit's 64 channels the 32 are kept that greedily explain most variance of the others; the next pointwise
    convolution predicts the others from them by least squares.
    """
    state = {name: value.clone() for name, value in network.state_dict().items()}
    for layer in (2, 4):  # the units of 64 channels whose width is halved
        with torch.inference_mode():
            maps = F.max_pool2d(network.at_half(F.relu(network.stem(images))), 2)
            output = network.at_quarter[: layer + 2](maps)
        rows = output.permute(0, 2, 3, 1).flatten(0, 2)
        rows = rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))[:ROWS]].double()
        kept = explaining(rows, CONFIG.early[layer // 2 - 1])
        with_one = torch.cat([rows[:, kept], torch.ones(len(rows), 1, dtype=rows.dtype)], dim=1)
        fit = torch.linalg.solve(
            with_one.T @ with_one + 1e-4 * torch.eye(with_one.shape[1], dtype=rows.dtype), with_one.T @ rows
        ).float()  # (kept + 1, 64)
        here, following = f"at_quarter.{layer}", f"at_quarter.{layer + 2}.0"
        for name in ("0.weight", "0.bias", "1.weight", "1.bias"):
            state[f"{here}.{name}"] = state[f"{here}.{name}"][kept]
        weight = state[f"{following}.weight"][..., 0, 0]  # (outputs, 64)
        state[f"{following}.weight"] = (weight @ fit[:-1].T)[..., None, None]
        state[f"{following}.bias"] = state[f"{following}.bias"] + weight @ fit[-1]
    return state


def explaining(rows: Tensor, count: int) -> Tensor:
    """The columns of (M, C) that greedily explain most variance of all columns, ascending."""
    residual = rows - rows.mean(dim=0)
    picked: list[int] = []
    for _ in range(count):
        power = residual.square().sum(dim=0)
        gain = (residual.T @ residual).square().sum(dim=0) / power.clamp_min(1e-9)
        gain[power < 1e-6 * len(rows)] = -1
        gain[picked] = -1
        best = int(gain.argmax())
        picked.append(best)
        axis = residual[:, best] / residual[:, best].norm().clamp_min(1e-9)
        residual = residual - axis[:, None] * (axis @ residual)
    return torch.tensor(sorted(picked))
