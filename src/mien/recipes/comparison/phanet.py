"""PhaNet in the comparison: FER+ states no poses, so it learns pseudo-labels from the measured head pose.

    mien train comparison/phanet --data prepared/ferplus \\
        --weights-folder runs --out runs/comparison-phanet

What all have in common stands in shared.py.
"""

from mien.recipes.comparison.shared import same

RECIPE = same("phanet", "phanet", measured="84.3", landmarks=False, pose_classes="five-yaws")
