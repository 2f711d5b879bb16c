"""Random numbers are drawn on the CPU; what follows from them moves to the images without waiting for the GPU."""

from __future__ import annotations

import torch
from torch import Tensor


def moved(values: Tensor, device: torch.device) -> Tensor:
    """Values of the CPU on `device`.

    A plain copy to a GPU waits until all that was started there before has ended; one from pinned memory does not.
    """
    if device.type == "cuda" and values.device.type == "cpu" and values.numel():
        return values.pin_memory().to(device, non_blocking=True)
    return values.to(device)
