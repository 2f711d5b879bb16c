"""A network's own attention as maps over the aligned face: cross-attention, kept patches, masks.

Read off `intermediates`, which runs the forward pass of prediction and changes nothing in it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mien.errors import OptionError
from mien.explanation.maps import AttentionMaps, attention, kept, mean_of, positive
from mien.models.apvit import APViT
from mien.models.phanet import PhaNet
from mien.models.poster import Poster
from mien.models.poster_v2 import PosterV2, unwindows


def attention_maps(network: nn.Module, x: Tensor) -> AttentionMaps:
    """Of one face (1, 3, S, S), normalised.

    A network of your own takes part with a method `attention_maps(x)` that gives a map (B, G, G), not negative, for
    each name. Raises `OptionError` for a network of which `has_attention` is false.
    """
    if not has_attention(network):
        raise OptionError(f"{type(network).__name__} has no attention to show")
    with torch.no_grad():
        for kind, of_network in _NETWORKS.items():
            if isinstance(network, kind):
                return of_network(network, network.intermediates(x))  # type: ignore[operator]
        own = network.attention_maps(x)  # type: ignore[operator]
    named = {str(name): _numpy(values[0]) for name, values in own.items()}
    maps = (positive("attention", "Attention", part, one, "attention") for part, one in named.items())
    return AttentionMaps(tuple(maps))


def has_attention(network: nn.Module) -> bool:
    """Whether `attention_maps` can give maps."""
    if isinstance(network, PhaNet):
        return network.config.attention
    return isinstance(network, tuple(_NETWORKS)) or callable(getattr(network, "attention_maps", None))


def _poster_v2(network: PosterV2, seen: dict[str, Tensor]) -> AttentionMaps:
    """How much of the landmarks' queries each image cell receives, and how much of the class token's query."""
    config, of_level = network.config, []
    for level, (grid, side) in enumerate(zip(config.grids, config.windows, strict=True), 1):
        weights = seen[f"attention.level{level}"][0]  # (windows, heads, n, n)
        received = weights.mean(dim=(1, 2)).unsqueeze(-1) * side**2  # (windows, n, 1); 1 where uniform
        of_level.append(_numpy(unwindows(received, side, grid, grid)[0, ..., 0]))
    grid = config.grids[2]
    read = seen[f"attention.block{config.depth - 1}"][0].mean(dim=0)[0, 1:]  # (T,): the class token's
    by_level = read.unflatten(0, (3, grid, grid))
    shares = _numpy(by_level.sum(dim=(1, 2)) / read.sum())
    title = "Cross-attention"
    maps = [attention(title, "all levels", mean_of(of_level))]
    maps += [attention(title, f"level {i}, {len(one)} x {len(one)}", one) for i, one in enumerate(of_level, 1)]
    token = _numpy(by_level.sum(dim=0) / read.sum()) * grid**2
    maps.append(attention("ViT attention", "class token", token))
    note = "Class token reads " + ", ".join(f"level {i} {share:.0%}" for i, share in enumerate(shares, 1))
    return AttentionMaps(tuple(maps), {"class_token_shares": shares}, note)


def _poster(network: Poster, seen: dict[str, Tensor]) -> AttentionMaps:
    """Of the first block: how much each stream's cells receive from the other stream's queries, on each level.

    The middle and coarse tokens are sums over all fine tokens: their attention goes to the cells in proportion to
    the length of what each adds. After a block all tokens are such sums: later blocks have no position left. With
    IR-50 no image token has one, as it holds a few channels of all cells.
    """
    cells, from_memory = network.config.cells, network.config.backbone == "ir50"
    streams = {"landmarks": 1} if from_memory else {"image": 0, "landmarks": 1}
    side, maps = round(cells**0.5), []
    for level, mixing in (("fine", None), ("middle", network.fine_to_middle), ("coarse", network.fine_to_coarse)):
        weights = [seen[f"attention.block0.{level}.{name}"][0] for name in ("image", "landmarks")]
        received = torch.stack([of_stream.mean(dim=(0, 1)) for of_stream in weights])  # (2, N)
        if mixing is not None:
            added = _contributions(mixing.weight, seen["tokens.0"][0])  # (2N, 2N): to each token from each
            received = (received.flatten() @ (added / added.sum(dim=1, keepdim=True))).unflatten(0, received.shape)
        for name, stream in streams.items():
            on_cells = received[stream, 1:]  # the mean token has no cell
            values = _numpy((on_cells / on_cells.mean()).unflatten(0, (side, side)))
            maps.append(attention("Cross-attention", f"{level} level, {name}", values))
    every = mean_of([one.values for one in maps])
    first = attention("Cross-attention", "all levels", every)
    note = "Landmark stream only: the image tokens of IR-50 have no position" if from_memory else ""
    return AttentionMaps((first, *maps), note=note)


def _contributions(weight: Tensor, tokens: Tensor) -> Tensor:
    """Convolution (M, N, k) of tokens (N, C) with stride k -> length (M, N) of what each adds to an output."""
    pieces = tokens.unflatten(1, (-1, weight.shape[2]))  # (N, C / k, k)
    return torch.einsum("mnk,nck->mnc", weight, pieces).norm(dim=2)


def _apvit(network: APViT, seen: dict[str, Tensor]) -> AttentionMaps:
    """Which cells attentive patch pooling and each attentive token pooling keep."""
    patches = network.config.patches
    side = round(patches**0.5)
    poolings = {"patch pooling": seen["kept_patches"][0]}
    blocks = [i for i, rate in enumerate(network.config.keep_rates) if rate < 1]
    poolings |= {f"token pooling, block {i + 1}": seen[f"kept_tokens.block{i}"][0] for i in blocks}
    masks: dict[str, np.ndarray] = {}
    for name, cells in poolings.items():
        masks[name] = np.isin(np.arange(patches), _numpy(cells)).astype(float).reshape(side, side)
    total = np.sum(list(masks.values()), axis=0)
    maps = [kept("Attentive pooling", "all poolings", total, len(masks), f"of {len(masks)} poolings kept it")]
    for name, mask in masks.items():
        maps.append(kept("Attentive pooling", name, mask, 1, f"{mask.sum():.0f} of {patches} kept"))
    arrays = {"patch_scores": _numpy(seen["patch_scores"][0]).reshape(side, side)}
    note = "Patches kept: " + ", ".join(f"{mask.sum():.0f}" for mask in masks.values()) + f" of {patches}"
    return AttentionMaps(tuple(maps), arrays, note)


def _phanet(network: PhaNet, seen: dict[str, Tensor]) -> AttentionMaps:
    """The mask of each scale, the weights of the scales, and the pose that decides them."""
    weights = _numpy(seen["scale_weights"][0])
    masks = [_numpy(seen[f"masks.{s}"][0, 0]) for s in range(1, len(weights) + 1)]
    every = mean_of(masks, weights.tolist())
    maps = [positive("attention", "Mask", "all scales, by weight", every, "mask", most=1.0)]
    maps += [
        positive(
            "attention",
            "Mask",
            f"scale {s}, {len(mask)} x {len(mask)}",
            mask,
            f"mask; weight {weight:.3f}",
            most=1.0,
        )
        for s, (mask, weight) in enumerate(zip(masks, weights, strict=True), 1)
    ]
    arrays = {"scale_weights": weights}
    note = "Scale weights " + ", ".join(f"{weight:.3f}" for weight in weights)
    if "pose" in seen:
        arrays["pose"] = pose = _numpy(seen["pose"][0])
        note += f"; pose class {pose.argmax() + 1} of {len(pose)} ({pose.max():.0%})"
    return AttentionMaps(tuple(maps), arrays, note)


def _numpy(values: Tensor) -> np.ndarray:
    return values.detach().float().cpu().numpy()


_NETWORKS: dict[type[nn.Module], Callable[[Any, dict[str, Tensor]], AttentionMaps]] = {
    PosterV2: _poster_v2,
    Poster: _poster,
    APViT: _apvit,
    PhaNet: _phanet,
}
