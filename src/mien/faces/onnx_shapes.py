"""Open the fixed image size of an ONNX file without the `onnx` package.

Some published detectors declare one input size although they compute at any. An ONNX file is a
protocol buffer; this rewrites the dimensions of its inputs and outputs as symbols and leaves every
other byte alone. Field numbers: onnx/onnx.proto of the ONNX project.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

_GRAPH, _INPUT, _OUTPUT = 7, 11, 12  # ModelProto.graph, GraphProto.input, GraphProto.output
_NAME, _TYPE, _TENSOR, _SHAPE, _DIM = 1, 2, 1, 2, 1  # ValueInfoProto ... TensorShapeProto.dim
_DIM_PARAM = 2
_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5  # wire types


def with_open_sizes(model: bytes, *, input_name: str, output_names: tuple[str, ...]) -> bytes:
    """The same network with batch, height and width of these 4-D values left open."""

    def open_input(value: bytes) -> bytes:
        return _opened(value, ("B", None, "H", "W")) if _name(value) == input_name else value

    def open_output(value: bytes) -> bytes:
        return _opened(value, ("B", None, "h", "w")) if _name(value) in output_names else value

    model = _edit(model, (_GRAPH, _INPUT), open_input)
    return _edit(model, (_GRAPH, _OUTPUT), open_output)


def _opened(value: bytes, symbols: tuple[str | None, ...]) -> bytes:
    remaining = iter(symbols)

    def name_dimension(dimension: bytes) -> bytes:
        symbol = next(remaining, None)
        return dimension if symbol is None else _field(_DIM_PARAM, symbol.encode())

    return _edit(value, (_TYPE, _TENSOR, _SHAPE, _DIM), name_dimension)


def _name(value: bytes) -> str:
    return next((body.decode() for number, _, body in _fields(value) if number == _NAME), "")


def _edit(message: bytes, path: tuple[int, ...], change: Callable[[bytes], bytes]) -> bytes:
    """Apply `change` to every submessage at `path` (field numbers from the outside in)."""
    if not path:
        return change(message)
    parts = []
    for number, raw, body in _fields(message):
        parts.append(_field(number, _edit(body, path[1:], change)) if number == path[0] else raw)
    return b"".join(parts)


def _fields(message: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """(field number, the whole field, its body or nothing where it is no submessage)."""
    position = 0
    while position < len(message):
        start = position
        key, position = _read_varint(message, position)
        kind = key & 7
        body = b""
        if kind == _VARINT:
            _, position = _read_varint(message, position)
        elif kind == _BYTES:
            length, position = _read_varint(message, position)
            body = message[position : position + length]
            position += length
        elif kind in (_EIGHT, _FOUR):
            position += 8 if kind == _EIGHT else 4
        else:
            raise ValueError(f"not an ONNX file: wire type {kind} at byte {start}")
        yield key >> 3, message[start:position], body


def _field(number: int, body: bytes) -> bytes:
    return _varint(number << 3 | _BYTES) + _varint(len(body)) + body


def _read_varint(message: bytes, position: int) -> tuple[int, int]:
    value, shift = 0, 0
    while True:
        byte = message[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
