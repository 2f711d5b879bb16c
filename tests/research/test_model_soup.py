"""Between the weights of two networks."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import save_file

from mien.errors import OptionError
from mien.weights.fill import load_network
from mien.weights.manifest import SHIPPED, load_manifest, write_manifest


@pytest.fixture
def recipe() -> Any:
    return import_module("research.default.model_soup")


def test_every_tensor_lies_between(recipe: Any, tmp_path: Path) -> None:
    shipped = load_manifest("default")
    state = load_network("default").state_dict()
    doubled = {name: value * 2 if value.is_floating_point() else value for name, value in state.items()}
    save_file(doubled, tmp_path / "twice.safetensors")
    other = replace(shipped, files={"twice.safetensors": ""}, golden=None, folder=tmp_path)
    write_manifest(other)
    mean = recipe.average([shipped, recipe.manifest_of(str(tmp_path))], [0.25, 0.75])
    for name, value in state.items():
        torch.testing.assert_close(mean[name], value * 1.75 if value.is_floating_point() else value)


def test_networks_that_differ_are_refused(recipe: Any) -> None:
    with pytest.raises(OptionError, match="another network"):
        recipe.average([load_manifest("default"), load_manifest(str(SHIPPED / "landmarks68"))], [0.5, 0.5])
