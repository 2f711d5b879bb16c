"""PhaNet on SFEW 2.0, trained on the set itself, with head poses that were measured and not stated.

    mien data prepare sfew DIR --out prepared/sfew
    mien train phanet/sfew --data prepared/sfew --out runs/phanet-sfew
    mien evaluate sfew --data DIR --split valid --weights runs/phanet-sfew/weights

Starting weights and caveats as in kdef.py. The paper's figure is so low that it was probably reached by training on
another set: affectnet_to_sfew.py.
"""

from dataclasses import replace

from mien.models.paper_results import paper_result
from mien.recipes.phanet.affectnet import RECIPE as AFFECTNET

PAPER = paper_result("phanet", "sfew", 7)

RECIPE = replace(
    AFFECTNET,
    name="phanet-sfew",
    data="sfew",
    variant="aligned",
    sampler="shuffle",
    epochs=60,
    paper_accuracy=PAPER.accuracy,
)
