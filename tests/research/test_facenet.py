"""FaceNet's network: its maps, its own normalisation, and the reading of a Keras file."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from research.fer.facenet import Conv, EmbeddingConfig, FaceNetConfig, inception_resnet_v1, read_keras
from torch import nn

from mien.errors import OptionError, WeightsError
from mien.preprocess import Preprocess
from mien.training.recipe_source import read_recipe

RECIPE = Path(__file__).parents[2] / "research/fer/recipes/facenet.py"


@pytest.fixture(scope="module")
def backbone() -> nn.Module:
    return inception_resnet_v1().eval()


@pytest.mark.parametrize(("size_px", "side"), [(96, 1), (112, 2), (128, 2), (160, 3)])
def test_last_map(backbone: nn.Module, size_px: int, side: int) -> None:
    assert backbone(torch.zeros(1, 3, size_px, size_px)).shape == (1, 1792, side, side)


def test_faces_are_normalised_as_facenet_wants_them() -> None:
    network = FaceNetConfig(classes=3, size_px=96).build().eval()
    crops = torch.randint(256, (1, 96, 96, 3), dtype=torch.uint8)
    faces = torch.from_numpy(Preprocess(size_px=96).normalise(crops.numpy()))
    expected = (crops.float() - 127.5).permute(0, 3, 1, 2) / 128
    torch.testing.assert_close(faces * network.scale + network.shift, expected, atol=1e-4, rtol=0)
    assert network(faces).shape == (1, 3)
    with pytest.raises(OptionError, match="at least 96"):
        FaceNetConfig(size_px=95).build()


def test_norms_shift_but_do_not_scale() -> None:
    network = FaceNetConfig().build()
    assert not any(
        name.endswith("norm.weight") for name in [*network.state_dict(), *dict(network.named_parameters())]
    )


def test_keras_file_is_read(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    network = EmbeddingConfig().build()
    state = network.state_dict()

    def write(layers: object, layer: str, conv: str, norm: str | None, *, dense: bool = False) -> None:
        kernel = state[f"{conv}.weight"].permute(2, 3, 1, 0)
        tensors = {f"{layer}/{layer}/kernel:0": kernel[0, 0] if dense else kernel}
        if norm is None:
            tensors[f"{layer}/{layer}/bias:0"] = state[f"{conv}.bias"]
        else:
            prefix = f"{layer}_BatchNorm/{layer}_BatchNorm"
            tensors[f"{prefix}/beta:0"] = state[f"{norm}.bias"]
            tensors[f"{prefix}/moving_mean:0"] = state[f"{norm}.running_mean"]
            tensors[f"{prefix}/moving_variance:0"] = state[f"{norm}.running_var"]
        for name, tensor in tensors.items():
            layers[name] = tensor.numpy()  # type: ignore[index]

    path = tmp_path / "facenet_keras.h5"
    with h5py.File(path, "w") as file:
        layers = file.create_group("model_weights")
        for name, module in network.image_backbone.named_modules():
            layer = name.replace(".", "_")
            if isinstance(module, Conv):
                write(layers, layer, f"image_backbone.{name}.conv", f"image_backbone.{name}.norm")
            elif name.endswith("Conv2d_1x1"):
                write(layers, layer, f"image_backbone.{name}", None)
        write(layers, "Bottleneck", "bottleneck", "norm", dense=True)
    read = read_keras(path)
    assert read.keys() == state.keys()
    assert all(torch.equal(read[name], state[name]) for name in state)


def test_another_file_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("h5py")
    (tmp_path / "other.h5").write_bytes(b"no HDF5")
    with pytest.raises(WeightsError, match="is not facenet_keras.h5"):
        read_keras(tmp_path / "other.h5")


def test_recipe_starts_from_the_backbone() -> None:
    recipe = read_recipe(RECIPE)
    assert recipe.pretrained == {"image_backbone": "facenet:image_backbone"}
    assert recipe.model_kwargs["size_px"] == recipe.size_px
