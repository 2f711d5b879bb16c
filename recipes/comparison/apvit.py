"""APViT in the comparison: of the 64 patches the same share is kept as of the published 196.

    mien train recipes/comparison/apvit.py --data prepared/ferplus \\
        --weights-folder runs --out runs/comparison-apvit

What all have in common stands in _same.py.
"""

from _same import same

RECIPE = same("apvit", "apvit", measured="84.2", landmarks=False, keep_patches=52)
