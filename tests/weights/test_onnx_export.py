"""Weights become an ONNX file that gives torch's outputs, or nothing is written."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")

from safetensors.torch import save_file

import mien
from mien.cli.app import run
from mien.errors import OptionError, OutputError, UnknownNameError, WeightsError
from mien.models.landmarks68 import Landmarks68, Landmarks68Config
from mien.nn.mobilefacenet import MobileFaceNetConfig
from mien.nn.onnx_session import open_session
from mien.preprocess import Preprocess
from mien.weights import onnx_export
from mien.weights.golden import Golden
from mien.weights.manifest import WeightsManifest, load_manifest, write_manifest
from mien.weights.parity import parity_faces
from mien.weights.verify import torch_output

CONFIG = Landmarks68Config(size_px=32, backbone=MobileFaceNetConfig(width=0.125, feature_channels=16))
INPUTS = Preprocess(size_px=32)
EXPORT = torch.onnx.export
PROGRAMS: list[Any] = []  # of the one network of these tests


@pytest.fixture(autouse=True)
def _traced_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """All tests write what torch's exporter made of the same weights for the first of them."""

    def once(*arguments: Any, **options: Any) -> Any:
        if not PROGRAMS:
            PROGRAMS.append(EXPORT(*arguments, **options))
        return PROGRAMS[0]

    monkeypatch.setattr(torch.onnx, "export", once)


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """A run's folder with small weights, as training leaves it."""
    torch.manual_seed(0)
    network = Landmarks68(CONFIG).eval()
    folder = tmp_path / "run" / "weights"
    folder.mkdir(parents=True)
    save_file(network.state_dict(), folder / "weights.safetensors")
    write_manifest(
        WeightsManifest(
            name="small", network="landmarks68", config=asdict(CONFIG), inputs=INPUTS, licence="", source="a test",
            files={"weights.safetensors": ""}, golden=Golden.of(torch_output(network, INPUTS)), folder=folder,
        )
    )  # fmt: skip
    return tmp_path / "run"


def test_a_run_is_exported_in_silence(trained: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    steps: list[tuple[int, int | None]] = []
    PROGRAMS.clear()
    manifest = mien.export(trained, progress=lambda done, total: steps.append((done, total)))
    assert capfd.readouterr() == ("", "")
    assert steps == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert manifest == load_manifest(str(trained))
    assert sorted(manifest.files) == ["weights.onnx", "weights.safetensors"]
    assert [check.passed for check in mien.verify(trained)] == [True] * 5
    x = np.random.default_rng(0).normal(size=(3, 3, 32, 32)).astype(np.float32)
    with torch.inference_mode():
        expected = mien.load_network(trained)(torch.from_numpy(x)).numpy()
    outputs = open_session(manifest.file(".onnx")).run(None, {"faces": x})[0]
    np.testing.assert_allclose(outputs, expected, atol=1e-5)

    assert run(["export", str(trained), "--to", "onnx", "--out", str(tmp_path / "other.onnx")]) == 0
    assert f"{tmp_path}/other.json: its manifest" in capfd.readouterr().out
    assert load_manifest(str(tmp_path / "other.onnx")).files == {"other.onnx": manifest.files["weights.onnx"]}
    with pytest.raises(OutputError, match="there already"):
        mien.export(trained, out=tmp_path / "other.onnx")


def test_a_file_that_differs_from_torch_is_not_written(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Ones:
        def run(self, names: None, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
            return [np.ones((len(inputs["faces"]), 68, 2), dtype=np.float32)]

    monkeypatch.setattr(onnx_export, "open_session", lambda data, threads: Ones())
    with pytest.raises(WeightsError, match=r"ONNX differs from torch by .* nothing is written"):
        mien.export(trained)
    assert [path.name for path in sorted((trained / "weights").iterdir())] == [
        "manifest.json",
        "weights.safetensors",
    ]


def test_a_file_that_differs_on_real_faces_alone_is_not_written(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class OffOnFaces:
        def __init__(self, data: bytes, threads: int) -> None:
            self.session = open_session(data, threads=threads)

        def run(self, names: None, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
            outputs = self.session.run(names, inputs)[0]
            return [outputs + 0.1 * (len(outputs) == 8)]

    monkeypatch.setattr(onnx_export, "open_session", OffOnFaces)
    with pytest.raises(WeightsError, match=r"by 0.1 on real faces, more than 0.0001; nothing is written"):
        mien.export(trained)


def test_the_faces_of_the_check_are_those_of_the_examples(
    astronaut: np.ndarray, hopper: np.ndarray, recognizer: mien.Recognizer
) -> None:
    inputs = Preprocess(size_px=112, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    faces = parity_faces(inputs)
    assert faces.shape == (8, 3, 112, 112)
    for photo, face in ((astronaut, faces[0]), (hopper, faces[4])):
        found = recognizer.predict(photo)[0]
        crop = inputs.crop(photo, np.array(found.landmarks)).transpose(2, 0, 1) / 255
        assert np.abs(crop - face).mean() < 0.05
    assert {tuple(map(int, one.shape)) for one in parity_faces(Preprocess(size_px=40))} == {(3, 40, 40)}


def test_what_cannot_be_exported_is_refused_before_the_work(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="export format"):
        mien.export(trained, to="tflite")
    with pytest.raises(OptionError, match="are in the package"):
        mien.export("default")
    with pytest.raises(OptionError, match=r"must end in \.onnx"):
        mien.export(trained, out=tmp_path / "x.pt")
    with pytest.raises(OutputError, match="does not exist"):
        mien.export(trained, out=tmp_path / "absent" / "x.onnx")
