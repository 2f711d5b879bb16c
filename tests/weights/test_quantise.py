"""Int8 forms: close to single precision, small, and refused where the machine gives something else."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

onnx = pytest.importorskip("onnx")

from research.borrow import borrowing

import mien
from mien.errors import OptionError, WeightsError
from mien.nn.onnx_session import open_session
from mien.pipeline import precision
from mien.pipeline.precision import open_precise
from mien.weights.half_precision import with_half_weights
from mien.weights.manifest import INT8, SHIPPED, load_manifest
from mien.weights.quantise import pair_scales, quantised
from tests.weights.test_half_precision import product


def two_layers(rng: np.random.Generator) -> bytes:
    """faces @ weight @ last."""
    model = onnx.load_from_string(product(rng.normal(size=(64, 128)).astype(np.float32)))
    model.graph.node[0].output[0], model.graph.node[0].name = "hidden", "first"
    model.graph.node.append(onnx.helper.make_node("MatMul", ["hidden", "last"], ["logits"], name="second"))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.eye(128, dtype=np.float32), "last"))
    return bytes(model.SerializeToString())


def test_int8_is_close_and_takes_its_weights_from_the_file_beside_it(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    faces = rng.normal(size=(32, 64)).astype(np.float32)
    single = tmp_path / "one.onnx"
    single.write_bytes(with_half_weights(two_layers(rng)))
    whole = quantised(single.read_bytes(), faces)
    small = tmp_path / "one.int8.onnx"
    small.write_bytes(borrowing(whole, single))
    assert small.stat().st_size < len(whole) - 128 * 60
    outputs = [open_session(model, threads=1).run(None, {"faces": faces})[0] for model in (single, whole, small)]
    np.testing.assert_array_equal(outputs[1], outputs[2])
    assert np.abs(outputs[0] - outputs[1]).mean() < 0.02 * np.abs(outputs[0]).max()


def test_no_two_weights_of_a_channel_exceed_what_16_bits_hold() -> None:
    rng = np.random.default_rng(0)
    channels = rng.normal(size=(200, 30)).astype(np.float32) ** 3
    channels[0], channels[1], channels[2, 1:] = 0, 1, 0  # nothing, all the same, one weight alone
    rounded = np.sort(np.rint(channels / pair_scales(channels)[:, None]), axis=1)
    assert (255 * rounded[:, -2:].sum(axis=1) < 2**15).all()
    assert (255 * rounded[:, :2].sum(axis=1) >= -(2**15)).all()
    assert rounded[1].max() == 64
    assert np.abs(rounded[2]).max() == 127


@pytest.mark.parametrize("name", ["default", "landmarks68", "poster_v2"])
def test_shipped_int8_does_not_saturate_here(name: str) -> None:
    manifest = load_manifest(name)
    rng = np.random.default_rng(0)
    side = manifest.inputs.size_px
    faces = manifest.inputs.normalise(rng.integers(0, 256, (2, side, side, 3), dtype=np.uint8))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.add_session_config_entry("session.x64quantprecision", "1")  # products in 32 bits, slower
    slow = onnxruntime.InferenceSession(str(manifest.file(INT8)), options, providers=["CPUExecutionProvider"])
    fast = open_session(manifest.file(INT8), threads=1)
    wanted, outputs = (session.run(None, {"faces": faces})[0] for session in (slow, fast))
    np.testing.assert_allclose(outputs, wanted, atol=1e-3 * np.abs(wanted).max())


def test_a_model_without_layers_is_refused() -> None:
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    values = [helper.make_tensor_value_info(name, kind, ["b", 3]) for name in ("faces", "logits")]
    graph = helper.make_graph([helper.make_node("Relu", ["faces"], ["logits"])], "none", values[:1], values[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    with pytest.raises(WeightsError, match="no layer"):
        quantised(model.SerializeToString(), np.zeros((1, 3), np.float32))


def test_auto_takes_int8_only_where_it_is_faster_and_right(monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = load_manifest("landmarks68")
    assert manifest.golden_int8 is not None

    def found(**changes: object) -> str:
        return open_precise(replace(manifest, **changes), threads=1, precision="auto")[1]  # type: ignore[arg-type]

    monkeypatch.setattr(precision, "int8_is_faster", lambda: True)
    wrong = replace(manifest.golden_int8, outputs=tuple(x + 1 for x in manifest.golden_int8.outputs))
    assert (found(), found(golden_int8=wrong), found(golden_int8=None)) == ("int8", "float32", "float32")
    monkeypatch.setattr(precision, "int8_is_faster", lambda: False)
    assert found() == "float32"


def test_what_cannot_be_is_said(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="'fp4'; it can be 'auto'"):
        mien.load(precision="fp4")
    with pytest.raises(OptionError, match="have no int8 file"):
        mien.load("phanet", precision="int8")
    shutil.copytree(SHIPPED / "landmarks68", tmp_path / "own")
    file = next((tmp_path / "own").glob(f"*{INT8}"))
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(WeightsError, match="damaged"):
        open_precise(load_manifest(str(tmp_path / "own")), threads=1, precision="int8")


def test_a_recognizer_says_its_precision() -> None:
    assert mien.load(threads=1, precision="int8").describe()["precision"] == "int8"
    assert mien.load(threads=1, precision="float32").describe()["precision"] == "float32"
