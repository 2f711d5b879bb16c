"""The notebooks run from the first cell to the last."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.docs.commands import ROOT

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")
pytest.importorskip("matplotlib")
pytest.importorskip("av")

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
BY_NAME = pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
LARGEST = 500_000  # bytes, with the outputs that are committed


@BY_NAME
def test_a_committed_notebook_is_small_and_shows_its_outputs(notebook: Path) -> None:
    assert notebook.stat().st_size < LARGEST
    cells = [cell for cell in nbformat.read(notebook, 4).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1)), "run it from the top"
    assert sum(bool(cell.outputs) for cell in cells) > len(cells) / 2
    assert not any(output.output_type == "error" for cell in cells for output in cell.outputs)


@pytest.mark.slow
@pytest.mark.heavy
@pytest.mark.filterwarnings("ignore")
@BY_NAME
def test_a_notebook_runs(notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR"):
        monkeypatch.setenv(folder, str(tmp_path / folder))
    paths = [str(ROOT / "src"), str(ROOT), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    book = nbformat.read(notebook, 4)
    resources = {"metadata": {"path": str(notebook.parent)}}
    nbclient.NotebookClient(book, timeout=600, kernel_name="python3", resources=resources).execute()
