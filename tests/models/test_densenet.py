"""DenseNet as torchvision has it: sizes, names, and one layer by hand."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from mien.nn.densenet import SMALL_BACKBONE, DenseLayer, DenseNet, DenseNetConfig


@pytest.fixture(scope="module")
def densenet121() -> DenseNet:
    with torch.device("meta"):
        return DenseNet(DenseNetConfig())


def test_densenet_121_has_its_published_number_of_parameters(densenet121: DenseNet) -> None:
    backbone = sum(p.numel() for p in densenet121.parameters())
    assert backbone == 6_953_856
    assert backbone + (densenet121.out_channels[-1] + 1) * 1000 == 7_978_856  # with the ImageNet head


def test_tensors_are_called_as_in_torchvision(densenet121: DenseNet) -> None:
    shapes = {key: tuple(value.shape) for key, value in densenet121.state_dict().items()}
    assert len(shapes) == 725
    assert shapes["features.conv0.weight"] == (64, 3, 7, 7)
    assert shapes["features.norm0.weight"] == (64,)
    assert shapes["features.denseblock1.denselayer1.norm1.running_mean"] == (64,)
    assert shapes["features.denseblock3.denselayer24.conv1.weight"] == (128, 992, 1, 1)
    assert shapes["features.denseblock4.denselayer16.conv2.weight"] == (32, 128, 3, 3)
    assert shapes["features.transition2.conv.weight"] == (256, 512, 1, 1)
    assert shapes["features.norm5.bias"] == (1024,)


def test_the_maps_are_the_ends_of_the_blocks(densenet121: DenseNet) -> None:
    maps = densenet121(torch.zeros(1, 3, 224, 224, device="meta"))
    assert [tuple(y.shape[1:]) for y in maps] == [(256, 56, 56), (512, 28, 28), (1024, 14, 14), (1024, 7, 7)]
    assert densenet121.out_channels == (256, 512, 1024, 1024)


@torch.no_grad()
def test_only_the_last_map_is_normalised_and_rectified() -> None:
    torch.manual_seed(0)
    backbone = DenseNet(SMALL_BACKBONE).eval()
    x = torch.randn(1, 3, 64, 64)
    *before, last = backbone(x)
    assert last.min() == 0
    backbone.features["norm5"].weight.zero_()
    backbone.features["norm5"].bias.fill_(0.5)
    *same, changed = backbone(x)
    assert (changed == 0.5).all()
    assert all(torch.equal(a, b) for a, b in zip(before, same, strict=True))


@torch.no_grad()
def test_a_layer_appends_to_what_it_reads() -> None:
    layer = DenseLayer(2, 1).eval()
    layer.conv1.weight.fill_(1)
    layer.conv2.weight.zero_()
    layer.conv2.weight[0, :, 1, 1] = 1
    x = torch.tensor([3.0, -5.0]).view(1, 2, 1, 1)
    y = layer(x).flatten().tolist()
    assert y[:2] == [3, -5]
    assert y[2] == pytest.approx(4 * 3, rel=1e-4)  # four channels of the bottleneck, each relu(3) + relu(-5)
