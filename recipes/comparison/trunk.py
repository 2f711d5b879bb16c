"""First leg of the comparison: the plain trunk learns FER+ before any of the four networks is put on it.

    mien data prepare ferplus DIR --out prepared/ferplus
    mien train recipes/comparison/trunk.py --data prepared/ferplus --out runs/comparison-trunk

MobileFaceNet, the mean of its last map, a linear head: PhaNet with nothing of PhaNet. Starts from the image trunk
of the package. What follows stands in _same.py.
"""

from mien.train.recipe import Optimiser, Recipe
from mien.train.schedule import Schedule

RECIPE = Recipe(
    name="comparison-trunk",
    network="phanet",
    form="light",
    changes={"attention": False, "scale_selection": False, "poses": 0, "size_px": 64, "dropout": 0.2},
    start={"image_trunk": "default:image_trunk"},
    data="ferplus",
    variant="most-votes",
    protocol="official",
    held_out=0.04,
    sampler="power",
    sampler_strength=0.5,
    augmentation="light-small",
    size_px=64,
    epochs=10,
    batch=64,
    optimiser=Optimiser(name="adamw", rate=1e-3, decay=0.05, clip=5.0, shares={"image_trunk": 0.6}),
    schedule=Schedule(curve="cosine", warmup_epochs=0.5),
    mixup=0.2,
    average=0.999,
    best="last",
    paper="none: the trunk of the comparison",
    hardware="one thread of a server CPU: 40 minutes beside other work",
    measured="not measured alone: it starts the comparison (docs/models/comparison.md)",
)
