"""ONNX models that take the tensors they share with a safetensors file from it, instead of storing them twice."""

from __future__ import annotations

import json
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
            _borrow(weight, tensors.name, offset)
        elif len(weight.dims) == 2 and (offset := offsets.get(_transposed(weight))) is not None:
            transposes.append(helper.make_node("Transpose", [f"{weight.name}.T"], [weight.name]))
            weight.name, weight.dims[:] = f"{weight.name}.T", weight.dims[::-1]
            _borrow(weight, tensors.name, offset)
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


def _borrow(weight: TensorProto, file: str, offset: int) -> None:
    from onnx import TensorProto

    external = {"location": file, "offset": offset, "length": len(weight.raw_data)}
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    for key, value in external.items():
        weight.external_data.add(key=key, value=str(value))


def borrows(model: Path, tensors: str) -> bool:
    """Whether an ONNX file has external data in the file of this name."""
    return tensors.encode() in model.read_bytes()
