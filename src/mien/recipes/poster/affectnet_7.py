"""POSTER on AffectNet, seven classes, as its authors' code trains it (zczcwh/POSTER ba2e3e9, train_affect.py).

    mien data prepare affectnet DIR --variant 7 --template image --size 224 --out prepared/affectnet-7
    mien train poster/affectnet_7 --data prepared/affectnet-7 --out runs/poster-affectnet-7
    mien evaluate affectnet --data DIR --variant 7 --weights runs/poster-affectnet-7/weights --no-align

Pretrained weights as in raf_db.py. Classes are drawn equally often; blocks without token mixing; images are RGB.
"""

from dataclasses import replace

from mien.models.paper_results import paper_result
from mien.recipes.poster.raf_db import RECIPE as RAF_DB

PAPER = paper_result("poster", "affectnet", 7)

RECIPE = replace(
    RAF_DB,
    name="poster-affectnet-7",
    model_kwargs={"token_mix": False},
    data="affectnet",
    variant="7",
    sampler="balanced",
    augmentation="poster",
    optimizer=replace(RAF_DB.optimizer, lr=2e-6),
    paper=PAPER.source,
    paper_accuracy=PAPER.accuracy,
    hardware="authors: 2 GPUs of 100 images, time not stated; not timed here",
)
