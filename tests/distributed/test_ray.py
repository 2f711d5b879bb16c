"""Ray: two nodes, a worker killed and a node lost in the middle, an image that ends its process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from PIL import Image

import mien
from mien.errors import MissingPackageError, OptionError, OutputError
from tests.architecture.test_layers import loaded_after
from tests.distributed.cluster import POISON, WholeImage

ROOT = Path(__file__).parents[2]
needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="needs Ray: pip install 'mien[ray]'")


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a short path, as Ray's sockets need it."""
    folder = Path(tempfile.mkdtemp(prefix="m"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@needs_ray
@pytest.mark.slow
def test_two_nodes_lose_a_worker_and_a_node_and_no_row(
    recognizer: mien.Recognizer, folder: Path, tmp_path: Path, short: Path
) -> None:
    for i in range(20):
        shutil.copy(folder / f"{i % 3}.png", folder / f"more-{i:02}.png")
    Image.new("RGB", (64, 64), (POISON,) * 3).save(folder / "poison.png")
    out = tmp_path / "out"
    done = subprocess.run(
        [sys.executable, "-m", "tests.distributed.cluster", str(folder), str(out)],
        cwd=ROOT, env=os.environ | {"RAY_TMPDIR": str(short)}, capture_output=True, text=True, timeout=400,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    result = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("{")))
    assert result == {"images": 27, "errors": 2, "parts": 9, "ended": ["worker", "node"]}
    rows = {row["source"]: row for row in pq.read_table(out).to_pylist()}
    assert rows.pop(str(folder / "poison.png"))["error"].startswith("ended the process that read it, twice")
    (folder / "poison.png").unlink()
    whole = mien.Recognizer(detector=WholeImage(), landmarker=recognizer.landmarker, network=recognizer.network)
    assert list(rows.values()) == whole.predict_folder(folder, workers=1).to_pylist()
    assert len(pq.read_table(out)) == len(rows) + 1


@needs_ray
@pytest.mark.slow
def test_the_command_makes_parts_and_leaves_nothing_else(folder: Path, tmp_path: Path, short: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    command = [sys.executable, "-m", "mien", "predict", str(folder), "--engine", "ray", "--output", "out"]
    done = subprocess.run(
        [*command, "--temp-dir", str(short), "--workers", "1", "--images-per-part", "4", "--no-detect"],
        cwd=tmp_path, env=os.environ | {"HOME": str(home), "TMPDIR": str(short)}, capture_output=True, text=True,
        timeout=400, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    unread, counts = done.stderr.splitlines()
    assert unread == f"mien: {folder / 'bad.png'}: is not an image although it is called .png; check the file"
    out = tmp_path / "out"
    assert counts == f"5 faces in 5 images, 1 could not be read; table: {out} (2 parts, 2 made now)"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "images", "out"]
    assert not list(home.iterdir())
    assert not list(short.iterdir())


def test_nothing_of_ray_is_imported_without_it() -> None:
    assert "ray" not in loaded_after("import mien.cli.app, mien.distributed.predict, mien.distributed.ray")


def test_without_ray_the_extra_is_named(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingPackageError, match=r"\.\[ray\]"):
        mien.predict_collection(folder, tmp_path / "out")


@needs_ray
def test_temporary_folders_that_ray_cannot_use_are_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / ("long" * 20)).mkdir()
    with pytest.raises(OptionError, match="too long"):
        mien.predict_collection(folder, tmp_path / "out", temp_dir=tmp_path / ("long" * 20))
    with pytest.raises(OutputError, match="no such folder"):
        mien.predict_collection(folder, tmp_path / "out", temp_dir=tmp_path / "none")
