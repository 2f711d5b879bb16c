"""A strided depthwise convolution that also trains fast in bfloat16 on a processor."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class StridedDepthwise(nn.Conv2d):
    """A depthwise 3x3 convolution of stride 2; parameters and outputs are those of `nn.Conv2d`.

    For its input gradient in bfloat16 oneDNN falls back to a slow reference kernel. The gradient of the dense
    convolution, zero at every pixel that the stride leaves out, is the same and fast. A training step of the light
    POSTER++ in bfloat16 is 1.38 times as fast as in float32, with this gradient 1.53 times (one core with AVX-512
    and bfloat16, torch 2.13: `benchmarks/training_step.py`).
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels, 3, 2, 1, groups=channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        trains = x.requires_grad and torch.is_grad_enabled()
        if trains and x.device.type == "cpu" and torch.is_autocast_enabled("cpu"):
            kind = torch.get_autocast_dtype("cpu")
            y: Tensor = DenseGradient.apply(x.to(kind), self.weight.to(kind))  # type: ignore[no-untyped-call]
            return y
        return super().forward(x)


class DenseGradient(torch.autograd.Function):
    """The convolution (B, C, H, W) -> (B, C, ceil(H / 2), ceil(W / 2)) with the gradient of the dense one."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return F.conv2d(x, weight, stride=2, padding=1, groups=x.shape[1])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        dense = torch.zeros_like(x)
        dense[:, :, ::2, ::2] = gradients[0]
        of_x, of_weight, _ = torch.ops.aten.convolution_backward(
            dense, x, weight, None, [1, 1], [1, 1], [1, 1], False, [0, 0], x.shape[1], [True, True, False]
        )
        return of_x, of_weight
