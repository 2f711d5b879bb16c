"""POSTER++ in its light form on FER+: the votes of ten people each, from the weights in the package.

    mien data prepare ferplus DIR --out prepared/ferplus
    mien train poster_v2/ferplus --data prepared/ferplus --out runs/poster_v2-ferplus
    mien evaluate ferplus --data DIR --split valid --weights runs/poster_v2-ferplus/weights

The epoch is chosen on the validation part, so its figure flatters; judge on test. The authors published no code for
this set. From fresh weights instead: --from-scratch --set optimizer.lr=1e-3 --set epochs=60.
"""

from dataclasses import replace

from mien.recipes.poster_v2.light import RECIPE as LIGHT

RECIPE = replace(
    LIGHT,
    name="poster_v2-ferplus",
    pretrained={"": "default"},
    data="ferplus",
    variant="most-votes",
    protocol="official",
    measured="not measured: no run of thirty epochs yet",
)
