"""POSTER on JAFFE. The authors published no code for this set; settings are those of RAF-DB, images RGB.

    mien data prepare jaffe DIR --out prepared/jaffe
    for fold in 0 1 2 3 4 5 6 7 8 9; do
        mien train poster/jaffe --data prepared/jaffe --fold $fold --out runs/poster-jaffe/$fold
    done
    mien evaluate jaffe --data DIR --weights 'runs/poster-jaffe/{fold}/weights'

Pretrained weights as in raf_db.py. Ten women, each left out once; the paper does not say how it split them.
Batches are small because 213 images do not fill one of 200.
"""

from dataclasses import replace

from mien.models.paper_results import paper_result
from mien.recipes.poster.raf_db import RECIPE as RAF_DB

PAPER = paper_result("poster", "jaffe", 7)

RECIPE = replace(
    RAF_DB,
    name="poster-jaffe",
    data="jaffe",
    variant="",
    protocol="leave-one-subject-out",
    augmentation="poster",
    batch=32,
    micro_batch=0,
    paper=PAPER.source,
    paper_accuracy=PAPER.accuracy,
    hardware="not stated by the authors; not timed here",
)
