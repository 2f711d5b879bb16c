"""POSTER++ in the comparison: windows of a quarter of each grid's side, as in its light form at 96 pixels.

    mien train comparison/poster_v2 --data prepared/ferplus \\
        --weights-folder runs --out runs/comparison-poster-v2

What all have in common stands in _common.py.
"""

from mien.recipes.comparison._common import same

RECIPE = same("poster_v2", "poster_v2", measured="84.6", landmarks=True, windows=(4, 4, 4))
