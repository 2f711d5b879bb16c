"""The comparison's baseline: the backbone, the mean of its last map and a linear head.

    mien train comparison/bare_backbone --data prepared/ferplus \\
        --weights-folder runs --out runs/comparison-bare-backbone

What all have in common stands in _common.py.
"""

from mien.recipes.comparison._common import same

RECIPE = same(
    "bare_backbone",
    "bare_backbone",
    measured="85.0",
    landmarks=False,
    dropout=0.2,
)
