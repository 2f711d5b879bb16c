"""APViT on AffectNet, seven classes. The authors removed their settings for it (issue 13); these are RAF-DB's.

    mien data prepare affectnet DIR --variant 7 --out prepared/affectnet-7
    mien train apvit/affectnet_7 --data prepared/affectnet-7 --out runs/apvit-affectnet-7
    mien evaluate affectnet --data DIR --variant 7 --weights runs/apvit-affectnet-7/weights

Pretrained weights as in raf_db.py. Users could not reproduce the accuracy; the authors answer that alignment
matters (issue 19).
"""

from dataclasses import replace

from mien.models.paper_results import paper_result
from mien.recipes.apvit.raf_db import RECIPE as RAF_DB

PAPER = paper_result("apvit", "affectnet", 7)

RECIPE = replace(
    RAF_DB,
    name="apvit-affectnet-7",
    data="affectnet",
    variant="7",
    paper_accuracy=PAPER.accuracy,
    hardware="not stated by the authors; not timed here",
)
