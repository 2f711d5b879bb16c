"""From an image and a face's landmarks to a network's input. Training and prediction share this file."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from mien.errors import InputError, OptionError, UnknownNameError, WeightsError, shortened
from mien.geometry import Box, box_onto_square, five_points, invert, similarity

# Five points of ArcFace's 112-pixel template (insightface, `arcface_dst`): eye centres, nose tip,
# mouth corners, left to right in the image. Divided by 112: sides of the crop.
_ARCFACE = (
    np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]])
    / 112
)

# ArcFace's crop cuts the chin, which expressions move. "face" is the same template at 0.9 of its
# size, moved up until brows and the chin of an open mouth are inside.
TEMPLATES: dict[str, np.ndarray] = {
    "arcface": _ARCFACE,
    "face": (_ARCFACE - 0.5) * 0.9 + np.array([0.5, 0.44]),
}

# "box" is the upright square around all 68 points and the forehead: what sets that cut out a detector's box show.
# Made from the points, so that it does not depend on the detector.
BOX = "box"

# "image" is the framing of a data set: its images as they are, whole or inside the set's box. Where their faces lie
# is measured on the set (`Preprocess.points`), so that the faces of photos can be framed like them.
IMAGE = "image"
KINDS = (*TEMPLATES, BOX, IMAGE)  # what `Preprocess.template` can be
FOREHEAD = 0.3  # above the brows, in heights of the points: CenterFace's boxes of our example photos, 0.16 to 0.31


ALIGNED_SHARE = 7 / 12  # of a stored canvas's side is the aligned face in its middle: 112 of 192 pixels
GLANCE_PX = 3  # along each side, that `warp` averages at a glance for a pixel of the result


def aligned_side(canvas_px: int, template: str) -> int:
    """Side in pixels of the aligned face in the middle of a canvas of even side; even too.

    The canvas of an image as its set has it is the face: nothing is known of its surroundings.
    """
    return canvas_px if template == IMAGE else 2 * round(canvas_px * ALIGNED_SHARE / 2)


@dataclass(frozen=True, kw_only=True)
class Preprocess:
    """How a face becomes a network's input. Part of every weights manifest."""

    size_px: int
    template: str = "face"  # key of TEMPLATES, BOX or IMAGE
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)  # of red, green, blue in 0..1: ImageNet
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    channels: str = "rgb"  # "bgr" where the weights were trained on swapped colours
    points: tuple[tuple[float, float], ...] | None = None  # of IMAGE: as those of TEMPLATES; None: not measured
    aspect: float = 1.0  # of IMAGE: width / height of the set's images, which are stretched to squares

    def __post_init__(self) -> None:
        if self.template not in KINDS:
            raise UnknownNameError("template", self.template, KINDS)
        if self.points is not None:
            object.__setattr__(self, "points", _five(self.points, self.template))
        if not 0.1 <= self.aspect <= 10 or (self.aspect != 1 and self.template != IMAGE):
            raise OptionError(
                f"aspect is {self.aspect!r}; it lies in 0.1 to 10, and is 1 but for template {IMAGE!r}"
            )
        if self.channels not in {"rgb", "bgr"}:
            raise OptionError(f"channels are {self.channels!r}; they can be 'rgb' or 'bgr'")
        if not isinstance(self.size_px, int) or self.size_px < 1:
            raise OptionError(f"size_px is a whole number from 1 on, not {self.size_px!r}")
        finite = np.shape(self.mean) == np.shape(self.std) == (3,) and np.isfinite([self.mean, self.std]).all()
        if not finite or min(self.std) <= 0:
            raise OptionError(f"mean and std are three numbers each, std above 0; not {self.mean} and {self.std}")

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as a weights manifest holds them."""
        values = asdict(self) | {"mean": list(self.mean), "std": list(self.std)}
        points, aspect = values.pop("points"), values.pop("aspect")
        values |= {} if points is None else {"points": [list(point) for point in points]}
        return values if aspect == 1 else values | {"aspect": aspect}

    def unmeasured(self) -> Preprocess:
        """Without what each run measures on its training images: two folds of a set are the same in the rest."""
        return replace(self, points=None, aspect=1.0)

    def matrix(self, landmarks: np.ndarray) -> np.ndarray:
        """68 landmarks (68, 2) in image pixels -> the matrix (2, 3) onto the crop.

        It is a similarity, but for sets whose images are stretched to squares: these stretch faces alike.
        """
        if self.template == BOX:
            (left, top), (right, bottom) = landmarks.min(axis=0), landmarks.max(axis=0)
            return box_onto_square(Box(left, top - FOREHEAD * (bottom - top), right, bottom), self.size_px)
        shape = np.array([self.aspect, 1.0]) * self.size_px
        matrix = similarity(five_points(landmarks), self._target() * shape)
        return matrix if self.aspect == 1 else matrix / [[self.aspect], [1.0]]

    def check_photos(self) -> None:
        """Raises `WeightsError` where no face of a photo can be framed as the training images were."""
        if self.template == IMAGE and self.points is None:
            raise WeightsError(
                "the weights were trained on images as their set has them, and the manifest does not say where the "
                "five points of a face lie in these (inputs.points): a face in a photo cannot be framed like them. "
                "Feed the images of a set as they are (mien evaluate --no-align)"
            )

    def _target(self) -> np.ndarray:
        """Where the five points belong (5, 2), in sides of the crop."""
        self.check_photos()
        return TEMPLATES[self.template] if self.points is None else np.array(self.points)

    def crop(self, image: np.ndarray, landmarks: ArrayLike) -> np.ndarray:
        """Image (H, W, 3) uint8 RGB and landmarks (68, 2), as of a `Face` -> aligned face (S, S, 3) uint8 RGB."""
        pixels = isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim in (2, 3) and image.size
        if not pixels:
            given = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
            raise InputError(
                f"crop takes an image as an array (H, W, 3) uint8 RGB, not {given}; mien.media.images.to_rgb"
            )
        try:
            points = np.asarray(landmarks, dtype=np.float64)
        except (TypeError, ValueError):
            points = np.empty(0)
        if points.shape != (68, 2) or not np.isfinite(points).all():
            raise InputError("crop takes 68 landmarks (68, 2) in pixels, such as face.landmarks")
        return warp(image, self.matrix(points), self.size_px)

    def normalise(self, crops: np.ndarray) -> np.ndarray:
        """Faces (B, S, S, 3) uint8 RGB -> (B, 3, S, S) float32 in the channel order of the weights."""
        scale = 1 / (255 * np.asarray(self.std, dtype=np.float32))
        shift = np.asarray(self.mean, dtype=np.float32) / np.asarray(self.std, dtype=np.float32)
        x = np.empty((len(crops), 3, *crops.shape[1:3]), dtype=np.float32)
        for to, of in enumerate((2, 1, 0) if self.channels == "bgr" else (0, 1, 2)):
            np.multiply(crops[..., of], scale[of], out=x[:, to])  # one channel at a time: a fifth of the time
            x[:, to] -= shift[of]
        return x


def _five(points: ArrayLike, template: str) -> tuple[tuple[float, float], ...]:
    """Five points as a manifest holds them; raises `OptionError` for others."""
    if template != IMAGE:
        raise OptionError(f"points belong to the template {IMAGE!r}; the template {template!r} has its own")
    try:
        values = np.asarray(points, dtype=np.float64)
    except (TypeError, ValueError):
        values = np.empty(0)
    if values.shape != (5, 2) or not np.isfinite(values).all() or np.ptp(values, axis=0).max() < 1e-3:
        raise OptionError(
            "points are five pairs (x, y) in sides of the crop, not all the same: eye centres, nose tip and mouth "
            f"corners, left to right in the image; not {shortened(points)}"
        )
    return tuple((x, y) for x, y in values.tolist())


def image_square(image: np.ndarray, box: np.ndarray | None, size_px: int) -> tuple[np.ndarray, np.ndarray]:
    """The inside of a set's box (4,), or the whole image (H, W, 3), only resized, as authors feed aligned images.

    Returns (S, S, 3) uint8, and the matrix (2, 3) from image pixels into it, which may stretch.
    """
    left, top, right, bottom = box_in_pixels(image, box)
    region = Image.fromarray(image[top:bottom, left:right]).resize((size_px, size_px), Image.Resampling.BILINEAR)
    wide, high = size_px / (right - left), size_px / (bottom - top)
    return np.asarray(region), np.array([[wide, 0.0, -left * wide], [0.0, high, -top * high]])


def box_in_pixels(image: np.ndarray, box: np.ndarray | None) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what a box (4,) shows of an image (H, W, 3); all of it where there is none."""
    height, width = image.shape[:2]
    if box is not None and np.isfinite(box).all():
        left, top, right, bottom = np.clip(np.rint(box), 0, [width, height] * 2).astype(int).tolist()
        if left < right and top < bottom:
            return left, top, right, bottom
    return 0, 0, width, height


def warp(image: np.ndarray, matrix: np.ndarray, size_px: int, *, glance: bool = False) -> np.ndarray:
    """Resample the square that `matrix` (2, 3) takes onto (0, 0)..(size, size).

    Image (H, W, 3) uint8 -> (size, size, 3) uint8. Large faces are averaged down first, so that
    nothing aliases; outside the image its edge pixels are repeated. `glance`: of large faces only some pixels
    are averaged, which is faster and enough to compare how they look.
    """
    height, width = image.shape[:2]
    back = invert(matrix)
    (a, b, x), (c, d, y) = back.tolist()
    step = max(1, round(math.sqrt(abs(a * d - b * c))))  # source pixels averaged
    every = max(1, step // GLANCE_PX) if glance else 1
    step -= step % every
    left, right = _span(x, a * size_px, b * size_px, step)
    top, bottom = _span(y, c * size_px, d * size_px, step)
    x0, y0 = min(max(left, 0), (width - 1) // step * step), min(max(top, 0), (height - 1) // step * step)
    inside = image[y0 : max(bottom, y0 + 1), x0 : max(right, x0 + 1)]  # only what is needed and is there
    region = Image.fromarray(_every(inside, every))
    if step > every:
        region = region.reduce(step // every)
    wide, high = (right - left) // step, (bottom - top) // step
    if (x0, y0) != (left, top) or region.size != (wide, high):
        start = (left - x0) // step, (top - y0) // step
        region = Image.fromarray(_with_edges(np.asarray(region), *start, wide, high))
    return np.asarray(
        region.transform(
            (size_px, size_px),
            Image.Transform.AFFINE,
            (a / step, b / step, (x - left) / step, c / step, d / step, (y - top) / step),
            Image.Resampling.BILINEAR,
        )
    )


def _every(pixels: np.ndarray, n: int) -> np.ndarray:
    """Every n-th pixel of every n-th row (H, W, 3) uint8, contiguous."""
    if n == 1:
        return np.ascontiguousarray(pixels)
    seen = np.ascontiguousarray(pixels.view("V3")[::n, ::n])  # three bytes at a time: half the time
    return seen.view(np.uint8).reshape(*seen.shape[:2], 3)


def _span(start: float, along: float, across: float, step: int) -> tuple[int, int]:
    """The pixels on one axis of a square that begins at `start`, with a margin, on a grid of `step` from 0."""
    low, high = start + min(along, 0.0) + min(across, 0.0), start + max(along, 0.0) + max(across, 0.0)
    return math.floor(low / step - 2) * step, math.ceil(high / step + 2) * step


def _with_edges(pixels: np.ndarray, left: int, top: int, width: int, height: int) -> np.ndarray:
    """The pixels from (left, top) on, in a size (height, width, 3), of an image whose edges go on."""
    wide = np.empty((len(pixels), width, 3), dtype=np.uint8)
    begin, end = _overlap(left, width, pixels.shape[1])
    wide[:, :begin], wide[:, end:] = pixels[:, :1], pixels[:, -1:]
    wide[:, begin:end] = pixels[:, begin + left : end + left]
    high = np.empty((height, width, 3), dtype=np.uint8)
    begin, end = _overlap(top, height, len(pixels))
    high[:begin], high[end:] = wide[:1], wide[-1:]
    high[begin:end] = wide[begin + top : end + top]
    return high


def _overlap(start: int, length: int, available: int) -> tuple[int, int]:
    """Which of `length` pixels from `start` on are among those from 0 to `available`."""
    begin = min(max(-start, 0), length)
    return begin, min(max(available - start, begin), length)
