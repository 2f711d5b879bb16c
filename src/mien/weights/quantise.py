"""ONNX models in int8: eight-bit products with scales calibrated on real faces.

Static, per channel of the weights. What is sensitive stays in single precision: the last layer, products of two
activations (attention), softmax and norms. Needs the package `onnx`, which predicting does not.

Processors without VNNI add the products of two neighbouring activations and weights in 16 bits, and what does not
fit saturates. Each channel's scale is therefore large enough for its two largest weights of one sign together:
the outputs are the same on every processor, and nearly all channels keep their eight bits.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from mien.errors import WeightsError

QUANTISED = ("Conv", "Clip", "Add", "MatMul", "Gemm")
_PRODUCTS = ("Conv", "MatMul", "Gemm")
_PAIR = 127.4  # most that two rounded weights of one sign may sum to: 255 (127.4 + 2 / 2) fits into 16 bits
_BATCH = 8
_AVERAGING = 0.05  # share of each batch in the moving average of the ranges: outliers of few faces do not set them


def quantised(model: bytes, faces: np.ndarray) -> bytes:
    """The model in int8, calibrated on faces (N, 3, S, S) float32 as the network's input "faces" wants them.

    Half a minute for a hundred faces. Raises `WeightsError` for a model without a layer to quantise.
    """
    from onnxruntime.quantization import CalibrationMethod, QuantType
    from onnxruntime.quantization.calibrate import create_calibrator
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

    proto = in_single_precision(model)
    weights = {weight.name for weight in proto.graph.initializer}
    layers = [node for node in proto.graph.node if node.op_type in QUANTISED]
    sensitive = [node.name for node in layers if node.op_type == "MatMul" and not weights.intersection(node.input)]
    sensitive += _last_layers(proto.graph)
    if not any(node.op_type in _PRODUCTS and node.name not in sensitive for node in layers):
        raise WeightsError("the model has no layer that int8 would help")
    with tempfile.TemporaryDirectory() as folder, _quiet():
        path = Path(folder) / "single.onnx"
        path.write_bytes(proto.SerializeToString())
        calibrator = create_calibrator(
            path,
            list(QUANTISED),
            augmented_model_path=str(Path(folder) / "ranges.onnx"),
            calibrate_method=CalibrationMethod.MinMax,
            extra_options={"moving_average": True, "averaging_constant": _AVERAGING},
        )
        calibrator.collect_data(_Batches(faces))
        options = {"ActivationSymmetric": False, "TensorQuantOverrides": _fitting_scales(proto, sensitive)}
        quantizer = QDQQuantizer(
            proto, True, False, QuantType.QInt8, QuantType.QUInt8, calibrator.compute_data(), [], sensitive,
            list(QUANTISED), options,
        )  # fmt: skip
        quantizer.quantize_model()
    data: bytes = quantizer.model.model.SerializeToString()
    return data


def in_single_precision(model: bytes) -> Any:
    """The model with the casts of `with_half_weights` undone: its weights in single precision."""
    import onnx
    from onnx import numpy_helper

    proto = onnx.load_from_string(model)
    weights = {weight.name: weight for weight in proto.graph.initializer}
    nodes = []
    for node in proto.graph.node:
        if node.op_type == "Cast" and node.input[0] in weights:
            values = numpy_helper.to_array(weights[node.input[0]]).astype(np.float32)
            weights[node.input[0]].CopyFrom(numpy_helper.from_array(values, node.output[0]))
        else:
            nodes.append(node)
    del proto.graph.node[:]
    proto.graph.node.extend(nodes)
    return proto


def _fitting_scales(proto: Any, sensitive: list[str]) -> dict[str, list[dict[str, Any]]]:
    """Name of a weight -> for each of its channels the scale with which no pair of products saturates.

    Not for depthwise convolutions, whose products are added in 32 bits everywhere.
    """
    from onnx import numpy_helper
    from onnxruntime.quantization import QuantType

    weights = {weight.name: weight for weight in proto.graph.initializer}
    scales: dict[str, list[dict[str, Any]]] = {}
    for node in proto.graph.node:
        if node.op_type not in _PRODUCTS or node.name in sensitive or node.input[1] not in weights:
            continue
        values, axis = numpy_helper.to_array(weights[node.input[1]]), _channel_axis(node)
        if node.op_type == "Conv" and values.shape[1] == 1:
            continue
        fixed = {"quant_type": QuantType.QInt8, "zero_point": np.array(0, np.int8), "axis": axis}
        channels = np.moveaxis(values, axis, 0).reshape(values.shape[axis], -1)
        scales[node.input[1]] = [fixed | {"scale": scale} for scale in pair_scales(channels)]
    return scales


def _channel_axis(node: Any) -> int:
    """The axis of a layer's weight that counts its outputs."""
    attributes = {attribute.name: attribute.i for attribute in node.attribute}
    return 0 if node.op_type == "Conv" or attributes.get("transB") else 1


def pair_scales(channels: np.ndarray) -> np.ndarray:
    """Weights (C, N) float32 -> scales (C,) float32 of int8: any two weights of a channel sum to at most 128."""
    ordered = np.sort(np.pad(channels, ((0, 0), (2, 2))), axis=1)  # zeros, where a sign has no pair
    largest = np.maximum(ordered[:, -1], -ordered[:, 0]) / 127
    pairs = np.maximum(ordered[:, -2:].sum(axis=1), -ordered[:, :2].sum(axis=1)) / _PAIR
    scales = np.maximum(largest, pairs)
    return np.where(scales > 0, scales, 1).astype(np.float32)


def _last_layers(graph: Any) -> list[str]:
    """Names of the nodes from the last products with weights on to the outputs."""
    producers = {name: node for node in graph.node for name in node.output}
    todo, names = [value.name for value in graph.output], list[str]()
    while todo:
        node = producers.get(todo.pop())
        if node is not None:
            names.append(node.name)
            todo += [] if node.op_type in _PRODUCTS else node.input
    return names


class _Batches:
    """What the calibrator reads."""

    def __init__(self, faces: np.ndarray) -> None:
        self._batches = iter([faces[start : start + _BATCH] for start in range(0, len(faces), _BATCH)])

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next batch by the name of the input; None at the end."""
        batch = next(self._batches, None)
        return None if batch is None else {"faces": batch}


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the quantiser's advice on its logger."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
