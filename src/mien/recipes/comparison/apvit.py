"""APViT in the comparison: of the 64 patches the same share is kept as of the published 196.

    mien train comparison/apvit --data prepared/ferplus \\
        --weights-folder runs --out runs/comparison-apvit

What all have in common stands in _common.py.
"""

from mien.recipes.comparison._common import same

RECIPE = same("apvit", "apvit", measured="84.2", landmarks=False, keep_patches=52)
