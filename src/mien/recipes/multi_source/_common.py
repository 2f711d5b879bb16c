"""What is the same for every network that is trained on several data sets at once (docs/how-to/train.md).

A batch holds a fixed share of each source, in which rare classes are drawn more often (inverse square root of their
frequency). Sources that show only some classes teach these alone. Both backbones start from weights in the package.
The epoch with the best balanced accuracy, averaged over the sources, is kept.

Sets are named after their folders. One that is not named here: --set shares.NAME=4 (of 68). With teachers:
--set teachers=mine,other --set loss.distillation_weight=0.6 --set cached_teachers=true. On a GPU: --set batch=384
--set optimizer.lr=1e-3 --set epochs=20.
"""

from typing import Any

from mien.training.optim.losses import Loss
from mien.training.optim.schedule import Schedule
from mien.training.recipe import Optimizer, Recipe

SHARES = {
    "ferplus": 18.0,
    "wild7": 26.0,
    "muxspace": 6.0,
    "cfee": 6.0,
    "sfew": 3.0,
    "kdef3": 2.0,
    "stock_cdf": 3.0,
    "*": 4.0,
}
KNOWN = {"muxspace": ("neutral", "happiness", "surprise", "sadness", "anger", "disgust")}  # nine faces of contempt


def on_all_sources(name: str, network: str, *, landmarks: bool, pose_classes: str = "", **sizes: Any) -> Recipe:
    """The recipe of one network in its light form; `landmarks`: it has a landmark backbone."""
    frozen = ("landmark_backbone.",) if landmarks else ()
    return Recipe(
        name=f"multi_source-{name}",
        network=network,
        config_name="light",
        model_kwargs={"size_px": 96, **sizes},
        pretrained={
            "image_backbone": "default:image_backbone",
            **({"landmark_backbone": "landmarks68:backbone"} if landmarks else {}),
        },
        frozen=frozen,
        frozen_statistics=("landmark_backbone",) if landmarks else (),
        protocol="cross",  # test parts are not touched
        shares=SHARES,
        known_classes=KNOWN,
        sampler="power",
        sampler_strength=0.5,
        augmentation="multi-source",
        size_px=96,
        poses=pose_classes,
        epochs=6,
        batch=64,
        optimizer=Optimizer(
            name="adamw", lr=4e-4, weight_decay=0.05, grad_clip=5.0, lr_multipliers={"image_backbone": 0.4}
        ),
        schedule=Schedule(name="cosine", warmup_epochs=0.1),
        loss=Loss(ce_weight=0.0, smoothed_ce_weight=1.0, label_smoothing=0.05),
        mixup=0.3,
        mixup_share=0.5,
        ema_decay=0.999,
        precision="auto",
        monitor="balanced_accuracy",
        paper="none: ours",
        hardware="one CPU core with bfloat16: about 25 images a second; a GPU: not timed here",
        measured="not measured: for any sets",
    )
