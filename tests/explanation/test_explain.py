from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import mien
from mien.cli.app import run
from mien.explanation.explain import overlay
from mien.explanation.faithfulness import centre_prior, faithfulness
from mien.explanation.occlusion import GRID, hidden, mixed, occlusion_map
from tests.conftest import EXAMPLES

FACE = np.random.default_rng(0).integers(0, 256, (96, 96, 3)).astype(np.uint8)
CELL = 96 // GRID


def sharpness_of_one_cell(row: int, column: int):
    """A "network" that goes by one cell alone."""
    cell = np.s_[:, row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL]
    return lambda faces: (faces[cell].std(axis=(1, 2, 3)) > 30).astype(float)


def test_the_map_is_highest_where_the_network_looks() -> None:
    cells = occlusion_map(sharpness_of_one_cell(3, 8), FACE)
    assert np.unravel_index(cells.argmax(), cells.shape) == (3, 8)
    assert cells.max() == pytest.approx(1.0)
    assert cells[9, 1] == 0


def test_a_faithful_map_has_a_low_deletion_and_a_high_insertion() -> None:
    network = sharpness_of_one_cell(3, 8)
    good = faithfulness(network, FACE, occlusion_map(network, FACE))
    bad = faithfulness(network, FACE, -occlusion_map(network, FACE))
    assert good.deletion < 0.1 < 0.9 < bad.deletion
    assert bad.insertion < 0.1 < 0.9 < good.insertion
    assert centre_prior()[5, 5] == pytest.approx(centre_prior().max())


def test_cells_are_hidden_exactly() -> None:
    mask = np.zeros((GRID, GRID), dtype=bool)
    mask[0, 1] = True
    changed = (mixed(FACE, hidden(FACE), mask) != FACE).any(axis=-1)
    assert changed[:CELL, CELL : 2 * CELL].mean() > 0.9
    changed[:CELL, CELL : 2 * CELL] = False
    assert not changed.any()


@pytest.mark.parametrize("turns", [0, 1])
def test_a_smile_is_explained_by_the_mouth(recognizer: mien.Recognizer, astronaut: np.ndarray, turns: int) -> None:
    image = np.ascontiguousarray(np.rot90(astronaut, turns))
    (one,) = mien.explain(image, recognizer=recognizer)
    assert one.label == "happiness"
    marked = overlay(image, [one]).astype(int)
    strongest = np.unravel_index(np.abs(marked - image).sum(axis=-1).argmax(), image.shape[:2])
    mouth = np.mean(one.face.landmarks[48:], axis=0)
    eyes = np.mean(one.face.landmarks[36:48], axis=0)
    there = np.array(strongest[::-1])
    assert np.linalg.norm(there - mouth) < np.linalg.norm(there - eyes)
    assert one.faithfulness.deletion < one.faithfulness.insertion
    with pytest.raises(ValueError, match="read-only"):
        one.cells[0] = 0


def test_the_command_writes_image_and_arrays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image, arrays = tmp_path / "explained.png", tmp_path / "maps.npz"
    source = str(EXAMPLES / "astronaut.jpg")
    assert run(["explain", source, "--output", str(image), "--arrays", str(arrays), "--label", "anger"]) == 0
    assert capsys.readouterr().out.startswith("face 0: anger ")
    assert mien.read_image(image).shape == mien.read_image(source).shape
    assert np.load(arrays)["cells_0"].shape == (GRID, GRID)
    assert run(["explain", source, "--label", "joy"]) == 2
    assert run(["explain", source, "--output", str(tmp_path / "no" / "such.png")]) == 1
