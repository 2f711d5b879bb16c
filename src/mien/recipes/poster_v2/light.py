"""POSTER++ in its light form on any prepared set, a folder of your own too.

    mien data prepare folder DIR --out prepared/mine
    mien train poster_v2/light --data prepared/mine --out runs/mine
    mien predict photo.jpg --weights runs/mine/weights

No further file is needed: both backbones start from the weights in the package. Unlike the published run: AdamW
with a cosine schedule instead of Adam with SAM, the annotators' votes where the set has them, rare classes drawn
more often, stronger augmentation, and an exponential moving average of the weights. Faces of 96 pixels.
"""

from mien.training.optim.losses import Loss
from mien.training.optim.schedule import Schedule
from mien.training.recipe import Optimizer, Recipe

RECIPE = Recipe(
    name="poster_v2-light",
    network="poster_v2",
    config_name="light",
    pretrained={"image_backbone": "default:image_backbone", "landmark_backbone": "landmarks68:backbone"},
    frozen=("landmark_backbone.",),
    frozen_statistics=("landmark_backbone",),
    protocol="cross",  # a test part is not touched; a set without parts is used whole
    sampler="power",
    sampler_strength=0.5,
    augmentation="light",
    epochs=30,
    batch=64,
    optimizer=Optimizer(name="adamw", lr=5e-4, weight_decay=0.02, grad_clip=5.0),
    schedule=Schedule(name="cosine", warmup_epochs=1.0),
    loss=Loss(ce_weight=0.0, smoothed_ce_weight=1.0, label_smoothing=0.05),
    ema_decay=0.999,
    paper="none: ours, after Mao et al., POSTER++, 2023",
    hardware="any; not timed here",
    measured="not measured: for any set",
)
