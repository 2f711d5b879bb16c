"""The bare backbone in its light form on several data sets at once.

    mien train multi_source/bare_backbone --data prepared/ferplus --data prepared/wild7 --data prepared/muxspace \\
        --data prepared/cfee --data prepared/sfew --out runs/multi_source-bare-backbone

What all networks have in common stands in _common.py.
"""

from mien.recipes.multi_source._common import on_all_sources

RECIPE = on_all_sources("bare-backbone", "bare_backbone", landmarks=False)
