from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mien.cli.app import run
from mien.errors import WeightsError
from mien.weights.fill import load_network
from mien.weights.golden import KEPT, Golden, pattern, spaced
from mien.weights.manifest import INT8, SHIPPED, load_manifest, shipped_names, write_manifest
from mien.weights.verify import verify


@pytest.mark.parametrize("name", shipped_names())
def test_shipped_weights_pass_every_check(name: str) -> None:
    pytest.importorskip("torch")
    manifest = load_manifest(name)
    assert [check.passed for check in verify(manifest)] == [True] * (5 + 2 * manifest.has(INT8))


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The landmark network without its int8 form."""
    shutil.copytree(SHIPPED / "landmarks68", tmp_path / "own")
    manifest = load_manifest(str(tmp_path / "own"))
    files = {name: of for name, of in manifest.files.items() if not name.endswith(INT8)}
    write_manifest(replace(manifest, files=files, golden_int8=None))
    return tmp_path / "own"


def test_int8_takes_its_weights_from_the_onnx_file(tmp_path: Path) -> None:
    shutil.copytree(SHIPPED / "landmarks68", tmp_path / "own")
    with (tmp_path / "own/landmarks68.onnx").open("ab") as file:
        file.write(b"x")
    checks = verify(str(tmp_path / "own"))
    assert [check.passed for check in checks if "int8's output" in check.message] == [None]


def test_an_altered_file_fails_and_the_rest_goes_on(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (copied / "landmarks68.onnx").open("ab") as file:
        file.write(b"x")
    assert run(["weights", "verify", str(copied)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["FAILED", "ok", "ok", "ok", "skipped"]
    assert "landmarks68.onnx is damaged" in lines[0]


def test_another_answer_than_the_golden_one_fails(copied: Path) -> None:
    manifest = load_manifest(str(copied))
    assert manifest.golden is not None
    outputs = (manifest.golden.outputs[0] + 0.01, *manifest.golden.outputs[1:])
    changed = replace(manifest, golden=replace(manifest.golden, outputs=outputs))
    messages = [check.message for check in verify(changed) if check.passed is False]
    assert len(messages) == 2
    assert all("differs from the golden output by 1.0e-02" in message for message in messages)


def test_weights_that_are_no_numbers_are_refused(copied: Path) -> None:
    torch_files = pytest.importorskip("safetensors.torch")
    tensors = torch_files.load_file(copied / "landmarks68.safetensors")
    first = next(name for name, value in tensors.items() if value.is_floating_point())
    tensors[first] = tensors[first] * float("nan")
    torch_files.save_file(tensors, copied / "landmarks68.safetensors")
    write_manifest(load_manifest(str(copied)))
    with pytest.raises(WeightsError, match="holds NaN or infinity in 1 tensors"):
        load_network(copied)


def test_weights_of_another_network_fail(copied: Path) -> None:
    pytest.importorskip("torch")
    shutil.copy(SHIPPED / "default" / "default.safetensors", copied / "landmarks68.safetensors")
    shutil.copy(SHIPPED / "default" / "default.onnx", copied / "landmarks68.onnx")
    manifest = write_manifest(load_manifest(str(copied)))
    assert [check.passed for check in verify(manifest)] == [True, True, False, False]


def test_swapped_colours_fail(copied: Path) -> None:
    manifest = load_manifest(str(copied))
    swapped = replace(manifest, inputs=replace(manifest.inputs, channels="bgr"))
    assert [check.passed for check in verify(swapped)][-2:] == [False, False]


def test_records_that_cannot_be_read_are_lines_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["weights", "verify", str(tmp_path), "landmarks68"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"FAILED  {tmp_path}: ")
    assert len(lines) == 8
    assert run(["weights", "verify", "landmark68"]) == 2


def test_without_torch_the_rest_is_checked() -> None:
    code = "import sys; sys.modules['torch'] = None; from mien.cli.app import run; sys.exit(run(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", code, "weights", "verify", "default"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["ok", "ok", "ok", "skipped", "ok", "ok"]
    assert "needs torch, which is not installed; in a clone of mien: pip install '.[train]'" in done.stdout


def test_the_pattern_is_generated_the_same_everywhere() -> None:
    image = pattern(96)
    assert image.dtype == np.uint8
    assert image.shape == (96, 96, 3)
    assert image[::30, ::40, 1].tolist() == GOLDEN_PATTERN
    assert (image != image[:, ::-1]).mean() > 0.9  # a flipped input is noticed
    assert (image[..., 0] != image[..., 2]).mean() > 0.9  # and swapped colours


GOLDEN_PATTERN = [[255, 151, 86], [218, 26, 211], [105, 174, 76], [82, 61, 71]]


def test_long_answers_are_thinned_and_broken_ones_refused() -> None:
    assert len(spaced(np.zeros((1, 256, 14, 14)))) <= KEPT
    assert len(spaced(np.zeros((1, 8)))) == 8
    golden = Golden.of(np.array([[1.0, -2000.0]]))
    assert golden.tolerance == 2
    assert golden.difference(np.array([[1.0, -1999.0]])) == 1
    assert golden.difference(np.zeros((1, 3))) == float("inf")
    with pytest.raises(WeightsError, match="NaN"):
        Golden.of(np.array([np.nan]))
