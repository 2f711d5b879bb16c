"""Networks as one graph: compiled without a break, exported with any batch size.

With as few of their equal blocks as there can be: tracing costs by the operation.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mien.models import poster
from tests.models.test_networks import make, noise

FEWER = {"poster_v2": {"depth": 1}, "apvit": {"keep_rates": (1.0, 0.9)}}


@pytest.fixture(autouse=True)
def _two_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(poster.DEPTHS, "small", 2)


def shallow(name: str) -> Any:
    return make(name, **FEWER.get(name.split()[0], {}))


@pytest.mark.parametrize("name", ["poster", "poster_v2", "apvit", "phanet on densenet"])
def test_a_network_compiles_into_one_graph(name: str) -> None:
    torch._dynamo.reset()
    network = shallow(name)
    compiled = torch.compile(network, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(noise(2)), network(noise(2)), rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["poster_v2", "phanet"])
def test_a_network_in_training_compiles_into_one_graph(name: str) -> None:
    torch._dynamo.reset()
    compiled = torch.compile(shallow(name).train(), fullgraph=True, backend="eager")
    assert compiled(noise(2)).shape == (2, 8)


@pytest.mark.parametrize("name", ["poster without mixing", "poster on ir50"])
def test_a_traced_network_takes_any_batch_size(name: str) -> None:
    """Of networks that no test exports to ONNX, which traces them too."""
    network = shallow(name)
    batch = torch.export.Dim("batch")
    traced = torch.export.export(network, (noise(2),), dynamic_shapes={"x": {0: batch}}, strict=False).module()
    with torch.no_grad():
        for count in (1, 5):
            torch.testing.assert_close(traced(noise(count)), network(noise(count)), rtol=0, atol=1e-5)


@pytest.mark.slow
@pytest.mark.heavy
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "name",
    ["poster", "apvit on ir50", "phanet", "phanet, two scales kept"],
)
def test_onnx_equals_torch_at_any_batch_size(name: str) -> None:
    """POSTER++ is in tests/e2e/test_official_files.py."""
    pytest.importorskip("onnxscript")
    from mien.nn.onnx_session import open_session

    network: Any = shallow(name)
    side = getattr(network.config, "size_px", 112)
    batch = torch.export.Dim("batch")
    program = torch.onnx.export(network, (noise(2, side),), dynamo=True, dynamic_shapes={"x": {0: batch}})
    stream = io.BytesIO()
    program.save(stream)
    session = open_session(stream.getvalue(), threads=1)
    (entry,) = session.native().get_inputs()
    assert entry.shape == ["batch", 3, side, side]
    with torch.no_grad():
        for count in (1, 2, 5):
            (found,) = session.run(None, {entry.name: noise(count, side).numpy()})
            np.testing.assert_allclose(found, network(noise(count, side)).numpy(), rtol=0, atol=1e-4)
