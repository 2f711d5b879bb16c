"""Maps that need the network in torch: its own attention, and gradients."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from mien.errors import MissingPackageError, OptionError
from mien.explanation.maps import METHODS, AttentionMaps, ExplanationMap, positive, signed
from mien.explanation.occlusion import hidden
from mien.weights.manifest import WeightsManifest

if TYPE_CHECKING:
    from torch import Tensor


def check_torch_methods(manifest: WeightsManifest, methods: Sequence[str]) -> None:
    """Raises where one of the methods cannot be had of these weights, or in this install."""
    names = [method for method in methods if method != "occlusion"]
    if not names:
        return
    if not manifest.has(".safetensors"):
        raise OptionError(
            f"weights {manifest.name!r} are an ONNX file, which shows only its outputs; "
            f"of them there is no {' or '.join(names)}: use the method occlusion"
        )
    for package in ("torch", "safetensors"):
        if find_spec(package) is None:
            raise MissingPackageError(f"The method {names[0]}", package, "explain")
    if names != ["attention"] and find_spec("captum") is None:
        raise MissingPackageError(f"The method {next(n for n in names if n != 'attention')}", "captum", "explain")


class TorchMaps:
    """The torch network of a manifest, for some methods; for one thread at a time.

    Of all methods, `methods` keeps those that the network has.
    """

    def __init__(self, manifest: WeightsManifest, methods: Sequence[str]) -> None:
        from mien.explanation.attention import has_attention
        from mien.nn.fold import folded
        from mien.weights.fill import network_of

        self.manifest = manifest
        self.network = folded(network_of(manifest))
        self.methods = tuple(methods)
        if "attention" in methods and not has_attention(self.network):
            self.methods = tuple(method for method in methods if method != "attention")
        if self.methods != tuple(methods) and set(methods) != set(METHODS):
            raise OptionError(
                f"weights {manifest.name!r} ({manifest.network}) have no attention to show; "
                "occlusion, grad-cam and integrated-gradients work for every network"
            )

    def attention(self, crop: np.ndarray) -> AttentionMaps:
        """The network's own, of an aligned face (S, S, 3) uint8; not of its horizontal flip."""
        from mien.explanation.attention import attention_maps

        return attention_maps(self.network, self._input(crop))

    def gradients(self, method: str, crop: np.ndarray, label: str) -> ExplanationMap:
        """Grad-CAM or integrated gradients of a class's logit; with test-time augmentation, of both passes."""
        import torch

        from mien.explanation import gradients

        target = self.manifest.label_set.index(label)
        x = self._passes(crop)
        with torch.enable_grad():
            if method == "grad-cam":
                cam = gradients.grad_cam(self.network, x, target)
                return positive(method, "Grad-CAM", "", cam, "weighted activation")
            blurred = self._passes(hidden(crop))
            cells = gradients.integrated_gradients(self.network, x, blurred, target)
        return signed(method, "Integrated gradients", cells, "contribution to the logit")

    def _input(self, crop: np.ndarray) -> Tensor:
        import torch

        return torch.from_numpy(self.manifest.inputs.normalise(crop[None]))

    def _passes(self, crop: np.ndarray) -> Tensor:
        import torch

        x = self._input(crop)
        return torch.cat([x, x.flip(-1)]) if self.manifest.tta else x
