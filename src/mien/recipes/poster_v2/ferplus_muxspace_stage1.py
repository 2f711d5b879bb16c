"""POSTER++ in its light form on FER+ and muxspace together: first training stage of an earlier release.

    mien data prepare ferplus DIR --out prepared/ferplus
    python -m research.fer.muxspace_people muxspace.zip --out muxspace
    mien data prepare csv muxspace/people.csv --out prepared/muxspace
    mien train comparison/backbone --data prepared/ferplus --out runs/comparison-backbone
    mien train poster_v2/ferplus_muxspace_stage1 --data prepared/ferplus --extra-data prepared/muxspace \\
        --weights-folder runs --out runs/poster_v2-ferplus-muxspace-stage1

Starts from the weights of the previous release, with the image backbone of comparison/backbone. The validation set
of FER+ is evaluated and chooses nothing. People of muxspace are held out.
"""

from mien.training.optim.schedule import Schedule
from mien.training.recipe import Optimizer, Recipe

RECIPE = Recipe(
    name="poster_v2-ferplus-muxspace-stage1",
    network="poster_v2",
    config_name="light",
    pretrained={"": "poster_v2", "image_backbone": "comparison-backbone/weights:image_backbone"},
    frozen=("landmark_backbone.",),
    frozen_statistics=("landmark_backbone",),
    data="ferplus",
    variant="most-votes",
    protocol="cross",
    sampler="power",
    sampler_strength=0.5,
    augmentation="light-mixed",
    epochs=3,
    batch=64,
    optimizer=Optimizer(
        name="adamw", lr=6e-4, weight_decay=0.05, grad_clip=5.0, lr_multipliers={"image_backbone": 0.5}
    ),
    schedule=Schedule(name="cosine", warmup_epochs=0.2),
    mixup=0.2,
    ema_decay=0.999,
    monitor="last",
    paper="none: ours, after Mao et al., POSTER++, 2023",
    hardware="one thread of a server CPU: 57 minutes",
    measured="FER+ validation (deduplicated) 85.8 % from earlier weights, the release before 85.3 %; then stage 2",
)
