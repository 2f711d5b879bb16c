"""APViT on SFEW 2.0. The authors removed their settings for this set (issue 13); these are RAF-DB's.

    mien data prepare sfew DIR --out prepared/sfew
    mien train recipes/apvit/sfew.py --data prepared/sfew --out runs/apvit-sfew
    mien evaluate sfew --data DIR --split valid --weights runs/apvit-sfew/weights

Starting weights as in raf_db.py. The set's validation part is the test, a tenth of train chooses the epoch.
"""

from dataclasses import replace

from raf_db import RECIPE as RAF_DB

from mien.models.published import published

FIGURE = published("apvit", "sfew", 7)

RECIPE = replace(
    RAF_DB,
    name="apvit-sfew",
    data="sfew",
    variant="aligned",
    published=FIGURE.accuracy,
    hardware="not stated by the authors; not timed here",
)
