"""The comparison's baseline: the trunk, the mean of its last map and a linear head.

    mien train recipes/comparison/plain.py --data prepared/ferplus \\
        --weights-folder runs --out runs/comparison-plain

What all have in common stands in _same.py.
"""

from _same import same

RECIPE = same(
    "plain",
    "phanet",
    measured="85.0",
    landmarks=False,
    attention=False,
    scale_selection=False,
    poses=0,
    dropout=0.2,
)
