"""Checkpoints with eight outputs, or with fifteen: 0..7 for FER+ votes, 8..14 for the seven labels of FER2013.

A checkpoint is a safetensors file of the light form at 96 pixels; tensors under the names that they had before are
read too. Checkpoints of one network that started alike can be averaged (model soup, Wortsman et al., 2022).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor, nn

import mien
from mien.labels import FERPLUS
from research.fer.suite import INPUTS

VOTES, OUTPUTS = len(FERPLUS), 15
OPTIONS: dict[str, dict[str, Any]] = {"apvit": {"keep_patches": 118}, "phanet": {"poses": 5}}
HEADS = ("head.", "auxiliary.", "branches.")  # PhaNet's branches have the outputs once per pose
RENAMED = {"_trunk": "_backbone", ".ask.": ".mask_head."}


def build(network: str) -> nn.Module:
    """The light form with eight outputs and random weights, in eval mode."""
    options = {"classes": VOTES, "size_px": INPUTS.size_px} | OPTIONS.get(network, {})
    return mien.build(network, config_name="light", **options).eval()


def soup(checkpoints: Mapping[Path, float]) -> dict[str, Tensor]:
    """The weighted mean of checkpoints; the shares sum to 1. Whole numbers are those of the last."""
    if abs(sum(checkpoints.values()) - 1) > 1e-6:
        raise ValueError(f"shares sum to {sum(checkpoints.values())}, not to 1")
    mean: dict[str, Tensor] = {}
    for path, share in checkpoints.items():
        for key, value in load_file(path).items():
            name = _renamed(key)
            mean[name] = share * value.float() + mean.get(name, 0) if value.is_floating_point() else value
    return mean


def votes_only(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Without the outputs of the FER2013 labels, where there are any: every head keeps its first eight."""

    def kept(value: Tensor) -> Tensor:
        if len(value) % OUTPUTS:
            return value
        blocks = value.view(-1, OUTPUTS, *value.shape[1:])  # PhaNet's branches: one block per pose
        return blocks[:, :VOTES].reshape(-1, *value.shape[1:])

    return {key: kept(value) if key.startswith(HEADS) else value for key, value in state.items()}


def _renamed(key: str) -> str:
    for before, now in RENAMED.items():
        key = key.replace(before, now)
    return key
