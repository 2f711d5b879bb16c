"""What is the same for every network of the comparison (docs/models/comparison.md).

Each starts from the backbone that backbone.py trained, at 64 pixels, and has the same images in the same order, the
same augmentation, optimizer and number of steps. The early layers of the image backbone and all of the landmark
backbone are frozen. Other seeds: --set seed=1.
"""

from typing import Any

from mien.training.optim.schedule import Schedule
from mien.training.recipe import Optimizer, Recipe

EARLY = tuple(f"image_backbone.{part}" for part in ("conv1", "conv2_dw", "conv2_pw", "conv_23", "conv_3."))
STATISTICS = tuple(part.rstrip(".") for part in EARLY)


def same(
    name: str, network: str, *, landmarks: bool, measured: str, pose_classes: str = "", **changes: Any
) -> Recipe:
    """The recipe of one network; `landmarks`: it has a landmark backbone; `measured`: its accuracy in percent."""
    frozen = ("landmark_backbone.",) if landmarks else ()
    return Recipe(
        name=f"comparison-{name.replace('_', '-')}",
        network=network,
        config_name="light",
        model_kwargs={"size_px": 64, **changes},
        pretrained={
            "image_backbone": "comparison-backbone/weights:image_backbone",
            **({"landmark_backbone": "landmarks68:backbone"} if landmarks else {}),
        },
        frozen=EARLY + frozen,
        frozen_statistics=STATISTICS + (("landmark_backbone",) if landmarks else ()),
        data="ferplus",
        variant="most-votes",
        protocol="official",
        validation_fraction=0.04,
        sampler="power",
        sampler_strength=0.5,
        augmentation="light-small",
        size_px=64,
        poses=pose_classes,
        epochs=2,
        batch=64,
        optimizer=Optimizer(
            name="adamw", lr=1e-3, weight_decay=0.05, grad_clip=5.0, lr_multipliers={"image_backbone": 0.25}
        ),
        schedule=Schedule(name="cosine", warmup_epochs=0.1),
        ema_decay=0.998,
        monitor="last",
        paper="none: ours",
        hardware="one thread of a server CPU: 4 to 16 minutes",
        measured=f"{measured} % on FER+ validation (deduplicated), earlier backbone: docs/models/comparison.md",
    )
