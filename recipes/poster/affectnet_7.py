"""POSTER on AffectNet, seven classes, as its authors' code trains it (zczcwh/POSTER ba2e3e9, train_affect.py).

    mien data prepare affectnet DIR --variant 7 --out prepared/affectnet-7
    mien train recipes/poster/affectnet_7.py --data prepared/affectnet-7 --out runs/poster-affectnet-7
    mien evaluate affectnet --data DIR --variant 7 --weights runs/poster-affectnet-7/weights

Starting weights as in raf_db.py. Classes are drawn equally often; blocks without token mixing; pictures are RGB.
"""

from dataclasses import replace

from raf_db import RECIPE as RAF_DB

from mien.models.published import published

FIGURE = published("poster", "affectnet", 7)

RECIPE = replace(
    RAF_DB,
    name="poster-affectnet-7",
    changes={"token_mix": False},
    data="affectnet",
    variant="7",
    sampler="balanced",
    augmentation="poster",
    optimiser=replace(RAF_DB.optimiser, rate=2e-6),
    paper=FIGURE.source,
    published=FIGURE.accuracy,
    hardware="authors: 2 GPUs of 100 pictures, time not stated; not timed here",
)
