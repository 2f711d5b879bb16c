"""Composites of faces on backgrounds, for training the detector and for judging it.

Each face is drawn from its own image at a random size and turn; box and points go along, so the truth about a
face of ten pixels is what was seen at two hundred.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

STEEPEST_DEG = 75
LEAST_PX = 7.0  # root of the box's area; smaller faces are not asked for
CROWDS = ((0.45, (8, 36), (10, 26)), (0.35, (14, 150), (4, 12)), (0.2, (110, 420), (1, 3)))  # share, sizes, counts
SKIN = np.array([1.0, 0.82, 0.72])  # grey faces are tinted on coloured backgrounds


@dataclass(frozen=True)
class Source:
    """Faces with their truth: images (N, S, S, 3) uint8, boxes (N, 4), points (N, 5, 2) in their pixels."""

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

    def make(self, rng: np.random.Generator, *, steep: bool = False) -> Composite:
        """A crowd of small faces, some middling ones, or one to three large ones.

        `steep`: no crowds, none below 24 px, and heads leaning up to 75 degrees.
        """
        crowds = CROWDS[1:] if steep else CROWDS
        shares = np.array([crowd[0] for crowd in crowds])
        _, sizes, counts = crowds[rng.choice(len(crowds), p=shares / shares.sum())]
        count = int(rng.integers(counts[0], counts[1] + 1))
        smallest, largest = max(sizes[0], 24) if steep else sizes[0], min(sizes[1], 0.7 * self.size_px)
        wanted = np.exp(rng.uniform(np.log(smallest), np.log(largest), count))
        return self.compose(rng, np.sort(wanted)[::-1], steep=steep)

    def compose(self, rng: np.random.Generator, wanted: np.ndarray, *, steep: bool = False) -> Composite:
        """Faces of these sizes (root of the box's area in pixels), where there is room for them."""
        canvas = self._background(rng)
        if rng.random() < 0.6:
            self._distract(canvas, rng)
        taken: list[np.ndarray] = []
        boxes, points, rows = [], [], []
        for size in wanted:
            which = int(rng.choice(len(self.sources), p=self._shares))
            row = int(rng.integers(len(self.sources[which].images)))
            removed = size > 28 and rng.random() < 0.12
            turn = float(np.clip(rng.normal(0, 14), -45, 45)) if rng.random() < 0.7 else 0.0
            turn = float(rng.uniform(-STEEPEST_DEG, STEEPEST_DEG)) if steep else turn
            patch, mask, box, five = self._patch(self.sources[which], row, size, turn, rng, removed=removed)
            spot = self._room(box, taken, rng)
            if spot is None:
                continue
            self._paste(canvas, patch, mask, spot)
            box = box + np.tile(spot, 2)
            taken.append(box)
            if not removed:
                boxes.append(box)
                points.append(five + spot)
                rows.append((which, row))
        image = spoil(canvas, rng)
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

    def _distract(self, canvas: np.ndarray, rng: np.random.Generator) -> None:
        """Pieces of other images, so that a pasted edge says nothing."""
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
        self, source: Source, row: int, size: float, turn: float, rng: np.random.Generator, *, removed: bool
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
        if removed:
            pil = faceless(pil, box, rng)
        if turn and scale < 0.5:  # turned before it is small
            pil = pil.rotate(turn, Image.Resampling.BILINEAR)
        patch = pil.resize((side, side), filters[rng.integers(len(filters))])
        if turn and scale >= 0.5:
            patch = patch.rotate(turn, Image.Resampling.BILINEAR)
        box, five = turned(box * scale, five * scale, turn, side / 2)
        mask = self._mask(side, box, turn, rng)
        return tint(np.asarray(patch), rng), mask, box, five

    def _mask(self, side: int, box: np.ndarray, turn: float, rng: np.random.Generator) -> np.ndarray:
        """All of the patch, or an oval around the head."""
        if turn == 0 and rng.random() < 0.5:
            return np.ones((side, side))
        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        half = (box[2:] - box[:2]) / 2 * rng.uniform(1.15, 1.9)
        return ellipse(side, np.array([x - half[0], y - 1.15 * half[1], x + half[0], y + half[1]]))

    def _room(self, box: np.ndarray, taken: list[np.ndarray], rng: np.random.Generator) -> np.ndarray | None:
        """Where the patch's corner goes, so that its face meets no other; most faces lie wholly inside."""
        span = box[2:] - box[:2]
        slack = 0.25 * span if rng.random() < 0.12 else 0.0
        low, high = -slack * np.ones(2), self.size_px - span + slack
        if (high <= low).any():
            return None
        gap = rng.uniform(0.02, 0.4)
        for _ in range(12):
            corner = rng.uniform(low, high)
            place = np.concatenate([corner, corner + span])
            grown = place + gap * np.array([-1, -1, 1, 1]) * np.tile(span, 2)
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
    """A face seen in a flip."""
    side = image.shape[1]
    points = five[[1, 0, 2, 4, 3]] * [-1, 1] + [side, 0]
    return image[:, ::-1], np.array([side - box[2], box[1], side - box[0], box[3]]), points


def turned(box: np.ndarray, five: np.ndarray, off_axis_deg: float, centre: float) -> tuple[np.ndarray, np.ndarray]:
    """Box and points after a turn against the clock; the new box bounds the oval inside the old one."""
    angle = np.deg2rad(off_axis_deg)
    cos, sin = np.cos(angle), np.sin(angle)
    matrix = np.array([[cos, sin], [-sin, cos]])
    middle = matrix @ ((box[:2] + box[2:]) / 2 - centre) + centre
    half = (box[2:] - box[:2]) / 2
    half = np.sqrt((matrix**2) @ half**2)
    return np.concatenate([middle - half, middle + half]), (five - centre) @ matrix.T + centre


def ellipse(side: int, box: np.ndarray) -> np.ndarray:
    """(side, side): one inside the oval of the box, falling to nothing at its rim."""
    y, x = np.ogrid[0.5 : side + 0.5, 0.5 : side + 0.5]
    centre, half = (box[:2] + box[2:]) / 2, np.maximum((box[2:] - box[:2]) / 2, 1)
    away = ((x - centre[0]) / half[0]) ** 2 + ((y - centre[1]) / half[1]) ** 2
    return np.clip((1 - away) * 3, 0, 1)


def faceless(image: Image.Image, box: np.ndarray, rng: np.random.Generator) -> Image.Image:
    """The image with its face smeared out or covered: hair, ears and collar stay."""
    pixels = np.array(image)
    side = len(pixels)
    mask = ellipse(side, box + np.array([-0.1, -0.05, 0.1, 0.1]) * np.tile(box[2:] - box[:2], 2))[..., None]
    if rng.random() < 0.5:
        cover = np.asarray(image.filter(ImageFilter.GaussianBlur(side / 6)), float)
    else:
        cover = texture(side, rng).astype(float)
    return Image.fromarray((mask * cover + (1 - mask) * pixels).astype(np.uint8))


def tint(patch: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Light of its own, and skin's colour for grey faces."""
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


def spoil(canvas: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What cameras and compression do to the whole image."""
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


def harder(composite: Composite, rng: np.random.Generator) -> np.ndarray:
    """The composite's image as a bad camera sees it, with things before the faces, which stay where they are."""
    image = Image.fromarray(composite.image)
    draw = ImageDraw.Draw(image)
    if rng.random() < 0.6:
        for box, five in zip(composite.boxes, composite.points, strict=True):
            if rng.random() < 0.6:
                cover(draw, box, five, rng)
    if rng.random() < 0.3:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.7, 3.0)))
    pixels = np.asarray(image).astype(np.float32)
    light = rng.random()
    if light < 0.3:
        pixels = pixels * np.float32(2 ** -rng.uniform(0.5, 7.5))
    elif light < 0.7:
        pixels = pixels + rng.standard_normal(pixels.shape, np.float32) * np.float32(np.exp(rng.uniform(1.5, 3.9)))
    return np.clip(pixels, 0, 255).astype(np.uint8)


def cover(draw: ImageDraw.ImageDraw, box: np.ndarray, five: np.ndarray, rng: np.random.Generator) -> None:
    """Dark glasses, a mask, or anything, before one face."""
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
