"""POSTER on FER+. The authors published no code for this set; settings are those of RAF-DB, images RGB.

    mien data prepare ferplus DIR --out prepared/ferplus
    mien train poster/ferplus --data prepared/ferplus --out runs/poster-ferplus
    mien evaluate ferplus --data DIR --weights runs/poster-ferplus/weights

Pretrained weights as in raf_db.py. Trains on the class with most votes. Users of the authors' code report 86 %
(FER_POSTER issue 6).
"""

from dataclasses import replace

from mien.models.paper_results import paper_result
from mien.recipes.poster.raf_db import RECIPE as RAF_DB

PAPER = paper_result("poster", "ferplus", 8)

RECIPE = replace(
    RAF_DB,
    name="poster-ferplus",
    data="ferplus",
    variant="most-votes",
    soft_labels=False,
    augmentation="poster",
    paper=PAPER.source,
    paper_accuracy=PAPER.accuracy,
    hardware="not stated by the authors; not timed here",
    measured="not measured: no IR-50 face weights at hand",
)
