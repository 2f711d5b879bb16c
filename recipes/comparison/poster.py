"""POSTER in the comparison.

    mien train recipes/comparison/poster.py --data prepared/ferplus \\
        --weights-folder runs --out runs/comparison-poster

What all have in common stands in _same.py.
"""

from _same import same

RECIPE = same("poster", "poster", measured="84.9", landmarks=True)
