"""From stored canvases to a batch that a network trains on: cut, changed, normalised, mixed.

    batch = PRESETS["apvit"](canvases, targets, rng)

Everything is drawn from the generator, for each image on its own, and runs where the canvases live. On the CPU
a batch is worked on a few images at a time, so that they stay in the cache.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from mien import plugins
from mien.augment import colours, cropping, degradations, occlusion
from mien.augment.colours import ColorJitter
from mien.augment.cropping import CenterCrop, RandomAffine, RandomResizedCrop
from mien.augment.lighting import side_light
from mien.augment.mixing import Mix, Mixup, mix
from mien.augment.moving import moved
from mien.augment.occlusion import RandomErasing
from mien.errors import OptionError
from mien.preprocess import Preprocess, aligned_side

CHUNK = 600_000  # values at a time on the CPU: 16 images of 112 pixels, 4 of 224


class Augmented(NamedTuple):
    """A batch ready for a network."""

    images: Tensor  # (B, 3, H, W) float32, normalised
    targets: Tensor  # (B, K) distributions, mixed as the images are
    matrices: Tensor  # (B, 2, 3) on the CPU: canvas pixels -> crop pixels, for landmarks
    mix: Mix | None = None  # for targets of other tasks

    @property
    def flipped(self) -> Tensor:
        """(B,) bool on the CPU: left and right are exchanged."""
        return torch.linalg.det(self.matrices[:, :, :2]) < 0


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Named transforms, applied in the order in which they stand here. What is 0 or None is left out.

    Probabilities are per image. Up to `occlude` on 0..1, then normalised by `inputs`, then `erase` and `mix`.
    """

    inputs: Preprocess  # size, normalisation and colour order of the network
    crop: CenterCrop | RandomAffine | RandomResizedCrop = CenterCrop()
    jitter: ColorJitter | None = None
    brightness: float = 0.0  # `colours.colour`: brightness,
    contrast: float = 0.0  # contrast,
    channel_gain: float = 0.0  # a gain per channel,
    gamma: float = 0.0  # and a gamma, each uniform within 1 +- strength
    side_light: float = 0.0  # probability
    side_light_strength: float = 0.5
    grey: float = 0.0  # probability
    low_resolution: float = 0.0  # probability of being downscaled and enlarged again
    least_px: int = 24
    blur: float = 0.0  # probability
    blur_sigma_px: float = 1.5
    jpeg: float = 0.0  # probability
    jpeg_quality: tuple[int, int] = (20, 80)
    noise: float = 0.0  # probability; standard deviation uniform up to noise_sigma
    noise_sigma: float = 0.04
    camera_noise: float = 0.0  # probability; standard deviation exactly camera_sigma, added before resizing
    camera_sigma: float = 30**0.5 / 255
    occlude: float = 0.0  # probability
    occlude_area: tuple[float, float] = (0.02, 0.15)
    erase: RandomErasing | None = None
    mix: Mixup | None = None

    def __call__(
        self, canvases: Tensor, targets: Tensor, rng: Generator, *, groups: Tensor | None = None
    ) -> Augmented:
        """Canvases (B, C, S, S) uint8, C 1 or 3, and distributions (B, K) -> a batch.

        `rng`: a generator of the CPU; the same one gives the same batch on the same kind of device. `groups` (B,)
        on the CPU: only images of one group are mixed with each other.
        """
        side = self.inputs.size_px
        step = max(1, CHUNK // (3 * side**2) if canvases.device.type == "cpu" else len(canvases))
        images = torch.empty(len(canvases), 3, side, side, device=canvases.device)
        matrices = torch.empty(len(canvases), 2, 3)
        for start in range(0, len(canvases), step):
            rows = slice(start, start + step)
            x, matrices[rows] = self._changed(canvases[rows], rng)
            self._normalise(x, images[rows])
            if self.erase:
                occlusion.erase_(images[rows], rng, self.erase)
        if self.mix is None:
            return Augmented(images, targets, matrices)
        images, mixed = mix(images, rng, self.mix, groups=groups)
        return Augmented(images, mixed.labels(targets), matrices, mixed)

    def _changed(self, canvases: Tensor, rng: Generator) -> tuple[Tensor, Tensor]:
        aligned_px = aligned_side(canvases.shape[-1], self.inputs.template)
        x, matrices = cropping.crop(canvases, self.inputs.size_px, rng, self.crop, aligned_px=aligned_px)
        if not self._changes:
            return x, matrices
        x = x.expand(-1, 3, -1, -1)
        x = x.float().div_(255) if x.dtype == torch.uint8 else x
        if self.jitter:
            x = colours.jitter(x, rng, self.jitter)
        if self.brightness or self.contrast or self.channel_gain or self.gamma:
            x = colours.colour(
                x,
                rng,
                brightness=self.brightness,
                contrast=self.contrast,
                channel_gain=self.channel_gain,
                gamma=self.gamma,
            )
        if self.side_light:
            x = side_light(x, rng, p=self.side_light, strength=self.side_light_strength)
        if self.grey:
            x = colours.grey(x, rng, p=self.grey)
        if self.low_resolution:
            x = degradations.low_resolution(x, rng, p=self.low_resolution, least_px=self.least_px)
        if self.blur:
            x = degradations.blur(x, rng, p=self.blur, sigma_px=self.blur_sigma_px)
        if self.jpeg:
            x = degradations.jpeg(x, rng, p=self.jpeg, quality=self.jpeg_quality)
        if self.noise:
            x = degradations.noise(x, rng, p=self.noise, sigma=self.noise_sigma)
        if self.camera_noise:
            x = degradations.camera_noise(x, rng, p=self.camera_noise, sigma=self.camera_sigma, at_px=aligned_px)
        if self.occlude:
            x = occlusion.occlude(x, rng, p=self.occlude, area=self.occlude_area)
        return x, matrices

    @property
    def _changes(self) -> bool:
        """Whether anything happens between cutting and normalising."""
        shares = (
            self.brightness,
            self.contrast,
            self.channel_gain,
            self.gamma,
            self.side_light,
            self.grey,
            self.low_resolution,
            self.blur,
        )
        more = (self.jpeg, self.noise, self.camera_noise, self.occlude, self.jitter)
        return any(shares) or any(more)

    def _normalise(self, x: Tensor, out: Tensor) -> None:
        """Crops (B, C, H, W), uint8 or float in 0..1, into `out` (B, 3, H, W)."""
        std, mean = moved(torch.tensor([self.inputs.std, self.inputs.mean]), out.device).view(2, 3, 1, 1)
        if self.inputs.channels == "bgr":  # the figures are those of red, green, blue in either case
            x, std, mean = x.expand(-1, 3, -1, -1).flip(1), std.flip(0), mean.flip(0)
        scale = std * 255 if x.dtype == torch.uint8 else std
        out.copy_(x)
        out.mul_(1 / scale).sub_(mean / std)


def plain(inputs: Preprocess) -> Augmentation:
    """No change at all: the aligned face as prediction sees it."""
    return Augmentation(inputs=inputs)


# As the published training code does it (docs/how-to/prepare-data.md lists the differences). POSTER's flip of its
# first stage and that of the second together still flip half of the images.
POSTER = Augmentation(
    inputs=Preprocess(size_px=224),
    crop=CenterCrop(flip=0.5),
    camera_noise=0.25,
    erase=RandomErasing(area=(0.02, 0.1)),
)
POSTER_RAF_DB = replace(  # its images stayed BGR, and met the mean and deviation of RGB
    POSTER,
    inputs=Preprocess(size_px=224, mean=(0.406, 0.456, 0.485), std=(0.225, 0.224, 0.229), channels="bgr"),
)
POSTER_V2 = Augmentation(
    inputs=Preprocess(size_px=224), crop=CenterCrop(flip=0.5), erase=RandomErasing(area=(0.02, 0.1))
)
POSTER_V2_AFFECTNET = replace(POSTER_V2, erase=RandomErasing(p=1.0, area=(0.05, 0.05)))
APVIT = Augmentation(
    inputs=Preprocess(size_px=112),
    crop=RandomResizedCrop(area=(0.8, 1.0), rotate_deg=6, rotate_p=0.5),
    jitter=ColorJitter(grey=0.2, bgr=True),
    erase=RandomErasing(area=(0.02, 0.33), uniform_ratio=True, noise=True),
)
PHANET = Augmentation(
    inputs=Preprocess(size_px=224),
    crop=RandomResizedCrop(area=(0.8, 1.0), rotate_deg=10, black_border=False),
    jitter=ColorJitter(brightness=0.2, contrast=0.2, saturation=0.2, hue=0.0, p=1.0),
    erase=RandomErasing(p=0.25),
)
LIGHT = Augmentation(  # the network of the package, on sharp images: docs/models/default.md
    inputs=Preprocess(size_px=96),
    crop=RandomAffine(rotate_deg=9, scale=(0.87, 1.15), shift=0.035),
    brightness=0.3,
    contrast=0.3,
    channel_gain=0.1,
    gamma=0.25,
    grey=0.4,
    low_resolution=0.5,
    blur=0.1,
    jpeg=0.2,
    noise=0.1,
    occlude=0.3,
)
LIGHT_MIXED = replace(LIGHT, grey=0.55, low_resolution=0.25, jpeg=0.15)  # small and sharp images together
MULTI_SOURCE = replace(  # all of it runs where the images are: JPEG would not
    LIGHT_MIXED,
    crop=RandomAffine(rotate_deg=7, scale=(0.9, 1.12), shift=0.03),
    side_light=0.25,
    grey=0.35,
    jpeg=0.0,
    occlude=0.2,
)
LIGHT_SMALL = replace(LIGHT, grey=0.7, low_resolution=0.0, blur=0.0, jpeg=0.0)  # 48 pixels or so

PRESETS: dict[str, Augmentation] = {
    "poster": POSTER,
    "poster-raf-db": POSTER_RAF_DB,
    "poster_v2": POSTER_V2,
    "poster_v2-affectnet": POSTER_V2_AFFECTNET,
    "apvit": APVIT,
    "phanet": PHANET,
    "light": LIGHT,
    "light-mixed": LIGHT_MIXED,
    "light-small": LIGHT_SMALL,
    "multi-source": MULTI_SOURCE,
}


def preset(name: str, *, template: str = "") -> Augmentation:
    """An augmentation: one of PRESETS, or your own by its import path, `mypkg.aug:STRONG`.

    `template`: that of the prepared set, which says where on its canvases the face is; "": as the preset has it.
    Raises `UnknownNameError` with the nearest known name.
    """
    chosen = _called(name)
    return (
        replace(chosen, inputs=replace(chosen.inputs, template=template, points=None, aspect=1.0))
        if template
        else chosen
    )


def _called(name: str) -> Augmentation:
    if name in PRESETS:
        return PRESETS[name]
    preset = plugins.resolve("augmentation", name, dict.fromkeys(PRESETS, ""))
    if not isinstance(preset, Augmentation):
        raise OptionError(
            f"augmentation {name} must be a mien.augment.presets.Augmentation, not {type(preset).__name__}"
        )
    return preset
