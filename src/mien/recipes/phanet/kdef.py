"""PhaNet on KDEF: expression and pose together, ten folds over subjects.

    mien data prepare kdef DIR --out prepared/kdef
    mien weights convert densenet121-a639ec97.pth --to weights/densenet121.safetensors
    for fold in 0 1 2 3 4 5 6 7 8 9; do
        mien train phanet/kdef --data prepared/kdef --fold $fold --out runs/phanet-kdef/$fold
    done
    mien evaluate kdef --data DIR --weights 'runs/phanet-kdef/{fold}/weights'

The file is torchvision's DenseNet-121. Nothing of the paper's training is published; all settings are ours, and its
accuracy is the mean over poses under a protocol we do not know (docs/differences.md).
"""

from mien.models.paper_results import paper_result
from mien.training.optim.schedule import Schedule
from mien.training.recipe import Optimizer, Recipe

PAPER = paper_result("phanet", "kdef", 7)

RECIPE = Recipe(
    name="phanet-kdef",
    network="phanet",
    pretrained={"image_backbone": "densenet121.safetensors"},
    data="kdef",
    protocol="subject-folds",
    folds=10,
    augmentation="phanet",
    poses="kdef",
    epochs=60,
    batch=64,
    optimizer=Optimizer(name="sgd", lr=0.01, momentum=0.9, nesterov=True, weight_decay=1e-4),
    schedule=Schedule(name="cosine", warmup_epochs=5.0),
    paper=PAPER.source,
    paper_accuracy=PAPER.accuracy,
    hardware="not published; not timed here",
)
