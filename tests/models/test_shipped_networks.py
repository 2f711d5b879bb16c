"""The networks of the package, as torch modules against the files that are shipped."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mien.models.landmarks68 import Landmarks68, Landmarks68Config
from mien.nn.mobilefacenet import MobileFaceNet, MobileFaceNetConfig
from mien.pipeline.classifier import calibrated
from mien.weights.manifest import shipped_names


def test_the_backbone_halves_four_times() -> None:
    backbone = MobileFaceNet(MobileFaceNetConfig(width=0.5, activation="relu6", feature_channels=256)).eval()
    shapes = [tuple(y.shape) for y in backbone(torch.zeros(1, 3, 112, 112))]
    assert shapes == [(1, 32, 28, 28), (1, 64, 14, 14), (1, 256, 7, 7)]
    assert backbone.out_channels == (32, 64, 256)


def test_the_published_landmark_network_has_its_published_size() -> None:
    network = Landmarks68(Landmarks68Config())
    assert sum(parameter.numel() for parameter in network.parameters()) == 1_007_248  # POSTER's frozen backbone


@pytest.mark.parametrize("name", shipped_names())
def test_shipped_onnx_and_safetensors_compute_the_same(name: str) -> None:
    from mien.nn.onnx_session import open_session
    from mien.weights.fill import load_network
    from mien.weights.manifest import load_manifest

    manifest = load_manifest(name)
    network = load_network(name)
    x = torch.randn(
        2, 3, manifest.inputs.size_px, manifest.inputs.size_px, generator=torch.Generator().manual_seed(0)
    )
    with torch.inference_mode():
        wanted = network(x).numpy()
    found = open_session(manifest.file(".onnx"), threads=1).run(None, {"faces": x.numpy()})[0]
    if manifest.labels is None and name != "roll":  # positions, in sides of the crop
        np.testing.assert_allclose(found, wanted, atol=5e-4 if name == "landmarks68" else 1e-4)
    else:  # their ONNX files store half precision after the exporter's rewriting
        bias = np.zeros(1)
        np.testing.assert_allclose(calibrated(found, 1.0, bias), calibrated(wanted, 1.0, bias), atol=1e-3)


@pytest.mark.parametrize("name", shipped_names())
def test_shipped_onnx_files_carry_no_notes_of_the_exporter(name: str) -> None:
    from mien.weights.manifest import load_manifest

    data = load_manifest(name).file(".onnx").read_bytes()
    assert b"stack_trace" not in data
    assert b"/src/mien/" not in data
