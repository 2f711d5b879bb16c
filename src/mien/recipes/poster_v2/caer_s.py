"""POSTER++ on CAER-S as its authors' code trains it (Talented-Q/POSTER_V2 18de559, main.py).

    mien data prepare caer-s DIR --out prepared/caer-s
    mien train poster_v2/caer_s --data prepared/caer-s --out runs/poster_v2-caer-s
    mien evaluate caer-s --data DIR --weights runs/poster_v2-caer-s/weights

Pretrained weights as in raf_db.py. The set shows scenes; here the face is searched and aligned.
"""

from dataclasses import replace

from mien.models.paper_results import paper_result
from mien.recipes.poster_v2.raf_db import RECIPE as RAF_DB

PAPER = paper_result("poster_v2", "caer-s", 7)

RECIPE = replace(
    RAF_DB,
    name="poster_v2-caer-s",
    data="caer-s",
    variant="",
    augmentation="poster_v2-affectnet",
    optimizer=replace(RAF_DB.optimizer, lr=4e-5),
    paper_accuracy=PAPER.accuracy,
)
