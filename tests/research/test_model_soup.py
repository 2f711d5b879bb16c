"""Between the weights of two networks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from research.default.model_soup import average, main, manifest_of
from research.ship import write_tensors

from mien.errors import OptionError
from mien.weights.fill import load_network
from mien.weights.manifest import SHIPPED, load_manifest
from mien.weights.verify import verify


def test_every_tensor_lies_between(tmp_path: Path) -> None:
    shipped = load_manifest("default")
    state = load_network("default").state_dict()
    doubled = {name: value * 2 if value.is_floating_point() else value for name, value in state.items()}
    write_tensors(replace(shipped, name="twice"), doubled, tmp_path / "weights")
    mean = average([shipped, manifest_of(str(tmp_path))], [0.25, 0.75])
    for name, value in state.items():
        torch.testing.assert_close(mean[name], value * 1.75 if value.is_floating_point() else value)


def test_a_soup_of_one_is_the_same_network_uncalibrated(tmp_path: Path) -> None:
    main(["--runs", "default", "--out", str(tmp_path / "soup")])
    soup = load_manifest(str(tmp_path / "soup/weights"))
    assert (soup.temperature, list(soup.priors)) == (1.0, ["default"])
    state = load_network(soup.folder).state_dict()
    for name, value in load_network("default").state_dict().items():
        torch.testing.assert_close(state[name], value)
    assert all(check.passed for check in verify(soup))


def test_networks_that_differ_are_refused() -> None:
    with pytest.raises(OptionError, match="another network"):
        average([load_manifest("default"), load_manifest(str(SHIPPED / "landmarks68"))], [0.5, 0.5])
