"""PhaNet across sets: trained on BU-3DFE, tested on KDEF in the six classes that both have.

    mien data prepare bu-3dfe DIR --variant views-6 --out prepared/bu-3dfe
    mien train phanet/bu_3dfe_to_kdef --data prepared/bu-3dfe --out runs/phanet-bu-3dfe-to-kdef
    mien evaluate kdef --data KDEF --weights runs/phanet-bu-3dfe-to-kdef/weights

Pretrained weights and caveats as in kdef.py. The paper gives no accuracy for this pair.
"""

from dataclasses import replace

from mien.recipes.phanet.bu_3dfe import RECIPE as BU_3DFE

RECIPE = replace(
    BU_3DFE,
    name="phanet-bu-3dfe-to-kdef",
    protocol="cross",
    folds=0,
    paper_accuracy=None,
)
