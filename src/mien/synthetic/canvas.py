"""The skin's texture, painted: every texel knows its place on the neutral head; colours are functions of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from mien.synthetic.face_model import MOUTH_SOCKET, SKIN, FaceModel

TILE_PX = 512  # the texture is two tiles wide: the face, and the rest of the head
_REACH = 1.5  # centimetres; no line is painted further from its curve


@dataclass(frozen=True, kw_only=True, eq=False)
class Traits:
    """What is told of an identity's surface before chance adds the details. Colours (3,) 0..255."""

    tone: float  # 0 light to 1 dark
    skin: np.ndarray
    hair: np.ndarray
    hair_cover: float  # of the scalp, 0..1
    hairline: float  # centimetres above the usual one
    beard: float  # 0..1
    lipstick: bool


class Canvas:
    """The texture of one face model. What is the same for all identities is computed once."""

    def __init__(self, model: FaceModel) -> None:
        texels = _texel_map(model)
        self.positions = texels[:, :3]
        self.is_mouth, self.is_socket = texels[:, 3] > 0.5, texels[:, 4] > 0.5
        points = model.neutral[model.landmarks]
        # Lines from the nose outwards, a little below the ridge that the landmarks follow.
        brows = [_nearest(self.positions, curve(points[part] + _BELOW_RIDGE)) for part in (_LEFT_BROW, _RIGHT_BROW)]
        nearer = np.argmin([distance for distance, _ in brows], axis=0)
        self.brow, self.along_brow = (np.choose(nearer, [side[i] for side in brows]) for i in range(2))
        outline = curve(points[48:60], closed=True)
        flat = self.positions * np.array([1, 1, 0], np.float32)
        ahead = self.positions[:, 2] < points[[48, 54], 2].max() + 1.5
        distance, _ = _nearest(flat, outline * [1, 1, 0])
        self.lip = np.where(
            _inside(self.positions[:, :2], outline[:, :2]) & ahead, distance, -distance
        )  # inside > 0
        self.lip[~ahead] = -np.inf
        self.lip_seam = self._distance(points, (_UPPER_SEAM, _LOWER_SEAM))
        self.upper_lid = self._distance(points, ([36, 37, 38, 39], [42, 43, 44, 45]))
        self.lower_lid = self._distance(points, ([39, 40, 41, 36], [45, 46, 47, 42]))
        self.scalp = above_hairline(self.positions)

    def _distance(self, points: np.ndarray, lines: tuple[list[int], ...]) -> np.ndarray:
        return np.minimum.reduce([_nearest(self.positions, curve(points[line]))[0] for line in lines])

    def paint(self, traits: Traits, rng: np.random.Generator) -> np.ndarray:
        """A texture (512, 1024, 3) uint8."""
        skin, hair = traits.skin, traits.hair
        x, y, z = self.positions.T
        fine, coarse = (_grain(rng, size) for size in (1, 6))
        mottle = rng.uniform(0.01, 0.035)
        relief = 1 + mottle * (fine + coarse) + 0.03 * waves(self.positions, rng, 0.35, 8)
        layer = _PaintLayer(skin.astype(np.float32) * relief[:, None].astype(np.float32))
        self._complexion(layer, traits, rng)
        below = y - np.interp(np.abs(x), *_BEARD_LINE)
        beard = ramp(below, -0.2, 0.9) * ramp(y, 11.0, 8.0) * ramp(self.lip, -0.02, -0.3) * ramp(z, 0.0, -2.5)
        layer.add(beard * np.clip(0.8 + 0.25 * fine, 0, 1), 0.35 * skin + 0.65 * hair, traits.beard)
        lips = skin * rng.uniform([0.84, 0.55, 0.56], [0.96, 0.74, 0.75])
        if traits.lipstick:
            lips = rng.uniform([130, 20, 40], [200, 70, 100])
        layer.add(ramp(self.lip, -0.06, 0.08), lips, rng.uniform(0.6, 0.95))
        layer.add(np.exp(-((self.lip_seam / 0.14) ** 2)) * (self.lip > -0.1), lips * 0.45, 0.75)
        width = rng.uniform(0.2, 0.48) * np.interp(self.along_brow, [0, 0.12, 0.5, 1], [0.75, 1.0, 0.95, 0.3])
        brow = ramp(self.brow / width, 1.25, 0.55) * np.clip(0.85 + 0.25 * fine, 0, 1)
        layer.add(brow, hair * 0.8, rng.uniform(0.45, 0.95))
        rim = rng.uniform(0.25, 0.75)
        layer.add(np.exp(-((self.upper_lid / 0.13) ** 2)), skin * 0.22, rim)
        layer.add(np.exp(-((self.lower_lid / 0.10) ** 2)), skin * [0.5, 0.38, 0.36], 0.6 * rim)
        self._scalp_hair(layer, traits, rng)
        layer.add(ramp(y - rng.uniform(11.5, 14.0) - 0.12 * z, 0.0, 0.15), rng.uniform(15, 235, 3), 1.0)  # shirt
        layer.add(self.is_mouth, np.array([45, 12, 12]) + ramp(z, -4.0, -10.5)[:, None] * [105, 48, 46], 1.0)
        layer.add(self.is_socket, skin * [0.75, 0.5, 0.45], 1.0)
        return layer.image.clip(0, 255).astype(np.uint8).reshape(TILE_PX, 2 * TILE_PX, 3)

    def _complexion(self, layer: _PaintLayer, traits: Traits, rng: np.random.Generator) -> None:
        """Red cheeks and nose, shadows below the eyes, freckles."""
        skin = traits.skin
        warm = np.zeros(len(self.positions), np.float32)
        for x, y, z, radius in ((-4.6, 0.2, -9.2, 2.0), (4.6, 0.2, -9.2, 2.0), (0.0, -0.3, -12.6, 1.0)):
            away = self.positions - np.array([x, y, z], np.float32)
            warm += np.exp(-np.square(away).sum(axis=1) / (2 * radius**2))
        warm = np.minimum(warm, 1)
        layer.add(warm, skin * [1.02, 0.80, 0.78], rng.uniform(0.05, 0.6))
        layer.add(np.exp(-((self.lower_lid / 0.7) ** 2)), skin * [0.78, 0.70, 0.70], rng.uniform(0.05, 0.5))
        if traits.tone < 0.5 and rng.random() < 0.25:
            freckles = _grain(rng, 2) > rng.uniform(1.2, 2.0)
            layer.add(freckles * warm, skin * [0.72, 0.58, 0.48], rng.uniform(0.3, 0.7))

    def _scalp_hair(self, layer: _PaintLayer, traits: Traits, rng: np.random.Generator) -> None:
        turn = np.arctan2(self.positions[:, 0], -self.positions[:, 2]) / (2 * np.pi) + 0.5  # strands hang down
        strands = rng.normal(0, 1, 700)[(turn * 699).astype(int)]
        height = self.scalp - traits.hairline + 0.2 * waves(self.positions, rng, 1.0, 8) + 0.12 * strands
        shade = np.clip(1 + 0.13 * strands + 0.1 * waves(self.positions, rng, 1.2, 6), 0.4, 1.8)
        layer.add(ramp(height, -0.2, 0.6), traits.hair * shade[:, None], traits.hair_cover)


class _PaintLayer:
    """An image (N, 3) to which colours are added one over the other."""

    def __init__(self, image: np.ndarray) -> None:
        self.image = image

    def add(self, mask: np.ndarray, colour: np.ndarray, strength: float) -> None:
        """Mix a colour (3,) or colours (N, 3) in, by mask (N,) times strength."""
        touched = np.flatnonzero(mask * strength > 0.003)
        share = (mask[touched] * strength)[:, None]
        colours = colour[touched] if colour.ndim == 2 else colour
        self.image[touched] += share * (colours - self.image[touched])


_RIGHT_BROW, _LEFT_BROW = [21, 20, 19, 18, 17], [22, 23, 24, 25, 26]
_BELOW_RIDGE = np.array([0.0, 0.36, 0.0])
_UPPER_SEAM, _LOWER_SEAM = [60, 61, 62, 63, 64], [60, 67, 66, 65, 64]
_BEARD_LINE = [0, 1.2, 2.8, 4.2, 6.3, 7.5], [1.3, 1.3, 2.3, 3.0, 0.8, -2.5]  # |x| -> y
_HAIRLINE = (  # distance in front of the head's middle -> height
    [-5.2, -4.2, 0.2, 0.6, 2.0, 3.0, 5.0, 7.0, 8.2, 9.5],
    [-4.0, 4.2, 4.4, 2.5, 2.5, 6.0, 8.3, 9.6, 10.4, 11.0],
)


def above_hairline(positions: np.ndarray) -> np.ndarray:
    """How far above the usual hairline positions (N, 3) of the neutral head lie, in centimetres; negative below."""
    return -positions[:, 1] - np.interp(-positions[:, 2], *_HAIRLINE)


def ramp(x: np.ndarray, low: float, high: float) -> np.ndarray:
    """0 at `low`, 1 at `high`, smooth between; low may lie above high."""
    t = np.clip((x - low) / (high - low), 0.0, 1.0)
    return t * t * (3 - 2 * t)


def waves(positions: np.ndarray, rng: np.random.Generator, frequency: float, count: int) -> np.ndarray:
    """Smooth noise over space (N,), deviation 1: plane waves of about `frequency` radians a centimetre."""
    directions = rng.normal(0, frequency, (3, count)).astype(np.float32)
    phases = rng.uniform(0, 2 * np.pi, count).astype(np.float32)
    return np.sin(positions @ directions + phases).sum(axis=1) / np.sqrt(count / 2)


def curve(points: np.ndarray, *, closed: bool = False) -> np.ndarray:
    """A Catmull-Rom spline through points (P, D), twelve samples a stretch."""
    if closed:
        p = np.concatenate([points[-1:], points, points[:2]])
    else:
        p = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    t = np.linspace(0, 1, 12, endpoint=False)[:, None]
    parts = [
        0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
        for a, b, c, d in zip(p, p[1:], p[2:], p[3:], strict=False)
    ]
    return np.concatenate(parts if closed else [*parts, points[-1:]])


def _nearest(positions: np.ndarray, line: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For positions (N, 3): distance to a line of samples (C, 3), infinite beyond reach; how far along, 0..1."""
    distance, along = np.full(len(positions), np.inf), np.zeros(len(positions))
    low, high = line.min(axis=0) - _REACH, line.max(axis=0) + _REACH
    near = np.flatnonzero(np.all((positions > low) & (positions < high), axis=1))
    for i, sample in enumerate(line):
        d = np.linalg.norm(positions[near] - sample, axis=1)
        better = d < distance[near]
        distance[near[better]], along[near[better]] = d[better], i / (len(line) - 1)
    return distance, along


def _inside(positions: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """Which positions (N, 2) lie in a polygon (P, 2)."""
    inside = np.zeros(len(positions), bool)
    x, y = positions.T
    for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if y0 != y1:
            inside ^= ((y0 > y) != (y1 > y)) & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
    return inside


def _grain(rng: np.random.Generator, size: int) -> np.ndarray:
    """Noise over the texels (N,) of grains `size` texels wide, mean 0, deviation about 1."""
    small = rng.normal(0, 1, (TILE_PX // size, 2 * TILE_PX // size)).astype(np.float32)
    grown = Image.fromarray(small).resize((2 * TILE_PX, TILE_PX), Image.Resampling.BICUBIC)
    values = np.asarray(grown).ravel()
    return values / values.std()


def _texel_map(model: FaceModel) -> np.ndarray:
    """Of every texel, row by row: its place on the neutral head, how much it is mouth and eye socket (N, 5)."""
    chosen = np.all(model.quads < SKIN.stop, axis=1)
    kind = np.zeros((len(model.neutral), 2), np.float32)
    kind[MOUTH_SOCKET, 0] = 1
    kind[MOUTH_SOCKET.stop : SKIN.stop, 1] = 1
    values = np.concatenate([model.neutral, kind], axis=1)[model.quads[chosen]]  # (F, 4, 5)
    corners = model.uv[model.quads_uv[chosen]]  # (F, 4, 2)
    steps = (np.arange(16) + 0.5) / 16
    u, v = (grid.ravel() for grid in np.meshgrid(steps, steps))
    weights = np.stack([(1 - u) * (1 - v), u * (1 - v), u * v, (1 - u) * v]).astype(np.float32)  # (4, 256)
    spots = np.einsum("fcd,cs->fsd", corners, weights).reshape(-1, 2)
    column = np.clip((spots[:, 0] * TILE_PX).astype(int), 0, 2 * TILE_PX - 1)
    row = np.clip(((1 - spots[:, 1]) * TILE_PX).astype(int), 0, TILE_PX - 1)
    texels = np.full((TILE_PX, 2 * TILE_PX, 5), np.nan, np.float32)
    texels[row, column] = np.einsum("fcd,cs->fsd", values, weights).reshape(-1, 5)
    for _ in range(10):  # grow over the seams, so that no colour from outside bleeds in
        for axis, step in ((0, 1), (0, -1), (1, 1), (1, -1)):
            empty = np.isnan(texels[:, :, 0])
            texels[empty] = np.roll(texels, step, axis=axis)[empty]
    return np.nan_to_num(texels.reshape(-1, 5), nan=0.0)
