"""A published face-identity MobileFaceNet as initialisation of our backbone.

foamliu/MobileFaceNet (Apache-2.0), ArcFace on refined MS-Celeb-1M.
"""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor


def face_identity_backbone(file: Path) -> dict[str, Tensor]:
    """foamliu's MobileFaceNet file under the names of our backbone; its identity head is left out."""
    stages = {0: "conv_23", 5: "conv_34", 12: "conv_45"}
    stages |= {i: f"conv_3.model.{i - 1}" for i in range(1, 5)}
    stages |= {i: f"conv_4.model.{i - 6}" for i in range(6, 12)}
    stages |= {i: f"conv_5.model.{i - 13}" for i in (13, 14)}
    names = {
        "conv1.0.": "conv1.conv.",
        "conv1.1.": "conv1.bn.",
        "conv2.0.": "conv_6_sep.conv.",
        "conv2.1.": "conv_6_sep.bn.",
        "dw_conv.depthwise.": "conv2_dw.conv.",
        "dw_conv.bn1.": "conv2_dw.bn.",
        "dw_conv.pointwise.": "conv2_pw.conv.",
        "dw_conv.bn2.": "conv2_pw.bn.",
    }
    for index, name in stages.items():
        parts = {
            "0.0.": "conv.conv.",
            "0.1.": "conv.bn.",
            "1.0.": "conv_dw.conv.",
            "1.1.": "conv_dw.bn.",
            "2.": "project.conv.",
            "3.": "project.bn.",
        }
        names |= {f"features.{index}.conv.{old}": f"{name}.{new}" for old, new in parts.items()}
    state = {}
    for key, value in load_file(file).items():
        for old, new in names.items():
            if key.startswith(old):
                state[new + key[len(old) :]] = value
    return state
