"""First training stage of the comparison: the bare backbone on FER+, from which all four networks start.

    mien data prepare ferplus DIR --out prepared/ferplus
    mien train comparison/backbone --data prepared/ferplus --out runs/comparison-backbone

MobileFaceNet, the mean of its last map, a linear head. Starts from the image backbone of the package. The next
stage stands in _common.py.
"""

from mien.training.optim.schedule import Schedule
from mien.training.recipe import Optimizer, Recipe

RECIPE = Recipe(
    name="comparison-backbone",
    network="bare_backbone",
    config_name="light",
    model_kwargs={"size_px": 64},
    pretrained={"image_backbone": "default:image_backbone"},
    data="ferplus",
    variant="most-votes",
    protocol="official",
    validation_fraction=0.04,
    sampler="power",
    sampler_strength=0.5,
    augmentation="light-small",
    size_px=64,
    epochs=10,
    batch=64,
    optimizer=Optimizer(
        name="adamw", lr=1e-3, weight_decay=0.05, grad_clip=5.0, lr_multipliers={"image_backbone": 0.6}
    ),
    schedule=Schedule(name="cosine", warmup_epochs=0.5),
    mixup=0.2,
    ema_decay=0.999,
    monitor="last",
    paper="none: the backbone of the comparison",
    hardware="one thread of a server CPU: 40 minutes beside other work",
    measured="not measured alone: the comparison starts from it (docs/models/comparison.md)",
)
