"""POSTER++ on AffectNet, seven classes, as its authors' code trains it (Talented-Q/POSTER_V2 18de559, main.py).

    mien data prepare affectnet DIR --variant 7 --template image --size 224 --out prepared/affectnet-7
    mien train poster_v2/affectnet_7 --data prepared/affectnet-7 --out runs/poster_v2-affectnet-7
    mien evaluate affectnet --data DIR --variant 7 --weights runs/poster_v2-affectnet-7/weights --no-align

Pretrained weights as in raf_db.py. Classes are drawn equally often: without that, users stay below 67 % (issue 12).
"""

from dataclasses import replace

from mien.models.paper_results import paper_result
from mien.recipes.poster_v2.raf_db import RECIPE as RAF_DB

PAPER = paper_result("poster_v2", "affectnet", 7)

RECIPE = replace(
    RAF_DB,
    name="poster_v2-affectnet-7",
    data="affectnet",
    variant="7",
    sampler="balanced",
    augmentation="poster_v2-affectnet",
    optimizer=replace(RAF_DB.optimizer, lr=1e-6),
    paper_accuracy=PAPER.accuracy,
)
