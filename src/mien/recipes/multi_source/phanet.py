"""PhaNet in its light form on several data sets at once.

    mien train multi_source/phanet --data prepared/ferplus --data prepared/wild7 --data prepared/muxspace \\
        --data prepared/cfee --data prepared/sfew --out runs/multi_source-phanet

Poses are pseudo-labels from the measured head pose; mixed images have none. What all networks
have in common stands in _common.py.
"""

from mien.recipes.multi_source._common import on_all_sources

RECIPE = on_all_sources("phanet", "phanet", landmarks=False, pose_classes="five-yaws")
