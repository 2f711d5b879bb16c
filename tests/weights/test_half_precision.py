"""ONNX weights in half precision."""

from __future__ import annotations

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from mien.errors import WeightsError
from mien.nn.onnx_session import open_session
from mien.weights.half_precision import with_half_weights


def product(weight: np.ndarray) -> bytes:
    """faces @ weight as an ONNX model."""
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["faces", "weight"], ["logits"])],
        "product",
        [helper.make_tensor_value_info("faces", kind, ["batch", weight.shape[0]])],
        [helper.make_tensor_value_info("logits", kind, ["batch", weight.shape[1]])],
        [onnx.numpy_helper.from_array(weight, "weight")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return bytes(model.SerializeToString())


def test_weights_that_were_half_precision_compute_the_same_in_half_the_room() -> None:
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(64, 128)).astype(np.float16).astype(np.float32)
    faces = rng.normal(size=(3, 64)).astype(np.float32)
    before = product(weight)
    after = with_half_weights(before)
    assert len(after) < 0.55 * len(before)
    outputs = [open_session(model, threads=1).run(None, {"faces": faces})[0] for model in (before, after)]
    np.testing.assert_array_equal(*outputs)


def test_small_weights_stay_and_what_does_not_fit_is_refused() -> None:
    small = product(np.full((4, 4), 1e6, np.float32))
    assert open_session(with_half_weights(small)).run(None, {"faces": np.ones((1, 4), np.float32)})[0][0, 0] == 4e6
    with pytest.raises(WeightsError, match="reaches 1e"):
        with_half_weights(product(np.full((64, 128), 1e6, np.float32)))
