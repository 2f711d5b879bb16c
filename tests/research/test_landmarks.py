"""The distillation of landmarks on fabricated faces."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from research.landmarks68.evaluate import normalised_error
from research.landmarks68.teacher import Faces, Teacher
from research.landmarks68.train import main, wing
from safetensors.torch import load_file, save_file

from mien.geometry import Box
from mien.models.landmarks68 import Landmarks68, Landmarks68Config
from tests.research.fabricated import prepared


@pytest.fixture
def teacher(tmp_path: Path) -> Path:
    """Random weights under the published names, whose points lie apart."""
    torch.manual_seed(0)
    state = {
        key.removeprefix("backbone."): value
        for key, value in Landmarks68(Landmarks68Config()).state_dict().items()
        if not key.endswith("num_batches_tracked")
    }
    state["output_layer.bn.bias"] = torch.rand(136)
    save_file(state, tmp_path / "teacher.safetensors")
    return tmp_path / "teacher.safetensors"


def test_the_wing_loss_is_logarithmic_near_zero_and_linear_far_away() -> None:
    target = torch.zeros(1, 68, 2)
    near, far = torch.full_like(target, 1 / 96), torch.full_like(target, 50 / 96)
    assert wing(near, target).item() == pytest.approx(10 * np.log1p(1 / 2), rel=1e-5)
    assert wing(far, target).item() == pytest.approx(50 - (10 - 10 * np.log1p(10 / 2)), rel=1e-5)
    assert wing(target, target).item() == 0


def test_points_of_the_teacher_are_located_once(teacher: Path, tmp_path: Path) -> None:
    store = prepared(tmp_path / "ferplus", "ferplus")
    located = Faces(store, tmp_path / "points", Teacher(teacher))
    again = Faces(store, tmp_path / "points", None)  # type: ignore[arg-type]  # not needed
    assert torch.equal(located.points, again.points)


def test_the_error_is_measured_in_crops_of_the_aligned_face(tmp_path: Path) -> None:
    class Fixed(Teacher):
        def __init__(self) -> None:
            pass

        def locate(self, image: np.ndarray, boxes: Sequence[Box]) -> np.ndarray:
            return np.random.default_rng(0).uniform(10, 38, (len(boxes), 68, 2))

    faces = Faces(prepared(tmp_path / "ferplus", "ferplus"), tmp_path / "points", Fixed())
    canvas, points = faces.take(faces.rows("train")[:2])
    assert canvas.shape == (2, 3, 48, 48)
    assert points.shape == (2, 68, 2)

    class Exact(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            margin_px = (faces.store.canvas_px - faces.store.aligned_px) / 2
            return (faces.points[faces.rows("valid")] - margin_px) / faces.store.aligned_px

    assert normalised_error(Exact(), faces, "valid").max() < 1e-4


def test_a_student_learns_points_and_features(teacher: Path, tmp_path: Path) -> None:
    stores = [prepared(tmp_path / name, "ferplus") for name in ("ferplus", "muxspace")]
    command = ["--ferplus", str(stores[0]), "--muxspace", str(stores[1]), "--teacher", str(teacher), "--features"]
    out = tmp_path / "runs/landmarks"
    main([*command, "--images", "8", "--batch", "8", "--out", str(out)])
    assert "wing" in (out / "metrics.jsonl").read_text()
    assert load_file(out / "weights.safetensors").keys()
