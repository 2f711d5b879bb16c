"""Short videos with known faces, made from the two photos in the public domain: who is where in each frame.

Both people are photos that move over a wall: the camera pans and zooms, cuts from one to the other and back; they
cross, one before the other; one leaves and returns; the image blurs and clears.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

EXAMPLES = Path(__file__).parents[1] / "examples"
WIDTH, HEIGHT, FPS = 640, 360, 30
_FACES = {"astronaut": (178, 60, 268, 177), "grace_hopper": (178, 121, 356, 339)}  # in the photos, as detected
_VISIBLE = 0.5  # share of a face that must be in the image and not covered


@dataclass(frozen=True)
class Person:
    """A photo in a frame: centre of the face and its height, in pixels."""

    name: str
    x: float
    y: float = 170.0
    face_px: float = 90.0


@dataclass(frozen=True, eq=False)
class SceneFrame:
    """An image (H, W, 3) uint8 and the visible faces in it: name and box (left, top, right, bottom)."""

    image: np.ndarray
    faces: tuple[tuple[str, tuple[float, float, float, float]], ...]


@lru_cache(maxsize=2)
def _photo(name: str) -> Image.Image:
    with Image.open(EXAMPLES / f"{name}.jpg") as photo:
        return photo.convert("RGB")


def draw(people: Sequence[Person], *, shift: float = 0.0, blur: float = 0.0, wall: int = 0) -> SceneFrame:
    """People over a wall, later ones in front. `shift`: of the wall, in pixels."""
    x = np.arange(WIDTH) + shift
    stripes = 118 + 14 * np.sin(x / 37) + 10 * np.sin(x / 11)
    tint = [(0, 2, 6), (40, 20, -60)][wall]
    image = Image.fromarray(np.stack([np.tile((stripes + t).astype(np.uint8), (HEIGHT, 1)) for t in tint], axis=-1))
    boxes = []
    for person in people:
        box, patch, corner = _paste_of(person)
        image.paste(patch, corner)
        boxes.append((person.name, box, (*corner, corner[0] + patch.width, corner[1] + patch.height)))
    if blur:
        image = image.filter(ImageFilter.GaussianBlur(blur))
    visible = [
        (name, box)
        for i, (name, box, _) in enumerate(boxes)
        if _share(box, [b[2] for b in boxes[i + 1 :]]) >= _VISIBLE
    ]
    return SceneFrame(np.asarray(image), tuple(visible))


def _paste_of(person: Person) -> tuple[tuple[float, float, float, float], Image.Image, tuple[int, int]]:
    photo, (left, top, right, bottom) = _photo(person.name), _FACES[person.name]
    scale = person.face_px / (bottom - top)
    high, wide = bottom - top, right - left
    cut = (
        max(0, left - 0.7 * wide), max(0, top - 0.5 * high),
        min(photo.width, right + 0.7 * wide), min(photo.height, bottom + high),
    )  # fmt: skip
    patch = photo.crop((round(cut[0]), round(cut[1]), round(cut[2]), round(cut[3])))
    patch = patch.resize((round(patch.width * scale), round(patch.height * scale)))
    dx, dy = scale * ((left + right) / 2 - cut[0]), scale * ((top + bottom) / 2 - cut[1])
    corner = round(person.x - dx), round(person.y - dy)
    x, y, half_w, half_h = person.x, person.y, wide * scale / 2, high * scale / 2
    return (x - half_w, y - half_h, x + half_w, y + half_h), patch, corner


def _share(box: tuple[float, ...], covers: Sequence[tuple[float, ...]]) -> float:
    """Of a box that is inside the image and under none of the covers."""
    xs, ys = (np.linspace(box[i], box[i + 2], 24) for i in (0, 1))
    x, y = np.meshgrid(xs, ys)
    seen = (x >= 0) & (x < WIDTH) & (y >= 0) & (y < HEIGHT)
    for left, top, right, bottom in covers:
        seen &= ~((x >= left) & (x < right) & (y >= top) & (y < bottom))
    return float(seen.mean())


A, B = Person("astronaut", 190), Person("grace_hopper", 460)


def pan() -> Iterator[SceneFrame]:
    """Both stand, the camera sweeps back and forth."""
    for i in range(120):
        dx = 130 * np.sin(i / 120 * 2 * np.pi)
        yield draw([replace(A, x=A.x + dx), replace(B, x=B.x + dx)], shift=-dx)


def zoom() -> Iterator[SceneFrame]:
    """Both stand, the camera zooms in and out."""
    for i in range(120):
        scale = 1 + 0.45 * np.sin(i / 120 * 2 * np.pi)
        yield draw([replace(p, x=320 + (p.x - 320) * scale, face_px=90 * scale) for p in (A, B)])


def cuts() -> Iterator[SceneFrame]:
    """One, the other at the same position, the first again; a second each."""
    for i in range(120):
        person, wall = [(A, 0), (replace(B, x=A.x), 1), (A, 0), (replace(B, x=A.x), 1)][i // 30]
        yield draw([person], wall=wall)


def crossing() -> Iterator[SceneFrame]:
    """They walk past each other, one before the other."""
    for i in range(150):
        way = 2 * abs((i / 75) % 2 - 1) - 1  # 1 .. -1 .. 1
        yield draw([replace(A, x=320 + 210 * way), replace(B, x=320 - 210 * way)])


def leaving() -> Iterator[SceneFrame]:
    """One leaves at the left, and returns a second and a half later; the other stays."""
    for i in range(150):
        gone = np.interp(i, [20, 50, 95, 125], [0, 1, 1, 0])
        yield draw([replace(A, x=A.x - 330 * gone), B])


def blurring() -> Iterator[SceneFrame]:
    """The image blurs until no face can be read, and clears."""
    for i in range(120):
        yield draw([replace(A, x=A.x + i * 0.5), B], blur=float(9 * np.sin(i / 120 * np.pi) ** 2))


SCENES: dict[str, Callable[[], Iterator[SceneFrame]]] = {
    scene.__name__: scene for scene in (pan, zoom, cuts, crossing, leaving, blurring)
}
