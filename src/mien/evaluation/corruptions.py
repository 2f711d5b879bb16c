"""Image corruptions, in steps of severity: what robustness is measured with.

After Hendrycks and Dietterich, "Benchmarking neural network robustness to common corruptions and perturbations"
(2019). Most severities are relative to the face, so that they mean the same for small and large ones; noise, JPEG
and darkness are the camera's and relative to the image. All randomness follows from a seed, the corruption and the
image's name, alike for every severity.

    region = FaceRegion.of(image, np.array(face.landmarks))
    for corruption, severity in with_severities(select_corruptions("blur,mask")):
        worse = corrupt(image, corruption, severity, region=region, name="photo.jpg")
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from mien.errors import UnknownNameError, check_option
from mien.geometry import five_points
from mien.media.pixels import is_grey
from mien.preprocess import BOX, Preprocess

MASKS = ((150, 190, 215), (225, 225, 225), (35, 35, 40))  # surgical blue, white, black cloth
LENSES = (20, 20, 25)
SUPERSAMPLING = 4  # of drawn shapes, against jagged edges


@dataclass(frozen=True, kw_only=True, eq=False)
class FaceRegion:
    """Position and size of the face, in pixels of its image."""

    centre: tuple[float, float]
    side_px: float  # of the square around all landmarks and the forehead
    points: np.ndarray | None = None  # (68, 2); None: the whole image is taken for the face

    @classmethod
    def of(cls, image: np.ndarray, points: np.ndarray | None) -> FaceRegion:
        """Of 68 landmarks (68, 2), or the whole image (H, W, 3) where there are none."""
        if points is None:
            height, width = image.shape[:2]
            return cls(centre=(width / 2, height / 2), side_px=max(width, height))
        onto = Preprocess(size_px=1, template=BOX).matrix(points)
        side = 1 / float(onto[0, 0])
        x, y = (side * (0.5 - onto[:, 2])).tolist()
        return cls(centre=(x, y), side_px=side, points=points)


Apply = Callable[[np.ndarray, FaceRegion, float, np.random.Generator], np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Corruption:
    """One kind of corruption. `severities`: name -> value for `apply`, from mild to severe."""

    name: str
    severities: Mapping[str, float]
    apply: Apply


def corrupt(
    image: np.ndarray, corruption: Corruption, severity: str, *, region: FaceRegion, name: str, seed: int = 0
) -> np.ndarray:
    """The image (H, W, 3) uint8 RGB at one severity, of the same size; `name` tells images apart."""
    rng = np.random.default_rng([seed, zlib.crc32(f"{corruption.name}\0{name}".encode())])
    return corruption.apply(image, region, corruption.severities[severity], rng)


def select_corruptions(names: str | Iterable[str]) -> list[Corruption]:
    """Corruptions by name, as a list or separated by commas; "all" for every one. Raises `UnknownNameError`."""
    names = names.split(",") if isinstance(names, str) else list(names)
    for name in names:
        check_option("a corruption", name, str, "its name")
    wanted = [name.strip() for name in names if name.strip()]
    if wanted == ["all"]:
        return list(CORRUPTIONS.values())
    for name in wanted:
        if name not in CORRUPTIONS:
            raise UnknownNameError("corruption", name, [*CORRUPTIONS, "all"])
    return [CORRUPTIONS[name] for name in dict.fromkeys(wanted)]


def with_severities(corruptions: Iterable[Corruption]) -> Iterator[tuple[Corruption, str]]:
    """Every corruption with each of its severities, in order."""
    for corruption in corruptions:
        for severity in corruption.severities:
            yield corruption, severity


def _blur(image: np.ndarray, region: FaceRegion, share: float, rng: np.random.Generator) -> np.ndarray:
    """Out of focus: Gaussian, standard deviation as a share of the face's side."""
    return np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(share * region.side_px)))


def _motion(image: np.ndarray, region: FaceRegion, share: float, rng: np.random.Generator) -> np.ndarray:
    """A steady movement during the exposure, this share of the face's side long, in a random direction."""
    length = share * region.side_px
    angle = rng.uniform(0, np.pi)
    steps = max(2, int(np.ceil(length)) + 1)
    along = np.linspace(-length / 2, length / 2, steps)
    moves = np.rint(np.stack([np.sin(angle) * along, np.cos(angle) * along], axis=1)).astype(int)
    reach = int(np.abs(moves).max())
    height, width = image.shape[:2]
    padded = np.pad(image, ((reach, reach), (reach, reach), (0, 0)), mode="edge")
    total = np.zeros(image.shape, dtype=np.uint32)
    for down, right in (moves + reach).tolist():
        total += padded[down : down + height, right : right + width]
    return ((total + steps // 2) // steps).astype(np.uint8)


def _noise(image: np.ndarray, region: FaceRegion, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Gaussian noise in every pixel, standard deviation in levels of 255; grey in grey images."""
    channels = 1 if is_grey(image) else 3
    grain = rng.standard_normal((*image.shape[:2], channels), dtype=np.float32) * np.float32(sigma)
    return np.rint(image + grain).clip(0, 255).astype(np.uint8)


def _resolution(image: np.ndarray, region: FaceRegion, side_px: float, rng: np.random.Generator) -> np.ndarray:
    """Taken with fewer pixels, so that the face has this side, then enlarged again; smaller faces stay."""
    factor = side_px / region.side_px
    if factor >= 1:
        return image
    height, width = image.shape[:2]
    small = (max(1, round(width * factor)), max(1, round(height * factor)))
    pil = Image.fromarray(image).resize(small, Image.Resampling.BOX)
    return np.asarray(pil.resize((width, height), Image.Resampling.BILINEAR))


def _jpeg(image: np.ndarray, region: FaceRegion, quality: float, rng: np.random.Generator) -> np.ndarray:
    """JPEG at a quality from 1 to 95, by Pillow."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=int(quality))
    return np.asarray(Image.open(file))


def _dark(image: np.ndarray, region: FaceRegion, stops: float, rng: np.random.Generator) -> np.ndarray:
    """Exposed by so many stops too short: light halved each time, under a gamma of 2.2, in whole levels."""
    levels = np.rint(np.arange(256) * 2 ** (-stops / 2.2)).astype(np.uint8)
    return levels[image]


def _patch(image: np.ndarray, region: FaceRegion, share: float, rng: np.random.Generator) -> np.ndarray:
    """A square of one colour anywhere on the face, its side as a share of the face's."""
    x, y = rng.uniform(-0.5, 0.5, size=2) * (1 - share) * region.side_px
    half = share * region.side_px / 2
    corners = np.array([[-half, -half], [half, -half], [half, half], [-half, half]]) + region.centre + [x, y]
    return _painted(image, [corners], tuple(rng.integers(256, size=3).tolist()), 1.0)


def _mask(image: np.ndarray, region: FaceRegion, top: float, rng: np.random.Generator) -> np.ndarray:
    """A face mask from the landmark `top` of the nose's ridge to the chin, in one of three colours."""
    colour = MASKS[int(rng.integers(len(MASKS)))]
    if region.points is None:
        return image
    points = region.points
    down = points[8] - points[27]  # from between the eyes to the chin
    ends = (1, 16) if top < 30 else (3, 14)
    jaw = points[ends[0] : ends[1]] + 0.04 * down * np.hanning(ends[1] - ends[0])[:, None]
    return _painted(image, [np.vstack([jaw, points[int(top)][None]])], colour, 1.0)


def _sunglasses(image: np.ndarray, region: FaceRegion, opacity: float, rng: np.random.Generator) -> np.ndarray:
    """A lens over each eye, a bridge and temples."""
    if region.points is None:
        return image
    points = region.points
    eyes = five_points(points)[:2]
    along = eyes[1] - eyes[0]
    wide, across = 0.4 * along, 0.32 * np.array([-along[1], along[0]])
    turn = np.linspace(0, 2 * np.pi, 40)
    # a rounded rectangle: |x|^3 + |y|^3 = 1
    shape = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    shape /= (np.abs(shape) ** 3).sum(axis=1, keepdims=True) ** (1 / 3)
    drop = 0.1 * across  # lenses hang a little below the eyes
    lenses = [eye + drop + shape[:, :1] * wide + shape[:, 1:] * across for eye in eyes]
    image = _painted(image, lenses, LENSES, opacity)
    thick = 0.12 * across
    joins = (
        (points[0], eyes[0] - 0.9 * wide),
        (eyes[0] + 0.8 * wide, eyes[1] - 0.8 * wide),
        (eyes[1] + 0.9 * wide, points[16]),
    )
    frames = [np.array([a - thick, b - thick, b + thick, a + thick]) for a, b in joins]
    return _painted(image, frames, LENSES, 1.0)


def _rotation(image: np.ndarray, region: FaceRegion, angle_deg: float, rng: np.random.Generator) -> np.ndarray:
    """Turned about the face's centre, left or right; beyond the image its edge is repeated."""
    angle = np.deg2rad(angle_deg) * rng.choice([-1, 1])
    height, width = image.shape[:2]
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = np.array(region.centre)
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]]) - centre
    needed = corners @ turn.T + centre
    margin = int(np.ceil(max(0, -needed.min(), (needed - [width, height]).max()))) + 1
    padded = np.pad(image, ((margin, margin), (margin, margin), (0, 0)), mode="edge")
    offset = centre + margin - turn @ centre
    matrix = (*turn[0], offset[0], *turn[1], offset[1])
    pil = Image.fromarray(padded)
    return np.asarray(pil.transform((width, height), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR))


def _grey(image: np.ndarray, region: FaceRegion, share: float, rng: np.random.Generator) -> np.ndarray:
    """Without colour."""
    return np.asarray(Image.fromarray(image).convert("L").convert("RGB"))


def _painted(image: np.ndarray, polygons: list[np.ndarray], colour: tuple[int, ...], opacity: float) -> np.ndarray:
    """Polygons (P, 2) in image pixels filled with a colour, smooth at their edges; grey in grey images."""
    height, width = image.shape[:2]
    corners = np.vstack(polygons)
    left, top = np.floor(corners.min(axis=0)).clip(0, [width, height]).astype(int)
    right, bottom = np.ceil(corners.max(axis=0)).clip(0, [width, height]).astype(int)
    if right <= left or bottom <= top:
        return image
    fine = Image.new("L", ((right - left) * SUPERSAMPLING, (bottom - top) * SUPERSAMPLING))
    draw = ImageDraw.Draw(fine)
    for polygon in polygons:
        points = (polygon - [left, top]) * SUPERSAMPLING - 0.5  # Pillow counts from the middle of the first pixel
        draw.polygon([tuple(point) for point in points.tolist()], fill=255)
    cover = np.asarray(fine.reduce(SUPERSAMPLING), dtype=np.float32)[..., None] * (opacity / 255)
    paint = np.array(colour, dtype=np.float32)
    if is_grey(image):
        paint[:] = paint @ [0.299, 0.587, 0.114]
    painted = image.copy()
    inside = painted[top:bottom, left:right]
    inside[...] = np.rint(inside * (1 - cover) + paint * cover)
    return painted


def _named(values: tuple[float, ...], form: str) -> dict[str, float]:
    return {form.format(value): value for value in values}


CORRUPTIONS: dict[str, Corruption] = {
    name: Corruption(name=name, severities=severities, apply=apply)
    for name, severities, apply in (
        ("blur", _named((0.01, 0.02, 0.04, 0.06), "{:.0%} of face"), _blur),
        ("motion", _named((0.05, 0.1, 0.2), "{:.0%} of face"), _motion),
        ("noise", _named((8, 16, 32, 64), "{:g} of 255"), _noise),
        ("resolution", _named((64, 48, 32, 24, 16), "{:g} px"), _resolution),
        ("jpeg", _named((50, 25, 10, 5), "quality {:g}"), _jpeg),
        ("dark", _named((4, 6, 8), "{:g} stops"), _dark),
        ("patch", _named((0.25, 0.4, 0.55), "{:.0%} of face"), _patch),
        ("mask", {"mouth": 33, "mouth and nose": 29}, _mask),
        ("sunglasses", {"tinted": 0.7, "dark": 1.0}, _sunglasses),
        ("rotation", _named((10, 20, 30, 45, 90), "{:g}°"), _rotation),
        ("grey", {"grey": 1.0}, _grey),
    )
}
