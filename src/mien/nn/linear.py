"""Linear maps: one for each of two streams, and all kinds as oneDNN computes them on a CPU."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class StreamLinear(nn.Module):
    """One linear map for each stream, as one batched product."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        bound = in_channels**-0.5  # as nn.Linear
        self.weight = nn.Parameter(torch.empty(2, out_channels, in_channels).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(2, out_channels).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        """(S, B, N, in_channels) -> (S, B, N, out_channels), of both streams or of the image alone."""
        weight, bias = self.weight[: x.shape[0]], self.bias[: x.shape[0], None]
        y = torch.baddbmm(bias, x.flatten(1, 2), weight.transpose(1, 2))  # (S, B * N, out_channels)
        return y.view(*x.shape[:3], weight.shape[1])


class OneDnnLinear(nn.Linear):
    """`nn.Linear` for inference on a CPU: the same tensors, the product by oneDNN instead of MKL."""

    def forward(self, x: Tensor) -> Tensor:
        return _product(x, self.weight, self.bias) if _by_onednn(x, self.weight) else super().forward(x)


class OneDnnStreamLinear(StreamLinear):
    """The same for `StreamLinear`: one product after the other, each faster than half a batched one."""

    def forward(self, x: Tensor) -> Tensor:
        if not _by_onednn(x, self.weight):
            return super().forward(x)
        return torch.stack([_product(*one) for one in zip(x, self.weight, self.bias, strict=False)])


def _by_onednn(x: Tensor, weight: Tensor) -> bool:
    """Whether oneDNN's product may run: it knows neither gradients nor graphs, and only plain float32 here."""
    return (
        x.device.type == "cpu"
        and x.dtype == weight.dtype == torch.float32
        and not (torch.is_grad_enabled() and (x.requires_grad or weight.requires_grad))
        and not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
        and torch.backends.mkldnn.is_available()
    )


def _product(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
