"""PhaNet in the comparison: FER+ states no poses, so the measured head pose gives pseudo-labels.

    mien train comparison/phanet --data prepared/ferplus \\
        --weights-folder runs --out runs/comparison-phanet

What all have in common stands in _common.py.
"""

from mien.recipes.comparison._common import same

RECIPE = same("phanet", "phanet", measured="84.3", landmarks=False, pose_classes="five-yaws")
