"""ONNX models that take the tensors they share with a safetensors file from it, instead of storing them twice."""

from __future__ import annotations

import json
from pathlib import Path

LEAST_BYTES = 4096  # smaller tensors are not worth an entry


def borrowed_tensors(model: bytes, tensors: Path) -> bytes:
    """The model with every weight that `tensors` (.safetensors) holds bit for bit as external data of that file.

    The result has to lie in the folder of `tensors`, and be opened by its path. A safetensors file is a header
    length (8 bytes, little-endian), a JSON header with the offsets of the tensors, and the tensors.
    """
    import onnx
    from onnx import TensorProto

    content = tensors.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    spans = [entry["data_offsets"] for name, entry in header.items() if name != "__metadata__"]
    offsets = {content[start + first : start + last]: start + first for first, last in spans}
    proto = onnx.load_from_string(model)
    for weight in proto.graph.initializer:
        offset = offsets.get(weight.raw_data)
        if offset is None or len(weight.raw_data) < LEAST_BYTES:
            continue
        external = {"location": tensors.name, "offset": offset, "length": len(weight.raw_data)}
        weight.ClearField("raw_data")
        weight.data_location = TensorProto.EXTERNAL
        for key, value in external.items():
            weight.external_data.add(key=key, value=str(value))
    data: bytes = proto.SerializeToString()
    return data


def borrows(model: Path, tensors: str) -> bool:
    """Whether an ONNX file has external data in the file of this name."""
    return tensors.encode() in model.read_bytes()
