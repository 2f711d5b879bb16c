"""APViT on SFEW 2.0. The authors removed their settings for this set (issue 13); these are RAF-DB's.

    mien data prepare sfew DIR --out prepared/sfew
    mien train apvit/sfew --data prepared/sfew --out runs/apvit-sfew
    mien evaluate sfew --data DIR --weights runs/apvit-sfew/weights

Pretrained weights as in raf_db.py. The set's validation part is the test set, a tenth of train is for validation.
"""

from dataclasses import replace

from mien.models.paper_results import paper_result
from mien.recipes.apvit.raf_db import RECIPE as RAF_DB

PAPER = paper_result("apvit", "sfew", 7)

RECIPE = replace(
    RAF_DB,
    name="apvit-sfew",
    data="sfew",
    variant="aligned",
    paper_accuracy=PAPER.accuracy,
    hardware="not stated by the authors; not timed here",
)
