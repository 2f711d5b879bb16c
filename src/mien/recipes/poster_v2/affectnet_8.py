"""POSTER++ on AffectNet, eight classes, as its authors' code trains it (Talented-Q/POSTER_V2 18de559, main_8.py).

    mien data prepare affectnet DIR --variant 8 --template image --size 224 --out prepared/affectnet-8
    mien train poster_v2/affectnet_8 --data prepared/affectnet-8 --out runs/poster_v2-affectnet-8
    mien evaluate affectnet --data DIR --variant 8 --weights runs/poster_v2-affectnet-8/weights --no-align

Pretrained weights as in raf_db.py.
"""

from dataclasses import replace

from mien.models.paper_results import paper_result
from mien.recipes.poster_v2.affectnet_7 import RECIPE as AFFECTNET_7

PAPER = paper_result("poster_v2", "affectnet", 8)

RECIPE = replace(AFFECTNET_7, name="poster_v2-affectnet-8", variant="8", paper_accuracy=PAPER.accuracy)
