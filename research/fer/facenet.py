"""Inception-ResNet-v1 of FaceNet: weights that tell people apart, as the start of a teacher.

    python -m research.fer.facenet facenet_keras.h5 --out teachers/facenet
    mien train research/fer/recipes/facenet.py --data prepared/ferplus --out runs/facenet --weights-folder teachers

Sources: Szegedy et al., "Inception-v4, Inception-ResNet and the impact of residual connections on learning" (2017),
section 3.2, and the layers that `facenet_keras.h5` lists (20170512-110547 of davidsandberg/facenet for Keras, as in
nyoki-mtl/keras-facenet, MIT; trained on MS-Celeb-1M). Modules are named after the layers of that file, so that
converting is reading. Needs h5py, for the conversion alone.

Channels below stand in the code; sides of the maps are for 160 pixels, then 128.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mien.errors import OptionError, WeightsError
from mien.nn.checks import check_drop, check_faces, check_sizes
from mien.preprocess import Preprocess
from mien.weights.manifest import WeightsManifest
from research.ship import write_tensors

CHANNELS = 1792  # of the last map
LEAST_PX = 96  # one position in the last map
ONE, THREE = (1, 1), (3, 3)


class ShiftNorm(nn.BatchNorm2d):
    """Batch normalisation with a shift but no scale, as in TF-Slim."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-3, momentum=0.005)
        del self.weight
        self.register_buffer("weight", torch.ones(channels), persistent=False)


class Conv(nn.Module):
    """Convolution without bias, normalisation, ReLU. `same`: the map keeps its sides; otherwise no padding."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel: tuple[int, int], *, stride: int = 1, same: bool = False
    ) -> None:
        super().__init__()
        padding = (kernel[0] // 2, kernel[1] // 2) if same else 0
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, stride, padding, bias=False)
        self.norm = ShiftNorm(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.conv(x)))


class Residual(nn.Module):
    """x + scale * 1x1 convolution of the joined branches, then ReLU."""

    def __init__(self, branches: Sequence[nn.Module], up: nn.Conv2d, *, scale: float, relu: bool = True) -> None:
        super().__init__()
        for i, branch in enumerate(branches):
            self.add_module(f"Branch_{i}", branch)
        self.add_module("Conv2d_1x1", up)
        self.scale, self.relu = scale, relu

    def forward(self, x: Tensor) -> Tensor:
        *branches, up = self.children()
        x = x + self.scale * up(torch.cat([branch(x) for branch in branches], dim=1))
        return F.relu(x) if self.relu else x


class Reduction(nn.Module):
    """Branches that halve the map, and its 3x3 maximum."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        for i, branch in enumerate(branches):
            self.add_module(f"Branch_{i}", branch)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([*(branch(x) for branch in self.children()), F.max_pool2d(x, 3, 2)], dim=1)


def named(**modules: nn.Module) -> nn.Sequential:
    """Modules in sequence, by name."""
    sequence = nn.Sequential()
    for name, module in modules.items():
        sequence.add_module(name, module)
    return sequence


def block35() -> Residual:
    return Residual(
        [
            named(Conv2d_1x1=Conv(256, 32, ONE)),
            named(Conv2d_0a_1x1=Conv(256, 32, ONE), Conv2d_0b_3x3=Conv(32, 32, THREE, same=True)),
            named(
                Conv2d_0a_1x1=Conv(256, 32, ONE),
                Conv2d_0b_3x3=Conv(32, 32, THREE, same=True),
                Conv2d_0c_3x3=Conv(32, 32, THREE, same=True),
            ),
        ],
        nn.Conv2d(96, 256, 1),
        scale=0.17,
    )


def block17() -> Residual:
    return Residual(
        [
            named(Conv2d_1x1=Conv(896, 128, ONE)),
            named(
                Conv2d_0a_1x1=Conv(896, 128, ONE),
                Conv2d_0b_1x7=Conv(128, 128, (1, 7), same=True),
                Conv2d_0c_7x1=Conv(128, 128, (7, 1), same=True),
            ),
        ],
        nn.Conv2d(256, 896, 1),
        scale=0.1,
    )


def block8(*, last: bool = False) -> Residual:
    return Residual(
        [
            named(Conv2d_1x1=Conv(1792, 192, ONE)),
            named(
                Conv2d_0a_1x1=Conv(1792, 192, ONE),
                Conv2d_0b_1x3=Conv(192, 192, (1, 3), same=True),
                Conv2d_0c_3x1=Conv(192, 192, (3, 1), same=True),
            ),
        ],
        nn.Conv2d(384, CHANNELS, 1),
        scale=1.0 if last else 0.2,
        relu=not last,
    )


def mixed_6a() -> Reduction:
    return Reduction(
        named(Conv2d_1a_3x3=Conv(256, 384, THREE, stride=2)),
        named(
            Conv2d_0a_1x1=Conv(256, 192, ONE),
            Conv2d_0b_3x3=Conv(192, 192, THREE, same=True),
            Conv2d_1a_3x3=Conv(192, 256, THREE, stride=2),
        ),
    )


def mixed_7a() -> Reduction:
    return Reduction(
        named(Conv2d_0a_1x1=Conv(896, 256, ONE), Conv2d_1a_3x3=Conv(256, 384, THREE, stride=2)),
        named(Conv2d_0a_1x1=Conv(896, 256, ONE), Conv2d_1a_3x3=Conv(256, 256, THREE, stride=2)),
        named(
            Conv2d_0a_1x1=Conv(896, 256, ONE),
            Conv2d_0b_3x3=Conv(256, 256, THREE, same=True),
            Conv2d_1a_3x3=Conv(256, 256, THREE, stride=2),
        ),
    )


def inception_resnet_v1() -> nn.Sequential:
    """Face (B, 3, S, S), -1..1 -> the last map (B, 1792, h, w): h = 3 for 160 pixels, 2 for 128, 1 for 96."""
    network = named(
        Conv2d_1a_3x3=Conv(3, 32, THREE, stride=2),  # 79, 63
        Conv2d_2a_3x3=Conv(32, 32, THREE),
        Conv2d_2b_3x3=Conv(32, 64, THREE, same=True),  # 77, 61
        MaxPool_3a_3x3=nn.MaxPool2d(3, 2),  # 38, 30
        Conv2d_3b_1x1=Conv(64, 80, ONE),
        Conv2d_4a_3x3=Conv(80, 192, THREE),  # 36, 28
        Conv2d_4b_3x3=Conv(192, 256, THREE, stride=2),  # 17, 13
        Block35=named(**{str(i): block35() for i in range(1, 6)}),
        Mixed_6a=mixed_6a(),  # 8, 6
        Block17=named(**{str(i): block17() for i in range(1, 11)}),
        Mixed_7a=mixed_7a(),  # 3, 2
        Block8=named(**{str(i): block8(last=i == 6) for i in range(1, 7)}),
    )
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
    return network


class _FaceNet(nn.Module):
    """ImageNet's normalisation undone, FaceNet's own, the backbone and the mean of its last map."""

    scale: Tensor
    shift: Tensor

    def __init__(self, size_px: int) -> None:
        super().__init__()
        check_sizes(size_px=size_px)
        if size_px < LEAST_PX:
            raise OptionError(f"size_px is at least {LEAST_PX}, not {size_px}")
        self.size_px = size_px
        inputs = Preprocess(size_px=size_px)
        mean, std = (torch.tensor(values).view(3, 1, 1) for values in (inputs.mean, inputs.std))
        self.register_buffer("scale", std * 255 / 128, persistent=False)
        self.register_buffer("shift", (mean * 255 - 127.5) / 128, persistent=False)
        self.image_backbone = inception_resnet_v1()

    def features(self, x: Tensor) -> Tensor:
        """Faces (B, 3, S, S), normalised as `Preprocess` does -> (B, 1792)."""
        check_faces(x, self.size_px)
        return self.image_backbone(x * self.scale + self.shift).mean(dim=(2, 3))


@dataclass(frozen=True, kw_only=True)
class FaceNetConfig:
    """The backbone with a linear head for expressions."""

    classes: int = 8
    size_px: int = 128
    dropout: float = 0.2

    def build(self) -> FaceNet:
        """The network, with random weights."""
        return FaceNet(self)


class FaceNet(_FaceNet):
    """Aligned face (B, 3, size, size) -> logits (B, classes)."""

    def __init__(self, config: FaceNetConfig) -> None:
        check_sizes(classes=config.classes)
        check_drop("dropout", config.dropout)
        super().__init__(config.size_px)
        self.config = config
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(CHANNELS, config.classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.dropout(self.features(x)))


@dataclass(frozen=True, kw_only=True)
class EmbeddingConfig:
    """The network as it was trained: people's embeddings."""

    dimensions: int = 128
    size_px: int = 160

    def build(self) -> Embedding:
        """The network, with random weights."""
        return Embedding(self)


class Embedding(_FaceNet):
    """Aligned face (B, 3, size, size) -> embedding (B, dimensions) of length 1."""

    def __init__(self, config: EmbeddingConfig) -> None:
        check_sizes(dimensions=config.dimensions)
        super().__init__(config.size_px)
        self.config = config
        self.bottleneck = nn.Conv2d(CHANNELS, config.dimensions, 1, bias=False)
        self.norm = ShiftNorm(config.dimensions)

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(self.norm(self.bottleneck(self.features(x)[..., None, None])).flatten(1))


def read_keras(path: Path) -> dict[str, Tensor]:
    """The tensors of an `Embedding` from `facenet_keras.h5`; raises `WeightsError` for another file."""
    import h5py

    state = dict[str, Tensor]()
    try:
        with h5py.File(path) as file:
            layers = file["model_weights"]

            def read(layer: str, tensor: str) -> Tensor:
                return torch.from_numpy(layers[f"{layer}/{layer}/{tensor}:0"][()])

            def read_conv(layer: str, conv: str, norm: str | None) -> None:
                kernel = read(layer, "kernel")  # (H, W, in, out), or (in, out)
                state[f"{conv}.weight"] = kernel.view(*(1,) * (4 - kernel.dim()), *kernel.shape).permute(3, 2, 0, 1)
                if norm is None:
                    state[f"{conv}.bias"] = read(layer, "bias")
                    return
                for ours, theirs in (
                    ("bias", "beta"), ("running_mean", "moving_mean"), ("running_var", "moving_variance")
                ):  # fmt: skip
                    state[f"{norm}.{ours}"] = read(f"{layer}_BatchNorm", theirs)
                state[f"{norm}.num_batches_tracked"] = torch.tensor(0)

            for name, module in inception_resnet_v1().named_modules():
                ours, layer = f"image_backbone.{name}", name.replace(".", "_")
                if isinstance(module, Conv):
                    read_conv(layer, f"{ours}.conv", f"{ours}.norm")
                elif isinstance(module, nn.Conv2d) and not name.endswith(".conv"):
                    read_conv(layer, ours, None)
            read_conv("Bottleneck", "bottleneck", "norm")
    except (OSError, KeyError) as error:
        raise WeightsError(f"{path} is not facenet_keras.h5: {error}") from error
    return state


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="facenet_keras.h5")
    parser.add_argument("--out", type=Path, required=True, help="folder of the weights")
    options = parser.parse_args(arguments)
    state = read_keras(options.file)
    manifest = WeightsManifest(
        name=options.out.name,
        network="research.fer.facenet:EmbeddingConfig",
        config={"dimensions": len(state["norm.bias"]), "size_px": 160},
        inputs=Preprocess(size_px=160),
        files={f"{options.out.name}.safetensors": ""},
        licence="MIT, that of the code; the images of MS-Celeb-1M were for research and are withdrawn",
        source="facenet_keras.h5 of nyoki-mtl/keras-facenet: 20170512-110547 of davidsandberg/facenet",
        notes=("trained to tell people apart; reads no expressions", "half precision"),
    )
    halves = {name: value.half() if value.is_floating_point() else value for name, value in state.items()}
    written = write_tensors(manifest, halves, options.out)
    print(f"{written.path}: {sum(value.numel() for value in state.values()):,} numbers")


if __name__ == "__main__":
    main()
