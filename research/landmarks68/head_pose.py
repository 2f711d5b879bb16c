"""Render the mean face of ICT-FaceKit at known head poses, and judge the pose that prediction reads.

    python -m research.landmarks68.head_pose --model ict_facekit.npz --save tests/golden/poses

A small rasteriser: triangles, depth buffer, one light from the camera, skin and eyes in two colours, perspective
of a camera 60 cm away. ICT-FaceKit: MIT, USC Institute for Creative Technologies.
"""

from __future__ import annotations

import argparse
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image

import mien
from mien.faces.pose import rotation_matrix

SIDE_PX, SUPERSAMPLED = 256, 2
EYEBALLS = slice(21451, 24591)  # vertices of the eyeballs in ICT-FaceKit's topology
SKIN, WHITE, IRIS, HAIR = (224, 172, 140), (235, 232, 228), (60, 40, 30), (70, 50, 40)
DISTANCE_CM = 60.0
POSES = [
    *((yaw, 0, 0) for yaw in (-60, -45, -30, -15, 0, 15, 30, 45, 60)),
    *((0, pitch, 0) for pitch in (-25, -15, 15, 25)),
    *((20, 15, 0), (-25, -10, 10), (0, 0, 25), (0, 0, -30)),
]


def render(
    vertices: np.ndarray, triangles: np.ndarray, colours: np.ndarray, pose: tuple[float, float, float]
) -> np.ndarray:
    """Vertices (V, 3) in cm, x right, y down, z away; triangles (T, 3); colours (V, 3) -> (256, 256, 3) uint8."""
    side = SIDE_PX * SUPERSAMPLED
    turned = (vertices - vertices.mean(axis=0)) @ rotation_matrix(*pose).T
    scale = side / 34 * DISTANCE_CM / (DISTANCE_CM + turned[:, 2:])
    flat = turned[:, :2] * scale + side / 2
    corners, depths = flat[triangles], turned[triangles][:, :, 2]  # (T, 3, 2), (T, 3)
    a, b = turned[triangles[:, 1]] - turned[triangles[:, 0]], turned[triangles[:, 2]] - turned[triangles[:, 0]]
    normal = np.cross(a, b)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-12
    light = np.abs(normal @ np.array([0.25, -0.35, -0.9])) * 0.75 + 0.25  # (T,)
    shade = colours[triangles].mean(axis=1) * light[:, None]
    image = np.full((side, side, 3), 90.0)
    nearest = np.full((side, side), np.inf)
    low = np.floor(corners.min(axis=1)).astype(int).clip(0, side - 1)
    high = np.ceil(corners.max(axis=1)).astype(int).clip(0, side - 1)
    for t in range(len(triangles)):
        (x0, y0), (x1, y1) = low[t], high[t] + 1
        p, q, r = corners[t]
        area = (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])
        if abs(area) < 1e-9:
            continue
        y, x = np.mgrid[y0:y1, x0:x1] + 0.5
        u = ((x - p[0]) * (r[1] - p[1]) - (y - p[1]) * (r[0] - p[0])) / area
        v = ((q[0] - p[0]) * (y - p[1]) - (q[1] - p[1]) * (x - p[0])) / area
        inside = (u >= -1e-6) & (v >= -1e-6) & (u + v <= 1 + 1e-6)
        depth = depths[t, 0] * (1 - u - v) + depths[t, 1] * u + depths[t, 2] * v
        part = nearest[y0:y1, x0:x1]
        seen = inside & (depth < part)
        part[seen] = depth[seen]
        image[y0:y1, x0:x1][seen] = shade[t]
    small = Image.fromarray(image.clip(0, 255).astype(np.uint8)).resize((SIDE_PX, SIDE_PX), Image.Resampling.BOX)
    return np.asarray(small)


def mean_face(model: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices, triangles, colours of the neutral face."""
    data = np.load(model)
    vertices = data["neutral"].astype(float) * [1, -1, -1]
    quads = data["quads"]
    triangles = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    colours = np.tile(np.array(SKIN, float), (len(vertices), 1))
    eyes = vertices[EYEBALLS]
    colours[EYEBALLS] = WHITE
    for sign in (-1, 1):
        one = np.flatnonzero(np.sign(eyes[:, 0]) == sign)
        front = eyes[one][eyes[one, 2].argmin()]
        iris = one[np.linalg.norm(eyes[one] - front, axis=1) < 0.62]
        colours[EYEBALLS.start + iris] = IRIS
    points = vertices[json.loads(str(data["vertex_indices_json"]))["idx_to_landmark_verts"]]
    for brow in (points[17:22], points[22:27]):
        for p, q in pairwise(brow):
            for share in np.linspace(0, 1, 8):
                near = np.linalg.norm(vertices - (p + share * (q - p)), axis=1) < 0.35
                colours[near] = HAIR
    lips = [*range(48, 68)]
    for p in points[lips]:
        colours[np.linalg.norm(vertices - p, axis=1) < 0.35] = (176, 90, 90)
    return vertices, triangles, colours


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--save", type=Path)
    options = parser.parse_args()
    vertices, triangles, colours = mean_face(options.model)
    recognizer = mien.load(threads=1)
    errors = []
    for pose in POSES:
        image = render(vertices, triangles, colours, pose)
        if options.save:
            options.save.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(options.save / "yaw{}_pitch{}_roll{}.png".format(*pose))
        faces = recognizer.predict(image)
        found = faces[0].pose if faces else None
        angles = found and tuple(round(angle, 1) for angle in (found.yaw_deg, found.pitch_deg, found.roll_deg))
        print(pose, "->", angles or "no face", flush=True)
        if angles and abs(pose[0]) <= 45:
            errors.append(np.abs(np.subtract(angles, pose)))
    print("mean error up to 45 degrees yaw:", np.mean(errors, axis=0).round(1), "yaw, pitch, roll")


if __name__ == "__main__":
    main()
