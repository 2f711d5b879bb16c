"""POSTER on FERG, drawn faces. The authors published no code for this set; settings are those of RAF-DB.

    mien data prepare ferg DIR --out prepared/ferg
    for fold in 0 1 2 3 4 5; do
        mien train poster/ferg --data prepared/ferg --fold $fold --out runs/poster-ferg/$fold
    done
    mien evaluate ferg --data DIR --weights 'runs/poster-ferg/{fold}/weights'

Pretrained weights as in raf_db.py. Six characters, each left out once; the paper does not say how it split them.
With images of one character in training and test set the accuracy is far higher.
"""

from dataclasses import replace

from mien.models.paper_results import paper_result
from mien.recipes.poster.raf_db import RECIPE as RAF_DB

PAPER = paper_result("poster", "ferg", 7)

RECIPE = replace(
    RAF_DB,
    name="poster-ferg",
    data="ferg",
    variant="",
    protocol="leave-one-subject-out",
    augmentation="poster",
    paper=PAPER.source,
    paper_accuracy=PAPER.accuracy,
    hardware="not stated by the authors; not timed here",
)
