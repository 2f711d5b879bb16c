"""The bare backbone: an image backbone, the mean of its last map and a linear head.

The baseline of every ablation here, and the cheapest network of the package.

    image -> image backbone -> map (B, C, H, W) -> mean -> linear -> logits
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from mien.nn.backbones import image_backbone
from mien.nn.checks import check_drop, check_faces, check_sizes
from mien.nn.densenet import DenseNetConfig
from mien.nn.mobilefacenet import LIGHT_BACKBONE, MobileFaceNetConfig


@dataclass(frozen=True, kw_only=True)
class BareBackboneConfig:
    """Sizes. Defaults: the image backbone of the published POSTER, POSTER++ and APViT."""

    classes: int = 7
    size_px: int = 112
    backbone: Literal["ir50", "mobilefacenet", "densenet"] = "ir50"
    image: MobileFaceNetConfig = LIGHT_BACKBONE  # of a MobileFaceNet; IR-50 has no options
    dense: DenseNetConfig = DenseNetConfig()  # of a DenseNet
    dropout: float = 0.2

    def build(self) -> BareBackbone:
        """The network, with random weights."""
        return BareBackbone(self)


LIGHT = BareBackboneConfig(classes=8, size_px=96, backbone="mobilefacenet")


class BareBackbone(nn.Module):
    """Aligned face (B, 3, size, size) -> logits (B, classes)."""

    def __init__(self, config: BareBackboneConfig) -> None:
        super().__init__()
        check_sizes(classes=config.classes, size_px=config.size_px)
        check_drop("dropout", config.dropout)
        self.config = config
        self.image_backbone = image_backbone(config.backbone, config.image, config.dense)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(self.image_backbone.out_channels[-1], config.classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.dropout(self.features(x)))

    def features(self, x: Tensor) -> Tensor:
        """Face -> the vector (B, C) that the head reads."""
        check_faces(x, self.config.size_px)
        return self.image_backbone(x)[-1].mean(dim=(2, 3))

    def intermediates(self, x: Tensor) -> dict[str, Tensor]:
        """Face -> "logits" (B, classes), "features" (B, C) and "maps.1" ... (B, C, H, W), the finest first."""
        check_faces(x, self.config.size_px)
        maps = self.image_backbone(x)
        features = maps[-1].mean(dim=(2, 3))
        named = {"logits": self.head(self.dropout(features)), "features": features}
        return named | {f"maps.{s}": values for s, values in enumerate(maps, 1)}
