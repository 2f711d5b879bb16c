"""Grad-CAM and integrated gradients, by captum.

R. R. Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization", ICCV
2017; M. Sundararajan, A. Taly and Q. Yan, "Axiomatic Attribution for Deep Networks", ICML 2017.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mien.draw.matplotlib_cache import leave_home_alone
from mien.errors import MissingPackageError, OptionError
from mien.explanation.occlusion import GRID
from mien.models.phanet import PhaNet
from mien.models.poster import Poster
from mien.models.poster_v2 import PosterV2

PATH_STEPS = 32  # of integrated gradients, from the hidden face to the face


def captum() -> Any:
    """`captum.attr`, which imports Matplotlib."""
    leave_home_alone()
    try:
        from captum import attr
    except ModuleNotFoundError as error:
        raise MissingPackageError("Grad-CAM and integrated gradients", "captum", "explain") from error
    return attr


def grad_cam(network: nn.Module, passes: Tensor, target: int) -> np.ndarray:
    """Grad-CAM (h, w) of an output's logit, not negative.

    `passes`: the face, normalised (1, 3, S, S), or also its horizontal flip (2, 3, S, S), whose map is flipped back
    and averaged. The maps are those of `cam_layer`.
    """
    attr = captum()
    cam = attr.LayerGradCam(network, cam_layer(network, passes))
    maps = cam.attribute(passes.requires_grad_(), target=target).detach()[:, 0]  # (1 or 2, h, w)
    return _one_way_round(maps).clip(min=0)


def integrated_gradients(network: nn.Module, passes: Tensor, hidden: Tensor, target: int) -> np.ndarray:
    """Share of each cell (GRID, GRID) in the logit's rise from the hidden face to the face.

    `passes`, `hidden`: (1 or 2, 3, S, S), as for `grad_cam`.
    """
    attr = captum()
    integrated = attr.IntegratedGradients(network, multiply_by_inputs=True)
    pixels = integrated.attribute(
        passes.requires_grad_(), hidden, target=target, n_steps=PATH_STEPS, internal_batch_size=16
    )
    return cell_sums(_one_way_round(pixels.detach().sum(dim=1)))


def cell_sums(pixels: np.ndarray) -> np.ndarray:
    """Sums (GRID, GRID) of the pixels (S, S) of each cell."""
    cell = np.arange(len(pixels)) * GRID // len(pixels)
    sums = np.zeros((GRID, GRID))
    np.add.at(sums, (cell[:, None], cell[None]), pixels)
    return sums


def cam_layer(network: nn.Module, x: Tensor) -> nn.Module:
    """The layer whose maps Grad-CAM weighs.

    POSTER: the last map of the image backbone; POSTER++: the fused map of the coarsest level; APViT: the map that
    is cut into patches; PhaNet: the map of the coarsest scale before its mask; others: the last maps (B, C, h, w).
    """
    if isinstance(network, PosterV2):
        return network.levels[-1]
    if isinstance(network, PhaNet) and len(network.scales):
        return network.scales[-1].project  # type: ignore[return-value]
    root = network.image_backbone if isinstance(network, Poster | PhaNet) else network
    return _last_maps(root, network, x)


def _last_maps(root: nn.Module, network: nn.Module, x: Tensor) -> nn.Module:
    layers: list[nn.Module] = []

    def hook(layer: nn.Module, _: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.dim() == 4 and min(output.shape[2:]) > 1:
            layers.append(layer)

    handles = [layer.register_forward_hook(hook) for layer in root.modules()]
    try:
        with torch.no_grad():
            network(x[:1])
    finally:
        for handle in handles:
            handle.remove()
    if not layers:
        raise OptionError(f"{type(network).__name__} has no layer that gives maps (B, C, h, w), as Grad-CAM needs")
    return layers[-1]


def _one_way_round(maps: Tensor) -> np.ndarray:
    """Maps (1 or 2, h, w) of a face and its flip -> their mean (h, w)."""
    values = maps.double().cpu().numpy()
    return np.mean([values[0], *(one[:, ::-1] for one in values[1:])], axis=0)
