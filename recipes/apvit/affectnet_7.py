"""APViT on AffectNet, seven classes. The authors removed their settings for it (issue 13); these are RAF-DB's.

    mien data prepare affectnet DIR --variant 7 --out prepared/affectnet-7
    mien train recipes/apvit/affectnet_7.py --data prepared/affectnet-7 --out runs/apvit-affectnet-7
    mien evaluate affectnet --data DIR --variant 7 --weights runs/apvit-affectnet-7/weights

Starting weights as in raf_db.py. Users could not repeat the figure; the authors answer that alignment matters
(issue 19).
"""

from dataclasses import replace

from raf_db import RECIPE as RAF_DB

from mien.models.published import published

FIGURE = published("apvit", "affectnet", 7)

RECIPE = replace(
    RAF_DB,
    name="apvit-affectnet-7",
    data="affectnet",
    variant="7",
    published=FIGURE.accuracy,
    hardware="not stated by the authors; not timed here",
)
