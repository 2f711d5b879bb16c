"""PhaNet on SFEW 2.0, trained on the set itself, with measured head poses.

    mien data prepare sfew DIR --out prepared/sfew
    mien train phanet/sfew --data prepared/sfew --out runs/phanet-sfew
    mien evaluate sfew --data DIR --weights runs/phanet-sfew/weights

Pretrained weights and caveats as in kdef.py. The paper's accuracy is so low that it was probably reached by
training on another set: affectnet_to_sfew.py. The set's validation part is the test set, a tenth of train is for
validation.
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
