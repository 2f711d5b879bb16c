"""PhaNet on rendered faces of BU-3DFE: six expressions, five yaws, five folds over subjects.

    mien data prepare bu-3dfe DIR --variant views-6 --out prepared/bu-3dfe
    for fold in 0 1 2 3 4; do
        mien train phanet/bu_3dfe --data prepared/bu-3dfe --fold $fold \\
            --out runs/phanet-bu-3dfe/$fold
    done
    mien evaluate bu-3dfe --data DIR --variant views-6 --weights 'runs/phanet-bu-3dfe/{fold}/weights'

Pretrained weights and caveats as in kdef.py. All four intensities; which of them the paper takes is unknown. The
faces must be rendered from the scans first (docs/datasets/bu-3dfe.md).
"""

from dataclasses import replace

from mien.models.paper_results import paper_result
from mien.recipes.phanet.kdef import RECIPE as KDEF

PAPER = paper_result("phanet", "bu-3dfe", 6)

RECIPE = replace(
    KDEF,
    name="phanet-bu-3dfe",
    data="bu-3dfe",
    variant="views-6",
    folds=5,
    poses="bu-3dfe",
    paper_accuracy=PAPER.accuracy,
)
