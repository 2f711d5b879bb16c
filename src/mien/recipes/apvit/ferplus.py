"""APViT on FER+. The authors removed their settings for this set (issue 13); these are RAF-DB's.

    mien data prepare ferplus DIR --out prepared/ferplus
    mien train apvit/ferplus --data prepared/ferplus --out runs/apvit-ferplus
    mien evaluate ferplus --data DIR --weights runs/apvit-ferplus/weights

Pretrained weights as in raf_db.py. Trains on the class with most votes.
"""

from dataclasses import replace

from mien.models.paper_results import paper_result
from mien.recipes.apvit.raf_db import RECIPE as RAF_DB

PAPER = paper_result("apvit", "ferplus", 8)

RECIPE = replace(
    RAF_DB,
    name="apvit-ferplus",
    data="ferplus",
    variant="most-votes",
    soft_labels=False,
    paper_accuracy=PAPER.accuracy,
    hardware="not stated by the authors; not timed here",
    measured="not measured: no IR-50 face weights at hand",
)
