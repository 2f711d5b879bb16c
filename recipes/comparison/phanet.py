"""PhaNet in the comparison: FER+ states no poses, so it learns pseudo-labels from the measured head pose.

    mien train recipes/comparison/phanet.py --data prepared/ferplus \\
        --weights-folder runs --out runs/comparison-phanet

What all have in common stands in _same.py.
"""

from _same import same

RECIPE = same("phanet", "phanet", measured="84.3", landmarks=False, pose_classes="five-yaws")
