"""PhaNet across sets: trained on AffectNet, tested on SFEW 2.0.

    mien data prepare affectnet DIR --variant 7 --out prepared/affectnet-7
    mien train phanet/affectnet_to_sfew --data prepared/affectnet-7 --out runs/phanet-affectnet-to-sfew
    mien evaluate sfew --data SFEW --weights runs/phanet-affectnet-to-sfew/weights

Pretrained weights and caveats as in kdef.py. Any pair of sets works alike; classes are matched by name. The
accuracy is the paper's for SFEW; that it was measured across sets is our guess.
"""

from dataclasses import replace

from mien.models.paper_results import paper_result
from mien.recipes.phanet.affectnet import RECIPE as AFFECTNET

PAPER = paper_result("phanet", "sfew", 7)

RECIPE = replace(
    AFFECTNET,
    name="phanet-affectnet-to-sfew",
    protocol="cross",
    paper_accuracy=PAPER.accuracy,
)
