"""One identity: the shape of its head and the colours of its skin, hair, eyes and clothes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mien.synthetic.canvas import Canvas, Traits, above_hairline, ramp, waves
from mien.synthetic.face_model import EYE_SHADES, EYES, GUMS, LASHES, MOUTH_SOCKET, TEAR_DUCTS, TEETH, FaceModel

_SKIN = np.array(  # light to dark
    [
        (240, 203, 183),
        (230, 184, 156),
        (214, 163, 130),
        (190, 138, 104),
        (155, 105, 75),
        (118, 78, 57),
        (92, 60, 46),
    ],
    float,
)
_HAIR = np.array(  # black, brown, blond, red, grey
    [
        (20, 17, 16),
        (38, 27, 22),
        (66, 44, 31),
        (98, 66, 42),
        (150, 112, 70),
        (200, 168, 116),
        (130, 62, 32),
        (150, 148, 145),
        (215, 212, 206),
    ],
    float,
)
_GREY = 0.8  # from here on the scale of hair
_IRIS = np.array(  # dark to light
    [(52, 32, 20), (84, 54, 30), (110, 88, 48), (92, 110, 84), (88, 118, 146), (110, 122, 128)], float
)


@dataclass(frozen=True, eq=False)
class Identity:
    """What makes an identity."""

    neutral: np.ndarray  # (26719, 3) its head at rest, hair included
    texture: np.ndarray  # (512, 1024, 3) uint8, of the skin
    colours: np.ndarray  # (26719, 4) uint8 RGBA, of all vertices that are not skin


class IdentitySampler:
    """Draws identities for one face model."""

    def __init__(self, model: FaceModel) -> None:
        self.model = model
        self.canvas = Canvas(model)
        self._outwards = vertex_normals(model.neutral, model.quads)
        self._scalp = above_hairline(model.neutral)
        self._scalp[MOUTH_SOCKET.start :] = -np.inf  # everything inside the head

    def sample(self, rng: np.random.Generator) -> Identity:
        """A new identity."""
        # A little under the model's own spread: its far ends look like nobody.
        coefficients = np.clip(rng.normal(0.0, 0.85, len(self.model.identity)), -2.0, 2.0)
        head = self.model.shaped(coefficients)
        tone = rng.random()
        skin = np.clip(_between(_SKIN, tone) * rng.normal(1, 0.03) + rng.normal(0, 2.5, 3), 25, 250)
        # The darker the skin, the more the hair comes from the dark end.
        shade = rng.random() * float(np.interp(tone, [0, 0.35, 0.6, 1], [0.75, 0.5, 0.2, 0.1]))
        if rng.random() < 0.15:
            shade = rng.uniform(_GREY, 1.0)
        hair = np.clip(_between(_HAIR, shade) + rng.normal(0, 4, 3), 8, 250)
        thickness = float(rng.choice([0.0, rng.uniform(0.3, 0.8), rng.uniform(0.9, 2.2)], p=[0.15, 0.45, 0.4]))
        traits = Traits(
            tone=tone,
            skin=skin,
            hair=hair,
            hair_cover=1.0 if thickness else float(rng.uniform(0.0, 0.55)),
            hairline=float(rng.normal(0.0, 0.5)),
            beard=float(rng.uniform(0.1, 0.85)) if rng.random() < 0.35 else 0.0,
            lipstick=bool(rng.random() < 0.15),
        )
        lumps = 1 + 0.18 * waves(self.model.neutral, rng, 0.5, 6)
        growth = thickness * lumps * ramp(self._scalp - traits.hairline, 0.0, 1.2 + thickness)
        head = head + self._outwards * growth[:, None]
        return Identity(head.astype(np.float32), self.canvas.paint(traits, rng), self._colours(traits, rng))

    def _colours(self, traits: Traits, rng: np.random.Generator) -> np.ndarray:
        """Of mouth, eyes, lashes: (26719, 4) uint8."""
        points = self.model.neutral
        colours = np.zeros((len(points), 4))
        colours[:, 3] = 255
        depth = points[:, 2:]  # the further in, the darker: no light is traced into the mouth
        colours[GUMS, :3] = np.array([50, 14, 14]) + ramp(depth[GUMS], -2.0, -10.5) * [110, 60, 58]
        tooth = rng.uniform([205, 195, 170], [245, 240, 228])
        colours[TEETH, :3] = tooth * (0.25 + 0.75 * ramp(depth[TEETH], -6.0, -10.5))
        iris = _between(_IRIS, rng.random() ** np.interp(traits.tone, [0, 1], [0.9, 4.0]))
        white = rng.uniform([212, 205, 200], [240, 236, 232])
        radius, pupil = rng.uniform(0.56, 0.66), rng.uniform(0.18, 0.30)
        for eye in EYES:
            colours[eye, :3] = _eyeball(points[eye], white, iris, radius, pupil)
        colours[TEAR_DUCTS, :3] = 0.4 * traits.skin + 0.6 * np.array([190, 100, 95])
        colours[EYE_SHADES] = [20, 12, 10, 0]
        half = (EYE_SHADES.start + EYE_SHADES.stop) // 2
        for film in (slice(EYE_SHADES.start, half), slice(half, EYE_SHADES.stop)):
            height = points[film, 1]  # the lid's shadow is strongest at its edge
            colours[film, 3] = 165 * ramp(height, height.min() + 0.55, height.min())
        colours[LASHES] = [18, 13, 11, rng.uniform(20, 100)]
        return colours.round().clip(0, 255).astype(np.uint8)


def _eyeball(ball: np.ndarray, white: np.ndarray, iris: np.ndarray, radius: float, pupil: float) -> np.ndarray:
    """Colours (N, 3) of an eyeball's vertices (N, 3); radii of iris and pupil in centimetres."""
    centre = (ball.min(axis=0) + ball.max(axis=0)) / 2
    away = np.hypot(*(ball - centre)[:, :2].T)[:, None]
    away[ball[:, 2] > centre[2]] = np.inf
    ring = iris * (1 - 0.55 * ramp(away, radius * 0.75, radius))
    colours = white + ramp(away, radius, radius - 0.06) * (ring - white)
    return colours + ramp(away, pupil + 0.04, pupil - 0.02) * (np.array([8, 7, 7]) - colours)


def _between(scale: np.ndarray, position: float) -> np.ndarray:
    """The colour at position 0..1 of a scale (N, 3)."""
    steps = np.linspace(0, 1, len(scale))
    return np.array([np.interp(position, steps, channel) for channel in scale.T])


def vertex_normals(vertices: np.ndarray, quads: np.ndarray) -> np.ndarray:
    """Unit normals (V, 3) that point out of the head, each the mean of its quads weighted by area."""
    a, b, c, d = (vertices[quads[:, i]] for i in range(4))
    face = np.cross(c - a, d - b)
    corners = quads.ravel()
    total = np.stack([np.bincount(corners, np.repeat(axis, 4), len(vertices)) for axis in face.T], axis=1)
    return (total / (np.linalg.norm(total, axis=1, keepdims=True) + 1e-12)).astype(np.float32)
