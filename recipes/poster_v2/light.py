"""POSTER++ in its light form on any prepared set, a folder of your own too, with what the field has learned since.

    mien data prepare folder DIR --out prepared/mine
    mien train recipes/poster_v2/light.py --data prepared/mine --out runs/mine
    mien predict photo.jpg --weights runs/mine/weights

Needs no file of anybody: both trunks start from the weights in the package. Adam with SAM gives way to AdamW with
a cosine (one pass a step, not two), labels to votes where the set has them; rare classes are drawn more often,
pictures are changed as cameras change them, and an average of the weights is kept. Faces of 96 pixels.
"""

from mien.train.losses import Loss
from mien.train.recipe import Optimiser, Recipe
from mien.train.schedule import Schedule

RECIPE = Recipe(
    name="poster_v2-light",
    network="poster_v2",
    form="light",
    start={"image_trunk": "default:image_trunk", "landmark_trunk": "landmarks68:trunk"},
    frozen=("landmark_trunk.",),
    frozen_statistics=("landmark_trunk",),
    protocol="cross",  # a test part is left alone; a set without parts is learned from whole
    sampler="power",
    sampler_strength=0.5,
    augmentation="light",
    epochs=30,
    batch=64,
    optimiser=Optimiser(name="adamw", rate=5e-4, decay=0.02, clip=5.0),
    schedule=Schedule(curve="cosine", warmup_epochs=1.0),
    loss=Loss(plain=0.0, smoothed=1.0, smoothing=0.05),
    average=0.999,
    paper="none: ours, after Mao et al., POSTER++, 2023",
    hardware="any; not timed here",
    measured="not measured: for any set",
)
