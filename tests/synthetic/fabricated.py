"""A face model in ICT-FaceKit's layout, made from an ellipsoid: nothing of the real one is in it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from mien.synthetic.blendshapes import SHAPES
from mien.synthetic.face_model import VERTICES

MODES = 4
# Ends of the vertex ranges that have a meaning, and the middle of the part there (y up, z to the camera).
_PARTS = (
    (11248, (0, 0, 0), (8.5, 13, 11)),  # head
    (13294, (0, -3.5, 8), (1, 0.5, 1)),  # mouth socket
    (14062, (0, 3.5, 5), (1, 1, 1)),  # eye sockets
    (17039, (0, -3.5, 7), (1, 0.4, 1)),  # gums
    (21451, (0, -3.5, 8), (1, 0.4, 1)),  # teeth
    (22221, (3, 3.5, 8.3), (1, 1, 1)),
    (23021, (3, 3.5, 8.5), (1.2, 1.2, 1.2)),  # left eye
    (23791, (-3, 3.5, 8.3), (1, 1, 1)),
    (24591, (-3, 3.5, 8.5), (1.2, 1.2, 1.2)),  # right eye
    (24999, (0, 0, 0), (1, 1, 1)),
    (25047, (0, 3.5, 5), (2, 0.1, 0.1)),  # tear ducts
    (25351, (0, 0, 0), (1, 1, 1)),
    (VERTICES, (0, 0, 0), (1, 1, 1)),  # lashes
)


def landmark_places() -> np.ndarray:
    """Where the 68 points lie seen from the front (68, 2), in centimetres, y up."""
    turn = np.linspace(np.pi, 2 * np.pi, 17)
    jaw = np.stack([7 * np.cos(turn), 3 + 11 * np.sin(turn)], axis=1)
    brow = np.stack([np.linspace(5.5, 1.2, 5), [5.2, 6, 6.2, 6, 5.6]], axis=1)
    bridge = np.stack([np.zeros(4), [3.7, 2.5, 1.5, 0.4]], axis=1)
    nostrils = np.stack([np.linspace(-1.2, 1.2, 5), np.full(5, -1.1)], axis=1)
    eye = np.array([[4.3, 3.4], [3.7, 3.9], [2.7, 3.9], [1.8, 3.4], [2.7, 3.0], [3.7, 3.0]])
    flipped = np.array([-1, 1])
    around = np.deg2rad(180 - 30 * np.arange(12))
    lips = np.stack([2.5 * np.cos(around), -3.5 + 0.9 * np.sin(around)], axis=1)
    inner = np.deg2rad(180 - 45 * np.arange(8))
    mouth = np.stack([2.1 * np.cos(inner), -3.5 + 0.2 * np.sin(inner)], axis=1)
    other_eye = eye[[3, 2, 1, 0, 5, 4]]
    return np.concatenate(
        [jaw, brow * flipped, brow[::-1], bridge, nostrils, eye * flipped, other_eye, lips, mouth]
    )


def arrays() -> dict[str, np.ndarray]:
    """The contents of the .npz."""
    points, quads, uv = [], [], []
    start = 0
    for end, middle, radii in _PARTS:
        count = end - start
        rows = count // 20 if count < 9000 else 106
        columns = count // rows
        down, around = np.meshgrid(np.linspace(0.05, np.pi - 0.05, rows), np.linspace(0, 2 * np.pi, columns))
        down, around = down.T.ravel(), around.T.ravel()
        part = np.stack([np.sin(down) * np.sin(around), np.cos(down), -np.sin(down) * np.cos(around)], axis=1)
        part = np.concatenate([part, np.repeat(part[-1:], count - len(part), axis=0)])
        points.append(part * radii + middle)
        grid = np.arange(rows * columns).reshape(rows, columns) + start
        # Corners against the clock as seen from outside.
        quads.append(np.stack([grid[:-1, :-1], grid[1:, :-1], grid[1:, 1:], grid[:-1, 1:]], axis=-1).reshape(-1, 4))
        place = np.stack([around / np.pi, 1 - down / np.pi], axis=1) * 0.98 + 0.01
        uv.append(np.concatenate([place, np.repeat(place[-1:], count - len(place), axis=0)]))
        start = end
    neutral = np.concatenate(points)
    head = neutral[: _PARTS[0][0]]
    ahead = np.where(head[:, 2:] > 0, head[:, :2], np.inf)
    landmarks = [int(np.linalg.norm(ahead - place, axis=1).argmin()) for place in landmark_places()]
    names = sorted(SHAPES)
    x, y, z = neutral.T
    nothing = np.zeros_like(x)
    modes = [
        np.stack([x * 0.05, nothing, nothing], axis=1),
        np.stack([nothing, y * 0.05, nothing], axis=1),
        np.stack([nothing, nothing, z * 0.04], axis=1),
        np.stack([nothing, nothing, np.exp(-(x**2 + (y - 1) ** 2) / 2) * (z > 0)], axis=1),
    ]
    table = np.concatenate(quads)
    return {
        "neutral": neutral.astype(np.float32),
        "quads": table.astype(np.int32),
        "uv": np.concatenate(uv).astype(np.float32),
        "quads_uv": table.astype(np.int32),
        "identity": np.array(modes, np.float16),
        "expression": np.array([_shape(name, neutral, landmarks) for name in names], np.float16),
        "expression_names": np.array(names),
        "vertex_indices_json": np.array(json.dumps({"idx_to_landmark_verts": landmarks})),
    }


def _shape(name: str, neutral: np.ndarray, landmarks: list[int]) -> np.ndarray:
    """A bump that moves the points which the shape's name speaks of."""
    moves = {  # stem -> (landmarks of the left side, push in x, y, z)
        "browDown": ([22, 23, 24, 25, 26], (0, -0.6, 0)),
        "browInnerUp": ([22, 23], (0, 0.6, 0)),
        "browOuterUp": ([24, 25, 26], (0, 0.8, 0)),
        "mouthSmile": ([54, 64], (0.4, 1.0, 0)),
        "mouthFrown": ([54, 64], (0, -0.6, 0)),
        "mouthStretch": ([54, 64], (0.8, 0, 0)),
        "jawOpen": ([57, 66, 8], (0, -4.0, 0)),
    }
    stem, _, side = name.partition("_")
    if stem not in moves:
        return np.zeros_like(neutral)
    points, push = moves[stem]
    flip = np.array([-1 if side == "R" else 1, 1, 1])
    nearest = np.min([np.linalg.norm(neutral - neutral[landmarks[i]] * flip, axis=1) for i in points], axis=0)
    return np.exp(-((nearest / 0.8) ** 2))[:, None] * np.array(push) * flip


def save(path: Path) -> Path:
    """The model as an .npz."""
    np.savez_compressed(path, **arrays())
    return path
