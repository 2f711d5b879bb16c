"""Random changes to batches of faces, on whatever device the batch lives.

Every function takes images (B, 3, H, W) float in 0..1 and a `torch.Generator` of the CPU, changes
each image on its own with probability `p`, and returns a tensor of the same shape. `presets.py`
composes them.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Generator, Tensor

from mien.augment.moving import moved


@dataclass(frozen=True, kw_only=True)
class CenterCrop:
    """Exactly the aligned face, flipped or not."""

    flip: float = 0.0  # probability


@dataclass(frozen=True, kw_only=True)
class RandomAffine:
    """How far a crop may stray from the aligned one."""

    rotate_deg: float = 10.0  # standard deviation
    scale: tuple[float, float] = (0.88, 1.12)  # side of the crop in aligned sides; above 1 shows more
    shift: float = 0.04  # standard deviation in sides
    shear_deg: float = 0.0  # standard deviation
    flip: float = 0.5  # probability


@dataclass(frozen=True, kw_only=True)
class RandomResizedCrop:
    """A part of the aligned face, turned first: the usual random resized crop."""

    area: tuple[float, float] = (0.8, 1.0)  # of the aligned face, uniform
    ratio: tuple[float, float] = (1.0, 1.0)  # width / height, log-uniform
    rotate_deg: float = 0.0  # uniform in both directions, about the middle of the aligned face
    rotate_p: float = 1.0
    black_border: bool = (
        True  # what lies outside the aligned face, as published; otherwise its surroundings are shown
    )
    flip: float = 0.5  # probability


def crop(
    canvas: Tensor,
    size_px: int,
    rng: Generator,
    config: CenterCrop | RandomAffine | RandomResizedCrop,
    *,
    aligned_px: int,
) -> tuple[Tensor, Tensor]:
    """One crop of each canvas in the given way, float in 0..1 or, where nothing but size changed, still uint8.

    Shapes as `random_affine`.
    """
    if isinstance(config, CenterCrop):
        return center_crop(canvas, size_px, rng, config, aligned_px=aligned_px)
    if isinstance(config, RandomAffine):
        return random_affine(canvas, size_px, rng, config, aligned_px=aligned_px)
    return random_resized_crop(canvas, size_px, rng, config, aligned_px=aligned_px)


def center_crop(
    canvas: Tensor, size_px: int, rng: Generator, config: CenterCrop, *, aligned_px: int = 112
) -> tuple[Tensor, Tensor]:
    """The aligned face alone, still in uint8; otherwise as `random_affine`. Resized with antialiasing."""
    b, _, side, _ = canvas.shape
    margin = (side - aligned_px) // 2
    crops = canvas[:, :, margin : side - margin, margin : side - margin].contiguous()
    flip = _chosen(b, config.flip, rng)
    if flip.any():
        rows = moved(flip.nonzero().flatten(), canvas.device)
        crops[rows] = crops[rows].flip(-1)
    if size_px != aligned_px:
        if canvas.device.type == "cpu":
            crops = F.interpolate(crops, size=(size_px, size_px), mode="bilinear", antialias=True)
        else:  # there is no kernel for bytes
            crops = F.interpolate(crops.float(), size=(size_px, size_px), mode="bilinear", antialias=True)
            crops = crops.round_().byte()
    zoom = size_px / aligned_px
    matrices = torch.zeros(b, 2, 3)
    matrices[:, 0, 0] = torch.where(flip, -zoom, zoom)
    matrices[:, 0, 2] = torch.where(flip, (aligned_px + margin) * zoom, -margin * zoom)
    matrices[:, 1, 1], matrices[:, 1, 2] = zoom, -margin * zoom
    return crops, matrices


def random_affine(
    canvas: Tensor, size_px: int, rng: Generator, config: RandomAffine, *, aligned_px: int = 112
) -> tuple[Tensor, Tensor]:
    """Cut one crop from the middle of each canvas.

    Canvas (B, C, S, S) uint8 whose middle `aligned_px` pixels are the aligned face -> crops (B, C, size, size)
    in 0..1 and the matrices (B, 2, 3) that take canvas pixels onto crop pixels. Beyond the canvas its edge
    is repeated.
    """
    b, _, side, _ = canvas.shape
    turn = _normal(b, rng) * np.deg2rad(config.rotate_deg)
    low, high = np.log(config.scale[0]), np.log(config.scale[1])
    scale = torch.exp(low + (high - low) * torch.rand(b, generator=rng))
    zoom = scale * aligned_px / size_px  # canvas pixels per crop pixel
    shift = torch.stack([_normal(b, rng), _normal(b, rng)], dim=1) * config.shift * aligned_px * scale[:, None]
    flip = 1 - 2 * _chosen(b, config.flip, rng).float()
    back = _rotated(turn, zoom, zoom, flip)
    if config.shear_deg:
        shear = torch.eye(2).repeat(b, 1, 1)
        shear[:, 0, 1] = torch.tan(_normal(b, rng) * np.deg2rad(config.shear_deg))
        back = back @ shear
    return _resample(canvas, size_px, back, side / 2 + shift)


def random_resized_crop(
    canvas: Tensor, size_px: int, rng: Generator, config: RandomResizedCrop, *, aligned_px: int = 112
) -> tuple[Tensor, Tensor]:
    """A random part of each aligned face; shapes as `random_affine`.

    The area is drawn uniformly, the ratio log-uniformly; where the part would be wider or higher than the face
    it is cut to it (torchvision draws again, up to ten times). Its position is uniform inside the face.
    """
    b, _, side, _ = canvas.shape
    area = config.area[0] + (config.area[1] - config.area[0]) * torch.rand(b, generator=rng)
    low, high = np.log(config.ratio[0]), np.log(config.ratio[1])
    ratio = torch.exp(low + (high - low) * torch.rand(b, generator=rng))
    wide, tall = (torch.sqrt(area * r).clamp(max=1) * aligned_px for r in (ratio, 1 / ratio))
    free = torch.stack([aligned_px - wide, aligned_px - tall], dim=1)
    shift = (torch.rand(b, 2, generator=rng) - 0.5) * free
    turn = (2 * torch.rand(b, generator=rng) - 1) * np.deg2rad(config.rotate_deg)
    turn = turn * _chosen(b, config.rotate_p, rng)
    flip = 1 - 2 * _chosen(b, config.flip, rng).float()
    back = _rotated(turn, wide / size_px, tall / size_px, flip)
    one = torch.ones(b)
    middle = side / 2 + (_rotated(turn, one, one, one) @ shift[..., None])[..., 0]
    return _resample(
        canvas, size_px, back, middle, black_from=(side - aligned_px) // 2 if config.black_border else None
    )


def _rotated(turn: Tensor, wide: Tensor, tall: Tensor, flip: Tensor) -> Tensor:
    """Crop pixels -> canvas pixels (B, 2, 2): scaled by (wide, tall), flipped, turned (radians)."""
    cos, sin = torch.cos(turn), torch.sin(turn)
    rows = [
        torch.stack([cos * wide * flip, -sin * tall], dim=1),
        torch.stack([sin * wide * flip, cos * tall], dim=1),
    ]
    return torch.stack(rows, dim=1)


def _resample(
    canvas: Tensor, size_px: int, back: Tensor, middle: Tensor, *, black_from: int | None = None
) -> tuple[Tensor, Tensor]:
    """Crops (B, C, size, size) in 0..1 and the matrices (B, 2, 3) from canvas to crop pixels.

    `back`: crop pixels -> canvas pixels (B, 2, 2), `middle`: the crop's middle on the canvas (B, 2).
    `black_from`: everything this near to the canvas's edge counts as black; None: the edge is repeated outside.
    """
    b = len(canvas)
    margin = black_from or 0
    part = canvas[:, :, margin : canvas.shape[2] - margin, margin : canvas.shape[3] - margin]
    side = part.shape[-1]
    # grid_sample counts -1..1 between the outer edges of what it is given
    at = (torch.arange(size_px, device=canvas.device) + 0.5 - size_px / 2) * (2 / side)
    turn, start = moved(back, canvas.device), moved((middle - margin) * (2 / side) - 1, canvas.device)
    grid = torch.empty(b, size_px, size_px, 2, device=canvas.device)
    for axis in (0, 1):
        across = turn[:, axis, 0, None, None] * at[None, None, :] + start[:, axis, None, None]
        torch.add(across, turn[:, axis, 1, None, None] * at[None, :, None], out=grid[..., axis])
    padding = "border" if black_from is None else "zeros"
    crops = F.grid_sample(part.float(), grid, padding_mode=padding, align_corners=False).div_(255)
    forth = torch.linalg.inv(back)
    offset = middle - back.sum(dim=2) * size_px / 2  # where the crop's corner lies
    return crops, torch.cat([forth, -(forth @ offset[..., None])], dim=2)


def move_points(points: Tensor, matrices: Tensor) -> Tensor:
    """Points (B, P, 2) under matrices (B, 2, 3)."""
    return points @ matrices[:, :, :2].transpose(1, 2) + matrices[:, :, 2][:, None]


def low_resolution(x: Tensor, rng: Generator, *, p: float, least_px: int) -> Tensor:
    """Shrink to between `least_px` and the full side, and back; images in the wild are often small.

    A few sizes per batch keep it fast. Images that are no larger than `least_px` stay as they are.
    """
    side = x.shape[-1]
    if side <= least_px:
        return x
    chosen = _chosen(len(x), p, rng).nonzero().flatten()
    x = x.clone()
    for rows in chosen.tensor_split(4):
        if len(rows):
            small, rows = int(torch.randint(least_px, side, (), generator=rng)), moved(rows, x.device)
            shrunk = F.interpolate(x[rows], size=(small, small), mode="bilinear", antialias=True)
            x[rows] = F.interpolate(shrunk, size=(side, side), mode="bilinear")
    return x


def blur(x: Tensor, rng: Generator, *, p: float, sigma_px: float) -> Tensor:
    """Gaussian blur, standard deviation up to `sigma_px`; one strength for each quarter of a batch."""
    x = x.clone()
    for rows in _chosen(len(x), p, rng).nonzero().flatten().tensor_split(4):
        if len(rows):
            sigma = 0.2 + (sigma_px - 0.2) * float(torch.rand((), generator=rng))
            reach = max(1, round(2.5 * sigma))
            taps = torch.exp(-(torch.arange(-reach, reach + 1, device=x.device) ** 2) / (2 * sigma**2))
            taps = (taps / taps.sum()).repeat(x.shape[1], 1, 1, 1)  # (C, 1, 1, taps)
            rows = moved(rows, x.device)
            padded = F.pad(x[rows], [reach] * 4, mode="replicate")
            across = F.conv2d(padded, taps, groups=x.shape[1])
            x[rows] = F.conv2d(across, taps.transpose(2, 3), groups=x.shape[1])
    return x


def jpeg(x: Tensor, rng: Generator, *, p: float, quality: tuple[int, int]) -> Tensor:
    """JPEG's own artefacts, by Pillow on the CPU."""
    x = x.clone()
    for row in _chosen(len(x), p, rng).nonzero().flatten().tolist():
        pixels = x[row].mul(255).round().clamp(0, 255).byte().permute(1, 2, 0).cpu().numpy()
        file = io.BytesIO()
        level = int(torch.randint(quality[0], quality[1] + 1, (), generator=rng))
        Image.fromarray(pixels).save(file, "JPEG", quality=level)
        back = torch.from_numpy(np.array(Image.open(file)))
        x[row] = back.permute(2, 0, 1).to(x.device, x.dtype) / 255
    return x


def colour(
    x: Tensor, rng: Generator, *, brightness: float, contrast: float, channel_gain: float, gamma: float
) -> Tensor:
    """Brightness, contrast, a gain per channel and a gamma, each uniform within its strength."""

    def factor(strength: float, *shape: int) -> Tensor:
        return moved(1 + strength * (2 * torch.rand(len(x), *shape, generator=rng) - 1), x.device)

    mean = x.mean(dim=(1, 2, 3), keepdim=True)
    x = (x - mean) * factor(contrast, 1, 1, 1) + mean * factor(brightness, 1, 1, 1)
    x = (x * factor(channel_gain, x.shape[1], 1, 1)).clamp(1e-4, 1)
    return x ** factor(gamma, 1, 1, 1)


def grey(x: Tensor, rng: Generator, *, p: float) -> Tensor:
    """Luminance in all three channels (ITU-R BT.601 weights)."""
    weights = moved(_LUMINANCE, x.device).view(1, 3, 1, 1)
    chosen = moved(_chosen(len(x), p, rng), x.device).view(-1, 1, 1, 1)
    return torch.where(chosen, (x * weights).sum(1, keepdim=True), x)


def noise(x: Tensor, rng: Generator, *, p: float, sigma: float) -> Tensor:
    """Gaussian noise of standard deviation up to `sigma`."""
    strength = sigma * torch.rand(len(x), 1, 1, 1, generator=rng) * _chosen(len(x), p, rng).view(-1, 1, 1, 1)
    if x.device.type == "cpu":
        grain = torch.randn(x.shape, generator=rng)
    else:  # so many numbers are drawn where they are needed
        grain = torch.randn(x.shape, generator=_generator(x.device, rng), device=x.device)
    return (x + grain * moved(strength, x.device)).clamp(0, 1)


def occlude(x: Tensor, rng: Generator, *, p: float, area: tuple[float, float]) -> Tensor:
    """Cover a rectangle with one colour or noise (Zhong et al., "Random Erasing", 2017)."""
    if x.device.type != "cpu":
        return occlude_together(x, rng, p=p, area=area)
    x = x.clone()
    side = x.shape[-1]
    for row in _chosen(len(x), p, rng).nonzero().flatten().tolist():
        part, shape, top, left, kind = torch.rand(5, generator=rng).tolist()
        covered = (area[0] + (area[1] - area[0]) * part) * side * side
        ratio = 0.3 * (3.3 / 0.3) ** shape
        high = min(side, max(1, round((covered * ratio) ** 0.5)))
        wide = min(side, max(1, round((covered / ratio) ** 0.5)))
        y, z = int(top * (side - high + 1)), int(left * (side - wide + 1))
        fill = torch.rand((3, high, wide) if kind < 0.3 else (3, 1, 1), generator=rng)
        x[row, :, y : y + high, z : z + wide] = fill
    return x


def occlude_together(x: Tensor, rng: Generator, *, p: float, area: tuple[float, float]) -> Tensor:
    """`occlude` of all images at once, for a GPU, where a kernel for each image would take longer.

    The same distributions; the noise is drawn where the images are.
    """
    b, _, height, width = x.shape
    part, shape, top, left, kind = torch.rand(5, b, generator=rng)
    covered = (area[0] + (area[1] - area[0]) * part) * width * width
    ratio = 0.3 * (3.3 / 0.3) ** shape
    high, wide = (side.sqrt().round().clamp(1, width) for side in (covered * ratio, covered / ratio))
    y, z = (top * (width - high + 1)).floor(), (left * (width - wide + 1)).floor()
    high = torch.where(_chosen(b, p, rng), high, 0.0)
    colour = torch.rand(b, 3, generator=rng)
    drawn = torch.cat([torch.stack([y, y + high, z, z + wide, (kind < 0.3).float()], dim=1), colour], dim=1)
    drawn = moved(drawn, x.device)[..., None, None]  # (B, 8, 1, 1)
    begin, end, first, last, noisy = drawn[:, :5].unbind(dim=1)  # (B, 1, 1) each
    row, column = torch.arange(height, device=x.device)[:, None], torch.arange(width, device=x.device)
    inside = (row >= begin) & (row < end) & (column >= first) & (column < last)  # (B, H, W)
    grain = torch.rand(x.shape, generator=_generator(x.device, rng), device=x.device)
    fill = torch.where(noisy[:, None] > 0, grain, drawn[:, 5:])
    return torch.where(inside[:, None], fill, x)


@dataclass(frozen=True, kw_only=True)
class RandomErasing:
    """A rectangle of normalised images is overwritten (Zhong et al., "Random Erasing", 2017)."""

    p: float = 0.5
    area: tuple[float, float] = (0.02, 0.1)  # of the image, uniform
    ratio: tuple[float, float] = (0.3, 3.3)  # height / width
    uniform_ratio: bool = False  # as mmclassification draws it; otherwise log-uniform, as torchvision does
    noise: bool = False  # fill with N(0, 1) per value; otherwise with 0


def erase_(x: Tensor, rng: Generator, config: RandomErasing) -> Tensor:
    """Normalised images (B, C, H, W), a rectangle of some overwritten in place.

    Ten draws per image, of which the first that fits is taken; an image where none fits stays.
    """
    b, _, height, width = x.shape
    part, shape, top, left = torch.rand(4, b, 10, generator=rng).unbind(0)
    covered = (config.area[0] + (config.area[1] - config.area[0]) * part) * height * width
    low, high = config.ratio
    ratio = low + (high - low) * shape if config.uniform_ratio else low * (high / low) ** shape
    tall, wide = torch.sqrt(covered * ratio).round(), torch.sqrt(covered / ratio).round()
    fits = (tall < height) & (wide < width) & (tall > 0) & (wide > 0)
    first = fits.float().argmax(dim=1, keepdim=True)
    chosen = _chosen(b, config.p, rng) & fits.any(dim=1)
    tall, wide, top, left = (value.gather(1, first)[:, 0] for value in (tall, wide, top, left))
    y0, x0 = top * (height - tall + 1), left * (width - wide + 1)
    rectangles = torch.stack([y0, x0, tall, wide], dim=1).long().tolist()
    for row in chosen.nonzero().flatten().tolist():
        y, z, high, broad = rectangles[row]
        part = x[row, :, y : y + high, z : z + broad]
        part.copy_(torch.randn(part.shape, generator=rng)) if config.noise else part.zero_()
    return x


@dataclass(frozen=True, kw_only=True)
class ColorJitter:
    """Colour jitter: brightness, contrast, saturation and hue by a random factor each, in random order.

    A factor is uniform in 1 +- strength; hue is in turns of the colour circle. `bgr`: red and blue are taken
    for each other, as APViT's training does, which runs on BGR images as if they were RGB.
    """

    brightness: float = 0.4
    contrast: float = 0.4
    saturation: float = 0.4
    hue: float = 0.1
    p: float = 0.8
    grey: float = 0.0  # probability of being made grey before
    bgr: bool = False


_LUMINANCE = torch.tensor([0.299, 0.587, 0.114])  # ITU-R BT.601
_YIQ = torch.tensor([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])


def jitter(x: Tensor, rng: Generator, config: ColorJitter) -> Tensor:
    """Images (B, 3, H, W) in 0..1 with changed colours.

    All steps are linear, so one matrix per image does them at once. So the result is clipped once at the end,
    not after every step, and hue turns the plane of I and Q (NTSC) instead of the hexagon of HSV.
    """
    b = len(x)
    images = x.flip(1) if config.bgr else x
    mean = images.mean(dim=(2, 3)).cpu()
    strengths = (config.brightness, config.contrast, config.saturation)
    factors = 1 + torch.tensor(strengths) * (2 * torch.rand(b, 3, generator=rng) - 1)
    angle = 2 * np.pi * config.hue * (2 * torch.rand(b, generator=rng) - 1)
    order = torch.rand(b, 4, generator=rng).argsort(dim=1)
    eye, level = torch.eye(3), _LUMINANCE.expand(3, 3)
    greyed = _chosen(b, config.grey, rng)
    matrix = torch.where(greyed[:, None, None], level, eye)
    offset = torch.zeros(b, 3)
    chosen = _chosen(b, config.p, rng)
    turn = torch.eye(3).repeat(b, 1, 1)
    turn[:, 1, 1], turn[:, 1, 2] = torch.cos(angle), -torch.sin(angle)
    turn[:, 2, 1], turn[:, 2, 2] = torch.sin(angle), torch.cos(angle)
    saturation = factors[:, 2, None, None]
    steps = torch.stack(
        [
            factors[:, 0, None, None] * eye,
            factors[:, 1, None, None] * eye,
            saturation * eye + (1 - saturation) * level,
            torch.linalg.inv(_YIQ) @ turn @ _YIQ,
        ],
        dim=1,
    )  # (B, 4, 3, 3)
    rows = torch.arange(b)
    for kind in order.unbind(dim=1):
        step = torch.where(chosen[:, None, None], steps[rows, kind], eye)
        now = (matrix @ mean[..., None])[..., 0] + offset  # mean colour at this point
        grey_level = (now @ _LUMINANCE)[:, None]
        pulled = (1 - factors[:, 1, None]) * grey_level * ((kind == 1) & chosen)[:, None]
        matrix, offset = step @ matrix, (step @ offset[..., None])[..., 0] + pulled
    if config.bgr:
        matrix, offset = matrix.flip(1, 2), offset.flip(1)
    offset, matrix = (moved(part.to(x.dtype), x.device) for part in (offset[..., None], matrix))
    flat = torch.baddbmm(offset, matrix, x.flatten(2))
    return flat.clamp_(0, 1).view_as(x)


def camera_noise(x: Tensor, rng: Generator, *, p: float, sigma: float, at_px: int) -> Tensor:
    """Gaussian noise of standard deviation `sigma`, as it were added at a side of `at_px` before resizing."""
    rows = _chosen(len(x), p, rng).nonzero().flatten()
    grain = moved(torch.randn(len(rows), x.shape[1], at_px, at_px, generator=rng).to(x.dtype), x.device) * sigma
    if at_px != x.shape[-1]:
        grain = F.interpolate(grain, size=x.shape[-2:], mode="bilinear", antialias=True)
    rows = moved(rows, x.device)
    return x.index_add(0, rows, grain).clamp_(0, 1)


def _generator(device: torch.device, rng: Generator) -> Generator:
    """A generator of the images' device, for as many numbers as the images have; it follows from `rng`."""
    return torch.Generator(device).manual_seed(int(torch.randint(2**62, (), generator=rng)))


def _chosen(count: int, p: float, rng: Generator) -> Tensor:
    return torch.rand(count, generator=rng) < p


def _normal(count: int, rng: Generator) -> Tensor:
    """Standard normal, cut at 2.5 so that no crop leaves its canvas."""
    return torch.randn(count, generator=rng).clamp(-2.5, 2.5)
