"""Second training stage of an earlier release: early layers of the image backbone are frozen.

    mien train poster_v2/ferplus_muxspace_stage2 --data prepared/ferplus --extra-data prepared/muxspace \\
        --weights-folder runs --out runs/poster_v2-ferplus-muxspace-stage2
"""

from dataclasses import replace

from mien.recipes.poster_v2.ferplus_muxspace_stage1 import RECIPE as STAGE_1
from mien.training.recipe import Optimizer

EARLY = tuple(f"image_backbone.{part}" for part in ("conv1", "conv2_dw", "conv2_pw", "conv_23", "conv_3."))

RECIPE = replace(
    STAGE_1,
    name="poster_v2-ferplus-muxspace-stage2",
    pretrained={"": "poster_v2-ferplus-muxspace-stage1/weights"},
    frozen=("landmark_backbone.", *EARLY),
    frozen_statistics=("landmark_backbone", *(part.rstrip(".") for part in EARLY)),
    sampler_strength=0.6,
    epochs=2,
    seed=1,
    optimizer=Optimizer(
        name="adamw", lr=5e-4, weight_decay=0.05, grad_clip=5.0, lr_multipliers={"image_backbone": 0.5}
    ),
    hardware="one thread of a server CPU: 40 minutes",
    measured="FER+ validation (deduplicated) 86.0 %: an earlier release, docs/models/poster_v2.md",
)
