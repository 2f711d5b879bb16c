"""Composites: faces pasted on backgrounds, to train and to evaluate detectors.

Each face is pasted at a random size and roll, its box and points with it, so that a face of ten pixels has the
labels that were made at two hundred.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

MAX_ROLL_DEG = 75
SMALLEST_PX = 7.0  # root of the box's area; a detector need not detect smaller faces
CROWDS = ((0.45, (8, 36), (10, 26)), (0.35, (14, 150), (4, 12)), (0.2, (110, 420), (1, 3)))  # share, sizes, counts
SKIN = np.array([1.0, 0.82, 0.72])  # tints grey faces on coloured backgrounds


@dataclass(frozen=True)
class Source:
    """Labelled faces: images (N, S, S, 3) uint8, boxes (N, 4), points (N, 5, 2) in their pixels."""

    images: np.ndarray
    boxes: np.ndarray
    points: np.ndarray
    share: float = 1.0  # how often this source is drawn from

    @classmethod
    def load(cls, file: Path, share: float) -> Source:
        with np.load(file) as arrays:
            return cls(arrays["images"], arrays["boxes"], arrays["points"], share)


@dataclass(frozen=True)
class Composite:
    """One image (S, S, 3) uint8 with the boxes (G, 4) and points (G, 5, 2) of its faces in pixels."""

    image: np.ndarray
    boxes: np.ndarray
    points: np.ndarray
    rows: np.ndarray  # (G, 2) source and row of each face


class CompositeMaker:
    """Draws composites of `size_px`. The same generator state gives the same composite."""

    def __init__(self, sources: list[Source], backgrounds: list[np.ndarray], size_px: int) -> None:
        self.sources, self.backgrounds, self.size_px = sources, backgrounds, size_px
        shares = np.array([source.share for source in sources])
        self._shares = shares / shares.sum()

    def make(self, rng: np.random.Generator, *, rolled: bool = False) -> Composite:
        """A crowd of small faces, some middling ones, or one to three large ones.

        `rolled`: no crowds, no face below 24 px, and heads rolled by up to 75 degrees.
        """
        crowds = CROWDS[1:] if rolled else CROWDS
        shares = np.array([crowd[0] for crowd in crowds])
        _, sizes, counts = crowds[rng.choice(len(crowds), p=shares / shares.sum())]
        count = int(rng.integers(counts[0], counts[1] + 1))
        smallest, largest = max(sizes[0], 24) if rolled else sizes[0], min(sizes[1], 0.7 * self.size_px)
        drawn = np.exp(rng.uniform(np.log(smallest), np.log(largest), count))
        return self.compose(rng, np.sort(drawn)[::-1], rolled=rolled)

    def compose(self, rng: np.random.Generator, sizes: np.ndarray, *, rolled: bool = False) -> Composite:
        """Faces of these sizes (root of the box's area in pixels), where there is room for them."""
        canvas = self._background(rng)
        if rng.random() < 0.6:
            self._paste_distractors(canvas, rng)
        taken: list[np.ndarray] = []
        boxes, points, rows = [], [], []
        for size in sizes:
            which = int(rng.choice(len(self.sources), p=self._shares))
            row = int(rng.integers(len(self.sources[which].images)))
            faceless = size > 28 and rng.random() < 0.12
            roll_deg = float(np.clip(rng.normal(0, 14), -45, 45)) if rng.random() < 0.7 else 0.0
            roll_deg = float(rng.uniform(-MAX_ROLL_DEG, MAX_ROLL_DEG)) if rolled else roll_deg
            patch, mask, box, five = self._patch(self.sources[which], row, size, roll_deg, rng, faceless=faceless)
            corner_px = self._free_corner(box, taken, rng)
            if corner_px is None:
                continue
            self._paste(canvas, patch, mask, corner_px)
            box = box + np.tile(corner_px, 2)
            taken.append(box)
            if not faceless:
                boxes.append(box)
                points.append(five + corner_px)
                rows.append((which, row))
        image = camera(canvas, rng)
        return Composite(
            image,
            np.array(boxes, np.float32).reshape(-1, 4),
            np.array(points, np.float32).reshape(-1, 5, 2),
            np.array(rows, int).reshape(-1, 2),
        )

    def _background(self, rng: np.random.Generator) -> np.ndarray:
        side = self.size_px
        if rng.random() < 0.15:
            return texture(side, rng)
        image = self.backgrounds[rng.integers(len(self.backgrounds))]
        height, width = image.shape[:2]
        part = min(height, width, side * np.exp(rng.uniform(-0.7, 0.9)))
        left, top = rng.uniform(0, width - part), rng.uniform(0, height - part)
        pil = Image.fromarray(image).resize(
            (side, side), Image.Resampling.BILINEAR, (left, top, left + part, top + part), reducing_gap=2.0
        )
        canvas = np.array(pil)
        return np.ascontiguousarray(canvas[:, ::-1]) if rng.random() < 0.5 else canvas

    def _paste_distractors(self, canvas: np.ndarray, rng: np.random.Generator) -> None:
        """Pieces of other images, so that a pasted edge is no sign of a face."""
        for _ in range(rng.integers(1, 8)):
            side = int(np.exp(rng.uniform(np.log(10), np.log(0.45 * self.size_px))))
            image = self.backgrounds[rng.integers(len(self.backgrounds))]
            part = min(*image.shape[:2], side * np.exp(rng.uniform(0, 1.5)))
            left, top = (rng.uniform(0, length - part) for length in (image.shape[1], image.shape[0]))
            piece = Image.fromarray(image).resize(
                (side, side), Image.Resampling.BILINEAR, (left, top, left + part, top + part), reducing_gap=2.0
            )
            mask = np.ones((side, side)) if rng.random() < 0.5 else ellipse(side, np.array([0, 0, side, side]))
            self._paste(canvas, np.array(piece), mask, rng.integers(-side // 2, self.size_px - side // 2, 2))

    def _patch(
        self, source: Source, row: int, size: float, roll_deg: float, rng: np.random.Generator, *, faceless: bool
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Patch (s, s, 3), mask (s, s) 0..1, box (4,) and points (5, 2) in the patch."""
        image, box, five = source.images[row], source.boxes[row], source.points[row]
        if rng.random() < 0.5:
            image, box, five = flipped(image, box, five)
        width, height = box[2] - box[0], box[3] - box[1]
        scale = size / np.sqrt(width * height)
        side = max(8, round(image.shape[0] * scale))
        scale = side / image.shape[0]
        filters = (
            Image.Resampling.BILINEAR,
            Image.Resampling.BICUBIC,
            Image.Resampling.BOX,
            Image.Resampling.LANCZOS,
        )
        pil = Image.fromarray(image)
        if faceless:
            pil = without_face(pil, box, rng)
        if roll_deg and scale < 0.5:  # rolled before it is small
            pil = pil.rotate(roll_deg, Image.Resampling.BILINEAR)
        patch = pil.resize((side, side), filters[rng.integers(len(filters))])
        if roll_deg and scale >= 0.5:
            patch = patch.rotate(roll_deg, Image.Resampling.BILINEAR)
        box, five = rolled_face(box * scale, five * scale, roll_deg, side / 2)
        mask = self._mask(side, box, roll_deg, rng)
        return tint(np.asarray(patch), rng), mask, box, five

    def _mask(self, side: int, box: np.ndarray, roll_deg: float, rng: np.random.Generator) -> np.ndarray:
        """All of the patch, or an ellipse around the head."""
        if roll_deg == 0 and rng.random() < 0.5:
            return np.ones((side, side))
        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        half = (box[2:] - box[:2]) / 2 * rng.uniform(1.15, 1.9)
        return ellipse(side, np.array([x - half[0], y - 1.15 * half[1], x + half[0], y + half[1]]))

    def _free_corner(self, box: np.ndarray, taken: list[np.ndarray], rng: np.random.Generator) -> np.ndarray | None:
        """A corner of the patch at which its face meets no other; most faces lie fully inside the image."""
        span = box[2:] - box[:2]
        slack = 0.25 * span if rng.random() < 0.12 else 0.0
        low, high = -slack * np.ones(2), self.size_px - span + slack
        if (high <= low).any():
            return None
        gap = rng.uniform(0.02, 0.4)
        for _ in range(12):
            corner = rng.uniform(low, high)
            region = np.concatenate([corner, corner + span])
            grown = region + gap * np.array([-1, -1, 1, 1]) * np.tile(span, 2)
            if all((grown[2:] < other[:2]).any() or (grown[:2] > other[2:]).any() for other in taken):
                return np.floor(corner - box[:2])
        return None

    def _paste(self, canvas: np.ndarray, patch: np.ndarray, mask: np.ndarray, corner: np.ndarray) -> None:
        x, y = int(corner[0]), int(corner[1])
        side = len(patch)
        left, top = max(x, 0), max(y, 0)
        right, bottom = min(x + side, self.size_px), min(y + side, self.size_px)
        if left >= right or top >= bottom:
            return
        inside = slice(top - y, bottom - y), slice(left - x, right - x)
        share = mask[inside][..., None]
        under = canvas[top:bottom, left:right]
        canvas[top:bottom, left:right] = (share * patch[inside] + (1 - share) * under).astype(np.uint8)


def flipped(image: np.ndarray, box: np.ndarray, five: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A face flipped left to right."""
    side = image.shape[1]
    points = five[[1, 0, 2, 4, 3]] * [-1, 1] + [side, 0]
    return image[:, ::-1], np.array([side - box[2], box[1], side - box[0], box[3]]), points


def rolled_face(box: np.ndarray, five: np.ndarray, roll_deg: float, centre: float) -> tuple[np.ndarray, np.ndarray]:
    """Box and points after a counter-clockwise roll; the new box bounds the ellipse inside the old one."""
    angle = np.deg2rad(roll_deg)
    cos, sin = np.cos(angle), np.sin(angle)
    matrix = np.array([[cos, sin], [-sin, cos]])
    middle = matrix @ ((box[:2] + box[2:]) / 2 - centre) + centre
    half = (box[2:] - box[:2]) / 2
    half = np.sqrt((matrix**2) @ half**2)
    return np.concatenate([middle - half, middle + half]), (five - centre) @ matrix.T + centre


def ellipse(side: int, box: np.ndarray) -> np.ndarray:
    """(side, side): 1 inside the ellipse of the box, falling to 0 at its edge."""
    y, x = np.ogrid[0.5 : side + 0.5, 0.5 : side + 0.5]
    centre, half = (box[:2] + box[2:]) / 2, np.maximum((box[2:] - box[:2]) / 2, 1)
    away = ((x - centre[0]) / half[0]) ** 2 + ((y - centre[1]) / half[1]) ** 2
    return np.clip((1 - away) * 3, 0, 1)


def without_face(image: Image.Image, box: np.ndarray, rng: np.random.Generator) -> Image.Image:
    """The image with its face blurred or covered: hair, ears and collar stay."""
    pixels = np.array(image)
    side = len(pixels)
    mask = ellipse(side, box + np.array([-0.1, -0.05, 0.1, 0.1]) * np.tile(box[2:] - box[:2], 2))[..., None]
    if rng.random() < 0.5:
        cover = np.asarray(image.filter(ImageFilter.GaussianBlur(side / 6)), float)
    else:
        cover = texture(side, rng).astype(float)
    return Image.fromarray((mask * cover + (1 - mask) * pixels).astype(np.uint8))


def tint(patch: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Its own brightness, and the colour of skin for grey faces."""
    gain = np.full(3, np.exp(rng.normal(0, 0.2)))
    sample = patch[:: max(1, len(patch) // 8), :: max(1, len(patch) // 8)].astype(int)
    if np.abs(sample[..., 0] - sample[..., 2]).max() < 12 and rng.random() < 0.7:
        gain = gain * SKIN ** rng.uniform(0, 1.4)
    else:
        gain = gain * np.exp(rng.normal(0, 0.07, 3))
    return np.clip(patch * gain, 0, 255).astype(np.uint8)


def texture(side: int, rng: np.random.Generator) -> np.ndarray:
    """Coloured noise of one to three scales (side, side, 3) uint8."""
    canvas = np.zeros((side, side, 3))
    for _ in range(rng.integers(1, 4)):
        cells = int(np.exp(rng.uniform(np.log(2), np.log(max(side / 2, 3)))))
        noise = rng.integers(0, 256, (cells, cells, 3)).astype(np.uint8)
        kind = Image.Resampling.BICUBIC if rng.random() < 0.7 else Image.Resampling.NEAREST
        canvas += np.asarray(Image.fromarray(noise).resize((side, side), kind), float) * rng.uniform(0.2, 1)
    low, high = canvas.min(), canvas.max()
    floor, span = rng.uniform(0, 100), rng.uniform(40, 155)
    return ((canvas - low) / max(high - low, 1) * span + floor).astype(np.uint8)


def camera(canvas: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The whole image after a camera's blur, noise, tone curve and compression."""
    image = Image.fromarray(canvas)
    if rng.random() < 0.25:
        image = image.convert("L").convert("RGB")
    if rng.random() < 0.15:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.2)))
    if rng.random() < 0.4:
        stream = io.BytesIO()
        image.save(stream, "JPEG", quality=int(rng.integers(35, 95)))
        image = Image.open(stream)
    levels = np.arange(256) / 255
    gamma, gain, lift = np.exp(rng.normal(0, 0.25)), np.exp(rng.normal(0, 0.15)), rng.normal(0, 0.05)
    table = np.clip((levels**gamma) * gain + lift, 0, 1) * 255
    pixels = table.astype(np.uint8)[np.asarray(image)]
    if rng.random() < 0.2:
        noise = rng.standard_normal(pixels.shape, np.float32) * rng.uniform(2, 10)
        pixels = np.clip(pixels + noise, 0, 255).astype(np.uint8)
    return pixels


def corrupt(composite: Composite, rng: np.random.Generator) -> np.ndarray:
    """The composite's image under strong blur, darkness or noise, with occluded faces; labels stay as they are.

    Not the corruptions of evaluation: severities are drawn, and every face of an image is occluded on its own.
    """
    image = Image.fromarray(composite.image)
    draw = ImageDraw.Draw(image)
    if rng.random() < 0.6:
        for box, five in zip(composite.boxes, composite.points, strict=True):
            if rng.random() < 0.6:
                occlude(draw, box, five, rng)
    if rng.random() < 0.3:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.7, 3.0)))
    pixels = np.asarray(image).astype(np.float32)
    light = rng.random()
    if light < 0.3:
        pixels = pixels * np.float32(2 ** -rng.uniform(0.5, 7.5))
    elif light < 0.7:
        pixels = pixels + rng.standard_normal(pixels.shape, np.float32) * np.float32(np.exp(rng.uniform(1.5, 3.9)))
    return np.clip(pixels, 0, 255).astype(np.uint8)


def occlude(draw: ImageDraw.ImageDraw, box: np.ndarray, five: np.ndarray, rng: np.random.Generator) -> None:
    """Sunglasses, a mask or a rectangle on one face."""
    eyes, mouth = five[:2], five[3:].mean(axis=0)
    across, middle = eyes[1] - eyes[0], eyes.mean(axis=0)
    down = mouth - middle
    kind = rng.random()
    if kind < 0.4:  # glasses
        shade = tuple(int(value) for value in rng.integers(0, 60, 3))
        wide, high = across * rng.uniform(0.36, 0.5), down * rng.uniform(0.22, 0.42)
        for eye in eyes:
            corners = [eye - wide - high, eye + wide - high, eye + wide + high, eye - wide + high]
            draw.polygon([tuple(corner) for corner in corners], fill=shade)
        draw.line([tuple(eyes[0]), tuple(eyes[1])], fill=shade, width=max(1, round(float(np.abs(down).max()) / 12)))
    elif kind < 0.75:  # a mask from the nose, or from below it, to beyond the chin
        shade = tuple(int(value) for value in rng.integers(20, 256, 3))
        top, low = middle + down * rng.uniform(0.3, 0.75), middle + down * rng.uniform(1.5, 1.9)
        wide = across * rng.uniform(0.75, 1.0)
        corners = [top - wide, top + wide, low + wide * 0.6, low - wide * 0.6]
        draw.polygon([tuple(corner) for corner in corners], fill=shade)
    else:
        shade = tuple(int(value) for value in rng.integers(0, 256, 3))
        span = (box[2:] - box[:2]) * rng.uniform(0.25, 0.5, 2)
        corner = box[:2] + rng.uniform(0, 1, 2) * (box[2:] - box[:2] - span)
        draw.rectangle([tuple(corner), tuple(corner + span)], fill=shade)
