"""What is the same for every network of the comparison (docs/models/comparison.md).

Each stands on the trunk that trunk.py trained, at 64 pixels, sees the same pictures in the same order, changed in
the same way, and learns by the same optimiser for the same number of steps. The early layers of the image trunk and
all of the landmark trunk stay as they are. Other seeds: --set seed=1.
"""

from typing import Any

from mien.train.recipe import Optimiser, Recipe
from mien.train.schedule import Schedule

EARLY = tuple(f"image_trunk.{part}" for part in ("conv1", "conv2_dw", "conv2_pw", "conv_23", "conv_3."))
STATISTICS = tuple(part.rstrip(".") for part in EARLY)


def same(
    name: str, network: str, *, landmarks: bool, measured: str, pose_classes: str = "", **changes: Any
) -> Recipe:
    """The recipe of one network; `landmarks`: it has a landmark trunk too; `measured`: its accuracy in percent."""
    frozen = ("landmark_trunk.",) if landmarks else ()
    return Recipe(
        name=f"comparison-{name.replace('_', '-')}",
        network=network,
        form="light",
        changes={"size_px": 64, **changes},
        start={
            "image_trunk": "comparison-trunk/weights:image_trunk",
            **({"landmark_trunk": "landmarks68:trunk"} if landmarks else {}),
        },
        frozen=EARLY + frozen,
        frozen_statistics=STATISTICS + (("landmark_trunk",) if landmarks else ()),
        data="ferplus",
        variant="most-votes",
        protocol="official",
        held_out=0.04,
        sampler="power",
        sampler_strength=0.5,
        augmentation="light-small",
        size_px=64,
        poses=pose_classes,
        epochs=2,
        batch=64,
        optimiser=Optimiser(name="adamw", rate=1e-3, decay=0.05, clip=5.0, shares={"image_trunk": 0.25}),
        schedule=Schedule(curve="cosine", warmup_epochs=0.1),
        average=0.998,
        best="last",
        paper="none: ours",
        hardware="one thread of a server CPU: 4 to 16 minutes",
        measured=f"{measured} % on FER+ validation without repeats: docs/models/comparison.md",
    )
