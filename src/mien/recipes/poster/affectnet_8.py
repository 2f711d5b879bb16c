"""POSTER on AffectNet, eight classes, as its authors' code trains it (zczcwh/POSTER ba2e3e9, train_affect.py).

    mien data prepare affectnet DIR --variant 8 --template image --size 224 --out prepared/affectnet-8
    mien train poster/affectnet_8 --data prepared/affectnet-8 --out runs/poster-affectnet-8
    mien evaluate affectnet --data DIR --variant 8 --weights runs/poster-affectnet-8/weights --no-align

Pretrained weights as in raf_db.py. The authors' script keeps only weights above 65 %, so it never kept any of
these.
"""

from dataclasses import replace

from mien.models.paper_results import paper_result
from mien.recipes.poster.affectnet_7 import RECIPE as AFFECTNET_7

PAPER = paper_result("poster", "affectnet", 8)

RECIPE = replace(AFFECTNET_7, name="poster-affectnet-8", variant="8", paper_accuracy=PAPER.accuracy)
