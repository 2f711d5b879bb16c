"""Reading the face model, and saying what is wrong with another file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mien.errors import InputError
from mien.synthetic.face_model import FaceModel, load_model
from tests.synthetic import fabricated


def test_axes_are_ours(model: FaceModel) -> None:
    points = model.neutral[model.landmarks]
    assert points[8, 1] > points[27, 1]  # the chin lies below the nose: y down
    assert points[45, 0] > points[36, 0]  # the subject's left eye at the right: x right
    assert points[30, 2] < points[[0, 16], 2].min()  # the nose is nearest to the camera: z away


@pytest.mark.slow
def test_the_folder_of_obj_files_gives_the_same_model(tmp_path: Path, fabricated_model: FaceModel) -> None:
    arrays = fabricated.arrays()
    neutral = arrays["neutral"].astype(np.float64)
    corners = "".join(
        "f " + " ".join(f"{v + 1}/{t + 1}/1" for v, t in zip(quad, places, strict=True)) + "\n"
        for quad, places in zip(arrays["quads"], arrays["quads_uv"], strict=True)
    )
    texture = "".join(f"vt {u!r} {v!r}\n" for u, v in arrays["uv"].tolist())

    def write(name: str, places: np.ndarray, rest: str = "") -> None:
        lines = "\n".join(f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in places.tolist())
        (tmp_path / f"{name}.obj").write_text(f"# made by hand\n{lines}\n{rest}")

    write("generic_neutral_mesh", neutral, texture + corners)
    for i, mode in enumerate(arrays["identity"][:2]):
        write(f"identity{i:03d}", neutral + mode)
    for name, offsets in zip(arrays["expression_names"], arrays["expression"], strict=True):
        write(str(name), neutral + offsets)
    (tmp_path / "vertex_indices.json").write_text(str(arrays["vertex_indices_json"]))

    model = load_model(tmp_path)
    np.testing.assert_allclose(model.neutral, fabricated_model.neutral, atol=1e-5)
    np.testing.assert_allclose(model.identity, fabricated_model.identity[:2], atol=1e-5)
    np.testing.assert_array_equal(model.quads, fabricated_model.quads)
    np.testing.assert_array_equal(model.quads_uv, fabricated_model.quads_uv)
    np.testing.assert_allclose(model.uv, fabricated_model.uv)
    np.testing.assert_array_equal(model.landmarks, fabricated_model.landmarks)
    for name, offsets in fabricated_model.expression.items():
        np.testing.assert_allclose(model.expression[name], offsets, atol=1e-5)


def test_an_absent_file_says_where_the_model_comes_from(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such file.*github.com/ICT-VGL/ICT-FaceKit"):
        load_model(tmp_path / "none.npz")


def test_an_empty_folder_says_which_file_it_looked_for(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"generic_neutral_mesh.obj: no such file"):
        load_model(tmp_path)


@pytest.mark.parametrize("content", [b"", b"not a model", b"PK\x03\x04 cut short"])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "face.npz").write_bytes(content)
    with pytest.raises(InputError, match="FaceXModel"):
        load_model(tmp_path / "face.npz")


def test_an_array_file_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "face.npy", np.zeros(3))
    with pytest.raises(InputError, match="FaceXModel"):
        load_model(tmp_path / "face.npy")


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        ("neutral", None, "neutral"),
        ("neutral", np.zeros((9, 3)), r"neutral is \(9, 3\)"),
        ("identity", np.zeros((0, 26719, 3)), "no identity modes"),
        ("uv", np.zeros((3, 2)), "a quad names a vertex"),
        ("vertex_indices_json", np.array(json.dumps({"idx_to_landmark_verts": [1]})), "not 68 vertices"),
        ("vertex_indices_json", np.array("{"), "not a face model"),
    ],
)
def test_a_wrong_part_is_named(tmp_path: Path, key: str, value: np.ndarray | None, complaint: str) -> None:
    arrays = fabricated.arrays()
    if value is None:
        del arrays[key]
    else:
        arrays[key] = value
    np.savez(tmp_path / "face.npz", **arrays)
    with pytest.raises(InputError, match=complaint):
        load_model(tmp_path / "face.npz")


def test_an_absent_shape_is_named(tmp_path: Path) -> None:
    arrays = fabricated.arrays()
    kept = arrays["expression_names"] != "jawOpen"
    arrays |= {name: arrays[name][kept] for name in ("expression_names", "expression")}
    np.savez(tmp_path / "face.npz", **arrays)
    with pytest.raises(InputError, match="no expression shape jawOpen"):
        load_model(tmp_path / "face.npz")
