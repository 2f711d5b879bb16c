"""PhaNet on Multi-PIE: six expressions, seven yaws from -45 to 45 degrees, five folds over subjects.

    mien data prepare multi-pie DIR --variant 7-views --out prepared/multi-pie
    for fold in 0 1 2 3 4; do
        mien train phanet/multi_pie --data prepared/multi-pie --fold $fold \\
            --out runs/phanet-multi-pie/$fold
    done
    mien evaluate multi-pie --data DIR --variant 7-views --weights 'runs/phanet-multi-pie/{fold}/weights'

Pretrained weights and caveats as in kdef.py. All illuminations; which of them the paper takes is unknown.
"""

from dataclasses import replace

from mien.models.paper_results import paper_result
from mien.recipes.phanet.kdef import RECIPE as KDEF

PAPER = paper_result("phanet", "multi-pie", 6)

RECIPE = replace(
    KDEF,
    name="phanet-multi-pie",
    data="multi-pie",
    variant="7-views",
    folds=5,
    poses="multi-pie",
    paper_accuracy=PAPER.accuracy,
)
