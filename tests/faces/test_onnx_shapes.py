from __future__ import annotations

import pytest

from mien.faces.centerface import default_file
from mien.faces.onnx_shapes import with_open_sizes


def test_only_the_named_dimensions_change() -> None:
    onnx = pytest.importorskip("onnx")
    before = onnx.load(default_file())
    opened = with_open_sizes(
        default_file().read_bytes(), input_name="input.1", output_names=("537", "538", "539", "540")
    )
    after = onnx.load_from_string(opened)
    named = [
        [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (after.graph.input[0], *after.graph.output)
    ]
    assert named == [
        ["B", 3, "H", "W"],
        ["B", 1, "h", "w"],
        ["B", 2, "h", "w"],
        ["B", 2, "h", "w"],
        ["B", 10, "h", "w"],
    ]
    assert list(after.graph.node) == list(before.graph.node)
    assert list(after.graph.initializer) == list(before.graph.initializer)
    assert list(after.graph.input)[1:] == list(before.graph.input)[1:]


def test_what_is_no_onnx_file_is_refused() -> None:
    with pytest.raises((ValueError, IndexError)):
        with_open_sizes(b"\xff\xff not a model", input_name="x", output_names=())
