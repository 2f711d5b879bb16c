"""The published 68-point network, from which ours is distilled: its file, colours and crop.

cunjian/pytorch_face_landmark, `openvino/mobilefacenet`: BGR / 255, square crop of 1.1 to 1.2 face boxes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from mien.faces.landmarks import locate
from mien.geometry import Box
from mien.models.landmarks68 import Landmarks68, Landmarks68Config
from mien.prepared.store import PreparedStore


class Teacher:
    """A landmarker; its second pass sees the face turned upright, as that of our own does."""

    def __init__(self, file: Path) -> None:
        self.network = Landmarks68(Landmarks68Config()).eval().requires_grad_(False)
        state = {
            key if key.startswith("output_layer.") else f"backbone.{key}": value.float()
            for key, value in load_file(file).items()
        }
        state |= {k: v for k, v in self.network.state_dict().items() if k.endswith("num_batches_tracked")}
        self.network.load_state_dict(state)

    @torch.inference_mode()
    def shares(self, crops: np.ndarray) -> np.ndarray:
        """Crops (B, 112, 112, 3) uint8 RGB -> points (B, 68, 2) as shares of the crop's side."""
        bgr = torch.from_numpy(np.ascontiguousarray(crops[..., ::-1]))
        points: Tensor = self.network(bgr.permute(0, 3, 1, 2).float() / 255)
        return np.asarray(points)

    def locate(self, image: np.ndarray, boxes: Sequence[Box]) -> np.ndarray:
        """Image (H, W, 3) uint8 RGB and N boxes -> (N, 68, 2) in image pixels."""
        return locate(image, boxes, self.shares, size_px=112, passes=2)


class Faces:
    """Canvases of a prepared set with the teacher's points, which are located once and kept in `folder`."""

    def __init__(self, prepared: Path, folder: Path, teacher: Teacher) -> None:
        self.store = PreparedStore(prepared)
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{self.store.fingerprint[:12]}.npy"
        if not file.exists():
            np.save(file, np.stack([self._points(row, teacher) for row in range(len(self.store))]))
        self.points = torch.from_numpy(np.load(file).astype(np.float32))

    def _points(self, row: int, teacher: Teacher) -> np.ndarray:
        image = self.store.images([row])[0]
        (left, top), (right, bottom) = self.store.landmarks[row].min(axis=0), self.store.landmarks[row].max(axis=0)
        box = Box(left, top - 0.25 * (bottom - top), right, bottom)  # the points end at the brows
        rgb = np.broadcast_to(image, (*image.shape[:2], 3))
        return teacher.locate(np.ascontiguousarray(rgb), [box])[0]

    def rows(self, split: str) -> Tensor:
        """Rows of a split in which a face was detected."""
        return torch.from_numpy(np.flatnonzero((self.store.column("split") == split) & self.store.detected))

    def take(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Canvases (B, 3, S, S) uint8 and points (B, 68, 2) in canvas pixels."""
        canvas = torch.from_numpy(self.store.images(rows.numpy())).permute(0, 3, 1, 2)
        return canvas.expand(-1, 3, -1, -1), self.points[rows]
