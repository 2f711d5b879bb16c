"""YuNet's published weights in our network: the ONNX file's convolutions by their order.

OpenCV's model zoo, `face_detection_yunet`, the form with open sizes (Apache-2.0): BGR 0..255, batch norms folded.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor

from mien.models.yunet import STRIDES

HEADS = ("face", "box", "object", "points")  # as the file orders them
OUTPUT_ORDER = ("face", "object", "box", "points")  # as our one head does
PLAIN = (
    "stem",
    *(f"at_half.0.{part}" for part in (0, 1)),
    *(f"at_quarter.{unit}.{part}" for unit in (0, 2, 4, 6) for part in (0, 1)),
    *(f"stages.{level}.{unit}.{part}" for level in range(3) for unit in (0, 2) for part in (0, 1)),
    *(f"lateral.{level}.0.{part}" for level in (2, 1, 0) for part in (0, 1)),
    *(f"shared.{level}.0.{part}" for level in range(3) for part in (0, 1)),
)

Convolution = tuple[np.ndarray, np.ndarray]  # weight (outputs, inputs, k, k), bias (outputs,)


def published_state(file: Path) -> dict[str, Tensor]:
    """The state of `mien.models.yunet.YuNet` with the published sizes, for RGB in 0..1."""
    graph = onnx.load(file).graph
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    nodes = [node for node in graph.node if node.op_type == "Conv"]
    return state_of([(tensors[node.input[1]], tensors[node.input[2]]) for node in nodes])


def state_of(convolutions: Sequence[Convolution]) -> dict[str, Tensor]:
    """The same from the published convolutions in the order of the graph."""
    state: dict[str, np.ndarray] = {}
    for name, (weight, bias) in zip(PLAIN, convolutions, strict=False):
        state |= {f"{name}.weight": weight, f"{name}.bias": bias}
    state["stem.weight"] = state["stem.weight"][:, ::-1] * np.float32(255)  # BGR 0..255 -> RGB 0..1
    sources = [(head, level, part) for head in HEADS for level in range(len(STRIDES)) for part in (0, 1)]
    heads = dict(zip(sources, convolutions[len(PLAIN) :], strict=True))
    for level in range(len(STRIDES)):
        for part in (0, 1):
            for index, kind in enumerate(("weight", "bias")):
                joined = np.concatenate([heads[head, level, part][index] for head in OUTPUT_ORDER])
                state[f"heads.{level}.{part}.{kind}"] = joined
    return {name: torch.from_numpy(value.copy()) for name, value in state.items()}
