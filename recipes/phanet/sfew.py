"""PhaNet on SFEW 2.0, trained on the set itself, with head poses that were measured and not stated.

    mien data prepare sfew DIR --out prepared/sfew
    mien train recipes/phanet/sfew.py --data prepared/sfew --out runs/phanet-sfew
    mien evaluate sfew --data DIR --split valid --weights runs/phanet-sfew/weights

Starting weights and caveats as in kdef.py. The paper's figure is so low that it was probably reached by training on
another set: affectnet_to_sfew.py.
"""

from dataclasses import replace

from affectnet import RECIPE as AFFECTNET

from mien.models.published import published

FIGURE = published("phanet", "sfew", 7)

RECIPE = replace(
    AFFECTNET,
    name="phanet-sfew",
    data="sfew",
    variant="aligned",
    sampler="shuffle",
    epochs=60,
    published=FIGURE.accuracy,
)
