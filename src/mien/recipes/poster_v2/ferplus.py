"""POSTER++ in its light form on FER+: trained on the votes of ten annotators, from the weights in the package.

    mien data prepare ferplus DIR --out prepared/ferplus
    mien train poster_v2/ferplus --data prepared/ferplus --out runs/poster_v2-ferplus
    mien evaluate ferplus --data DIR --weights runs/poster_v2-ferplus/weights

The epoch is chosen on the validation set, so its accuracy is optimistic; the test set's is not. The authors
published no code for this set. From random weights instead: --from-scratch --set optimizer.lr=1e-3 --set epochs=60.
"""

from dataclasses import replace

from mien.recipes.poster_v2.light import RECIPE as LIGHT_RECIPE

RECIPE = replace(
    LIGHT_RECIPE,
    name="poster_v2-ferplus",
    pretrained={"": "poster_v2"},
    data="ferplus",
    variant="most-votes",
    protocol="official",
    measured="not measured: no run of thirty epochs yet",
)
