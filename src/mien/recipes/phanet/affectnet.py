"""PhaNet on AffectNet, seven classes, with measured head poses.

    mien data prepare affectnet DIR --variant 7 --out prepared/affectnet-7
    mien train phanet/affectnet --data prepared/affectnet-7 --out runs/phanet-affectnet
    mien evaluate affectnet --data DIR --variant 7 --weights runs/phanet-affectnet/weights

Pretrained weights and caveats as in kdef.py. Pose classes come from the landmarks, five yaws; a face whose yaw is
uncertain trains the expression only.
"""

from dataclasses import replace

from mien.models.paper_results import paper_result
from mien.recipes.phanet.kdef import RECIPE as KDEF

PAPER = paper_result("phanet", "affectnet", 7)

RECIPE = replace(
    KDEF,
    name="phanet-affectnet",
    data="affectnet",
    variant="7",
    protocol="official",
    folds=0,
    sampler="balanced",
    poses="five-yaws",
    epochs=20,
    paper_accuracy=PAPER.accuracy,
)
