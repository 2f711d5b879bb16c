"""POSTER on Aff-Wild2. The authors published no code for this set; settings are those of their AffectNet run.

    mien data prepare aff-wild2 DIR --out prepared/aff-wild2
    mien train poster/aff_wild2 --data prepared/aff-wild2 --out runs/poster-aff-wild2
    mien evaluate aff-wild2 --data DIR --weights runs/poster-aff-wild2/weights

Pretrained weights as in raf_db.py. The set's validation videos are the test set, whole videos of train are for
validation. The paper reports accuracy; the set's own challenge ranks by macro-F1, which `mien evaluate` prints too.
"""

from dataclasses import replace

from mien.models.paper_results import paper_result
from mien.recipes.poster.affectnet_7 import RECIPE as AFFECTNET_7

PAPER = paper_result("poster", "aff-wild2", 8)

RECIPE = replace(
    AFFECTNET_7,
    name="poster-aff-wild2",
    data="aff-wild2",
    variant="",
    paper=PAPER.source,
    paper_accuracy=PAPER.accuracy,
    hardware="not stated by the authors; not timed here",
)
