"""ONNX models that take the tensors they share with a file beside them from it, instead of storing them twice."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from onnx import TensorProto

LEAST_BYTES = 4096  # smaller tensors are not worth an entry


def borrowed_tensors(model: bytes, tensors: Path) -> bytes:
    """The model with every weight that `tensors` (.safetensors) holds bit for bit as external data of that file.

    A matrix that is there transposed is transposed back when the model is opened. The result has to lie in the
    folder of `tensors`, and be opened by its path. A safetensors file is a header length (8 bytes, little-endian),
    a JSON header with the offsets of the tensors, and the tensors.
    """
    import onnx
    from onnx import helper

    content = tensors.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    spans = [entry["data_offsets"] for name, entry in header.items() if name != "__metadata__"]
    offsets = {content[start + first : start + last]: start + first for first, last in spans}
    proto = onnx.load_from_string(model)
    transposes = []
    for weight in proto.graph.initializer:
        if len(weight.raw_data) < LEAST_BYTES:
            continue
        if (offset := offsets.get(weight.raw_data)) is not None:
            _lend(weight, tensors.name, offset)
        elif len(weight.dims) == 2 and (offset := offsets.get(_transposed(weight))) is not None:
            transposes.append(helper.make_node("Transpose", [f"{weight.name}.T"], [weight.name]))
            weight.name, weight.dims[:] = f"{weight.name}.T", weight.dims[::-1]
            _lend(weight, tensors.name, offset)
    nodes = [*transposes, *proto.graph.node]
    del proto.graph.node[:]
    proto.graph.node.extend(nodes)
    data: bytes = proto.SerializeToString()
    return data


def _transposed(weight: TensorProto) -> bytes:
    """The bytes of the transposed matrix."""
    rows, columns = weight.dims
    cells = np.frombuffer(weight.raw_data, np.uint8).reshape(rows, columns, -1)
    return cells.transpose(1, 0, 2).tobytes()


def _lend(weight: TensorProto, file: str, offset: int) -> None:
    length = len(weight.raw_data)
    weight.ClearField("raw_data")
    _borrow(weight, file, offset, length)


def _borrow(weight: TensorProto, file: str, offset: int, length: int) -> None:
    """Let a tensor without values have those of a place in a file."""
    from onnx import TensorProto

    weight.data_location = TensorProto.EXTERNAL
    for key, value in {"location": file, "offset": offset, "length": length}.items():
        weight.external_data.add(key=key, value=str(value))


def borrowing(model: bytes, single: Path) -> bytes:
    """The quantised model, its nodes fused, without its large weights: the half-precision file beside it has them.

    ONNX Runtime rounds them to int8 when it opens the model, and has nothing left to fuse. `single`: the file that
    `model` was made of, as `with_half_weights` leaves it; the result has to lie in the same folder.
    """
    import onnx
    from onnx import TensorProto, helper

    scaled = {
        node.input[0]: (node.input[1:], {attribute.name: attribute.i for attribute in node.attribute})
        for node in onnx.load_from_string(model).graph.node
        if node.op_type == "DequantizeLinear"
    }
    proto, content = onnx.load_from_string(fused(model)), single.read_bytes()
    kept = {weight.name: weight for weight in proto.graph.initializer}
    borrowed, first = [], []
    for half in onnx.load_from_string(content).graph.initializer:
        name = half.name.removesuffix(".half")
        stored = f"{name}_quantized" if f"{name}_quantized" in kept else name
        if name == half.name or stored not in kept:
            continue
        del kept[stored]
        weight = TensorProto(name=half.name, data_type=half.data_type, dims=half.dims)
        _borrow(weight, single.name, content.index(half.raw_data), len(half.raw_data))
        borrowed.append(weight)
        first.append(helper.make_node("Cast", [half.name], [name], to=TensorProto.FLOAT))
        if stored != name:
            scales, axis = scaled[stored]
            first.append(helper.make_node("QuantizeLinear", [name, *scales], [stored], **axis))
    nodes = list(proto.graph.node)
    del proto.graph.initializer[:], proto.graph.node[:]
    proto.graph.initializer.extend([*kept.values(), *borrowed])
    proto.graph.node.extend([*first, *nodes])
    data: bytes = proto.SerializeToString()
    return data


def fused(model: bytes) -> bytes:
    """The model as ONNX Runtime rewrites it for processors, the order of values in memory left to each machine."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.log_severity_level = 3
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fused.onnx"
        options.optimized_model_filepath = str(path)
        onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        return path.read_bytes()
