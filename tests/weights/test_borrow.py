"""ONNX files that take weights from the safetensors file beside them."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from research.borrow import borrowed_tensors

import mien
from mien.errors import WeightsError
from mien.nn.onnx_session import open_session
from mien.weights.borrow import borrows
from mien.weights.half_precision import with_half_weights
from mien.weights.manifest import SHIPPED
from tests.weights.test_half_precision import product

MOST_BYTES = 60_000_000  # of all weights of the package


@pytest.mark.parametrize("transposed", [False, True])
def test_a_tensor_of_both_files_is_stored_once(tmp_path: Path, transposed: bool) -> None:
    numpy = pytest.importorskip("safetensors.numpy")
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(64, 128)).astype(np.float16)
    tensor = np.ascontiguousarray(weight.T) if transposed else weight
    numpy.save_file({"other": rng.normal(size=7), "weight": tensor}, tmp_path / "w.safetensors")
    stored = with_half_weights(product(weight.astype(np.float32)))
    (tmp_path / "w.onnx").write_bytes(borrowed_tensors(stored, tmp_path / "w.safetensors"))
    assert (tmp_path / "w.onnx").stat().st_size < len(stored) - weight.nbytes + 200
    assert borrows(tmp_path / "w.onnx", "w.safetensors")
    faces = rng.normal(size=(3, 64)).astype(np.float32)
    outputs = [
        open_session(model, threads=1).run(None, {"faces": faces})[0] for model in (stored, tmp_path / "w.onnx")
    ]
    np.testing.assert_array_equal(*outputs)


def test_what_no_tensor_equals_stays(tmp_path: Path) -> None:
    numpy = pytest.importorskip("safetensors.numpy")
    rng = np.random.default_rng(0)
    numpy.save_file({"weight": rng.normal(size=(64, 128))}, tmp_path / "w.safetensors")
    stored = with_half_weights(product(rng.normal(size=(64, 128)).astype(np.float32)))
    (tmp_path / "w.onnx").write_bytes(borrowed_tensors(stored, tmp_path / "w.safetensors"))
    assert not borrows(tmp_path / "w.onnx", "w.safetensors")
    assert (tmp_path / "w.onnx").stat().st_size == len(stored)


@pytest.mark.parametrize("harm", ["missing", "damaged"])
def test_a_harmed_lender_is_told(tmp_path: Path, harm: str) -> None:
    folder = tmp_path / "poster"
    shutil.copytree(SHIPPED / "poster", folder)
    lender = folder / "poster.safetensors"
    if harm == "missing":
        lender.unlink()
    else:
        lender.write_bytes(lender.read_bytes()[:-2] + b"xx")
    with pytest.raises(WeightsError, match=f"poster.safetensors is {harm}"):
        mien.load(str(folder))


def test_the_weights_of_the_package_are_small() -> None:
    assert sum(path.stat().st_size for path in SHIPPED.rglob("*") if path.is_file()) < MOST_BYTES
