"""POSTER in the comparison.

    mien train comparison/poster --data prepared/ferplus \\
        --weights-folder runs --out runs/comparison-poster

What all have in common stands in _common.py.
"""

from mien.recipes.comparison._common import same

RECIPE = same("poster", "poster", measured="84.9", landmarks=True)
