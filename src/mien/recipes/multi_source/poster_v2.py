"""POSTER++ in its light form on several data sets at once.

    mien train multi_source/poster_v2 --data prepared/ferplus --data prepared/wild7 --data prepared/muxspace \\
        --data prepared/cfee --data prepared/sfew --out runs/multi_source-poster-v2

What all networks have in common stands in _common.py.
"""

from mien.recipes.multi_source._common import on_all_sources

RECIPE = on_all_sources("poster-v2", "poster_v2", landmarks=True)
