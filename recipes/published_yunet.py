"""YuNet's published weights in our network: the ONNX file's tensors by the order of its convolutions.

OpenCV's model zoo, `face_detection_yunet`, the form with open sizes (Apache-2.0): BGR 0..255, batch norms folded.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor

from mien.models.yunet import STRIDES

HEADS = ("cls", "obj", "bbox", "kps")  # one of ours holds these four, in this order


def published_state(file: Path) -> dict[str, Tensor]:
    """The state of `mien.models.yunet.YuNet` with the published sizes, for RGB in 0..1."""
    graph = onnx.load(file).graph
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    convolutions = [
        [tensors[name] for name in node.input[1:]] for node in graph.node if node.op_type == "Conv"
    ]
    plain = ["stem", "at_half.0.0", "at_half.0.1"]
    plain += [f"at_quarter.{2 * unit}.{part}" for unit in range(4) for part in (0, 1)]
    plain += [f"stages.{level}.{2 * unit}.{part}" for level in range(3) for unit in (0, 1) for part in (0, 1)]
    plain += [f"lateral.{level}.0.{part}" for level in (2, 1, 0) for part in (0, 1)]
    plain += [f"shared.{level}.0.{part}" for level in range(3) for part in (0, 1)]
    state: dict[str, np.ndarray] = {}
    for name, (weight, bias) in zip(plain, convolutions, strict=False):
        state |= {f"{name}.weight": weight, f"{name}.bias": bias}
    state["stem.weight"] = state["stem.weight"][:, ::-1] * 255  # BGR 0..255 -> RGB 0..1
    for level in range(len(STRIDES)):
        for part in (0, 1):
            for kind in ("weight", "bias"):
                state[f"heads.{level}.{part}.{kind}"] = np.concatenate(
                    [tensors[f"bbox_head.multi_level_{head}.{level}.conv{part + 1}.{kind}"] for head in HEADS]
                )
    return {name: torch.from_numpy(value.copy()) for name, value in state.items()}
