"""ONNX models whose weights are stored in half precision and computed with in single precision."""

from __future__ import annotations

import numpy as np

from mien.errors import WeightsError

LEAST_VALUES = 4096  # biases and depthwise filters are smaller; they cost no room and much precision


def with_half_weights(model: bytes, *, least_values: int = LEAST_VALUES) -> bytes:
    """The model with its float32 weights of at least so many values as float16, each followed by a `Cast`.

    ONNX Runtime casts once, when it loads the file: half the size, the same speed. Weights that were half precision
    before the export stay exact, unless the exporter has combined some. Raises `WeightsError` for a weight that
    float16 cannot hold.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    proto = onnx.load_from_string(model)
    casts = []
    for weight in proto.graph.initializer:
        values = numpy_helper.to_array(weight)
        if weight.data_type != TensorProto.FLOAT or values.size < least_values:
            continue
        with np.errstate(over="ignore"):
            half = values.astype(np.float16)
        if not np.isfinite(half).all():
            raise WeightsError(f"weight {weight.name!r} reaches {np.abs(values).max():.3g}, too much for float16")
        name = weight.name
        weight.CopyFrom(numpy_helper.from_array(half, f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    nodes = list(proto.graph.node)
    del proto.graph.node[:]
    proto.graph.node.extend([*casts, *nodes])
    data: bytes = proto.SerializeToString()
    return data
