"""ICT-FaceKit, the 3D face model: a neutral head, identity modes and expression shapes on one mesh.

Li et al., "Learning Formation of Physically-Based Face Attributes", CVPR 2020; MIT licence, USC Institute for
Creative Technologies, https://github.com/ICT-VGL/ICT-FaceKit.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from mien.errors import InputError
from mien.synthetic.blendshapes import SHAPES

VERTICES = 26719
# Vertex ranges of ICT-FaceKit's topology, from the table in its README.
SKIN = slice(0, 14062)  # face, head and neck, mouth socket, eye sockets
MOUTH_SOCKET = slice(11248, 13294)
GUMS = slice(14062, 17039)  # with the tongue
TEETH = slice(17039, 21451)
EYES = (slice(22221, 23021), slice(23791, 24591))  # the inner balls, with the iris: subject's left, right
TEAR_DUCTS = slice(24999, 25047)
EYE_SHADES = slice(25047, 25351)  # a film over each eye
LASHES = slice(25351, 26719)

_SOURCE = (
    "The model is ICT-FaceKit (MIT, https://github.com/ICT-VGL/ICT-FaceKit): hand in its folder FaceXModel, or an "
    ".npz with neutral, quads, uv, quads_uv, identity, expression, expression_names and vertex_indices_json "
    "(docs/datasets/rendered.md)"
)


@dataclass(frozen=True, eq=False)
class FaceModel:
    """Centimetres; x right, y down, z away from the camera of a frontal image."""

    neutral: np.ndarray  # (26719, 3) float32
    quads: np.ndarray  # (F, 4) indices into the vertices
    uv: np.ndarray  # (U, 2) texture coordinates; the whole part of u is the tile
    quads_uv: np.ndarray  # (F, 4) indices into uv
    identity: np.ndarray  # (K, 26719, 3) offsets of one standard deviation
    expression: dict[str, np.ndarray]  # name -> (26719, 3) offsets of the full shape
    landmarks: np.ndarray  # (68,) vertices, in the order of 300-W
    sha256: str  # of the file, or of the files of the folder

    def shaped(self, coefficients: np.ndarray) -> np.ndarray:
        """The neutral head (26719, 3) of an identity with these coefficients (up to K)."""
        return self.neutral + np.tensordot(coefficients, self.identity[: len(coefficients)], axes=1)

    def offsets(self, weights: dict[str, float]) -> np.ndarray:
        """What an expression adds to any identity (26719, 3)."""
        total = np.zeros_like(self.neutral)
        for name, weight in weights.items():
            total += np.float32(weight) * self.expression[name]
        return total


def load_model(path: Path) -> FaceModel:
    """The face model from an .npz or from ICT-FaceKit's folder of OBJ files; raises `InputError`."""
    try:
        return _from_folder(path) if path.is_dir() else _from_npz(path)
    except FileNotFoundError as error:
        raise InputError(f"{error.filename or path}: no such file. {_SOURCE}") from None
    except KeyError as error:
        raise InputError(f"{path}: {error} is not in it. {_SOURCE}") from None
    except (OSError, ValueError, TypeError, AttributeError, EOFError, BadZipFile) as error:
        raise InputError(f"{path}: not a face model that can be read ({error}). {_SOURCE}") from None


def _from_npz(path: Path) -> FaceModel:
    data = path.read_bytes()
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        names = [str(name) for name in file["expression_names"]]
        return _model(
            neutral=file["neutral"],
            quads=file["quads"],
            uv=file["uv"],
            quads_uv=file["quads_uv"],
            identity=file["identity"],
            expression=dict(zip(names, file["expression"], strict=True)),
            landmarks=json.loads(str(file["vertex_indices_json"]))["idx_to_landmark_verts"],
            sha256=hashlib.sha256(data).hexdigest(),
        )


def _from_folder(folder: Path) -> FaceModel:
    """FaceXModel: generic_neutral_mesh.obj, identity000.obj ..., one OBJ per shape, vertex_indices.json."""
    base = folder / "generic_neutral_mesh.obj"
    files = [base, *sorted(path for path in folder.glob("*.obj") if path != base), folder / "vertex_indices.json"]
    digest = hashlib.sha256()
    text = {}
    for file in files:
        data = file.read_bytes()
        digest.update(data)
        text[file.stem] = data.decode()
    neutral = _numbers(text[base.stem], "v", 3)
    faces = [line.split()[1:] for line in text[base.stem].splitlines() if line.startswith("f ")]
    corners = np.array([[corner.split("/")[:2] for corner in face] for face in faces if len(face) == 4], int) - 1
    offsets = {file.stem: _numbers(text[file.stem], "v", 3) - neutral for file in files[1:-1]}
    modes = sorted(name for name in offsets if re.fullmatch(r"identity\d+", name))
    return _model(
        neutral=neutral,
        quads=corners[:, :, 0],
        uv=_numbers(text[base.stem], "vt", 2),
        quads_uv=corners[:, :, 1],
        identity=np.array([offsets.pop(name) for name in modes]),
        expression=offsets,
        landmarks=json.loads(text["vertex_indices"])["idx_to_landmark_verts"],
        sha256=digest.hexdigest(),
    )


def _numbers(obj: str, keyword: str, columns: int) -> np.ndarray:
    """The lines of an OBJ file that begin with a keyword, as (N, columns)."""
    rows = [line.split()[1 : 1 + columns] for line in obj.splitlines() if line.startswith(keyword + " ")]
    return np.array(rows, np.float32)


def _model(
    *,
    neutral: np.ndarray,
    quads: np.ndarray,
    uv: np.ndarray,
    quads_uv: np.ndarray,
    identity: np.ndarray,
    expression: dict[str, np.ndarray],
    landmarks: list[int],
    sha256: str,
) -> FaceModel:
    """Checked, and turned from y up, z towards the camera into our axes."""
    shapes = {"neutral": neutral.shape, "identity": identity.shape[1:]}
    shapes |= {f"expression {name}": offsets.shape for name, offsets in expression.items()}
    wrong = [f"{what} is {shape}" for what, shape in shapes.items() if shape != (VERTICES, 3)]
    absent = sorted(SHAPES - expression.keys())
    if absent:
        wrong.append(f"no expression shape {', '.join(absent)}")
    if not len(identity):
        wrong.append("no identity modes")
    if len(landmarks) != 68 or max(landmarks) >= VERTICES:
        wrong.append("idx_to_landmark_verts are not 68 vertices")
    if quads.shape != quads_uv.shape or quads.ndim != 2 or quads.shape[1] != 4:
        wrong.append(f"quads {quads.shape} and quads_uv {quads_uv.shape} do not fit")
    elif quads.max() >= VERTICES or quads_uv.max() >= len(uv):
        wrong.append("a quad names a vertex that does not exist")
    if wrong:
        raise ValueError(f"expected {VERTICES} vertices in the layout of ICT-FaceKit; " + "; ".join(wrong))
    ours = np.array([1, -1, -1], np.float32)
    return FaceModel(
        neutral=neutral.astype(np.float32) * ours,
        quads=quads,
        uv=uv.astype(np.float32),
        quads_uv=quads_uv,
        identity=identity.astype(np.float32) * ours,
        expression={name: offsets.astype(np.float32) * ours for name, offsets in expression.items()},
        landmarks=np.asarray(landmarks),
        sha256=sha256,
    )
