"""APViT in its light form on several data sets at once.

    mien train multi_source/apvit --data prepared/ferplus --data prepared/wild7 --data prepared/muxspace \\
        --data prepared/cfee --data prepared/sfew --out runs/multi_source-apvit

Of the 144 patches the same share is kept as of the published 196. What all networks have in common stands in
_common.py.
"""

from mien.recipes.multi_source._common import on_all_sources

RECIPE = on_all_sources("apvit", "apvit", landmarks=False, keep_patches=118)
