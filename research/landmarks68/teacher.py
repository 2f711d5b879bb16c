"""The published 68-point network as a teacher: its file, colour order and crop.

cunjian/pytorch_face_landmark, `openvino/mobilefacenet`: BGR / 255, square crop of 1.1 to 1.2 face boxes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from mien.faces.landmarks import locate
from mien.geometry import Box
from mien.models.landmarks68 import Landmarks68, Landmarks68Config


class PublishedLandmarker:
    """Second pass on the upright crop, as our own landmarker does."""

    def __init__(self, file: Path) -> None:
        self.network = Landmarks68(Landmarks68Config()).eval()
        state = {
            key if key.startswith("output_layer.") else f"backbone.{key}": value.float()
            for key, value in load_file(file).items()
        }
        state |= {k: v for k, v in self.network.state_dict().items() if k.endswith("num_batches_tracked")}
        self.network.load_state_dict(state)
        self.network.to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def shares(self, crops: np.ndarray) -> np.ndarray:
        """Crops (B, 112, 112, 3) uint8 RGB -> points (B, 68, 2) as shares of the crop's side."""
        x = torch.from_numpy(np.ascontiguousarray(crops[..., ::-1])).permute(0, 3, 1, 2).float() / 255
        return self.network(x).numpy()

    def locate(self, image: np.ndarray, boxes: Sequence[Box]) -> np.ndarray:
        """Image (H, W, 3) uint8 RGB and N boxes -> (N, 68, 2) in image pixels."""
        return locate(image, boxes, self.shares, size_px=112, passes=2)
