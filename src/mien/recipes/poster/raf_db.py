"""POSTER on RAF-DB as its authors' code trains it (zczcwh/POSTER ba2e3e9, train.py).

    mien data prepare raf-db DIR --template image --size 100 --out prepared/raf-db
    mien weights convert ir50.pth --to weights/ir50.safetensors
    mien weights convert mobilefacenet_model_best.pth.tar --to weights/mobilefacenet68.safetensors
    mien train poster/raf_db --data prepared/raf-db --out runs/poster-raf-db
    mien evaluate raf-db --data DIR --weights runs/poster-raf-db/weights --no-align

The two files are those that the authors' code starts from (models/pretrain). As published: images stay BGR; two
GPUs normalise 100 images each; the landmark backbone's numbers are frozen, its batch norms are not; both passes of
SAM move statistics. Not as published: the best epoch is chosen on a tenth of train, not on test, which gave the
authors about 0.3 points.
"""

from mien.models.paper_results import paper_result
from mien.training.optim.losses import Loss
from mien.training.optim.sam import SAMConfig
from mien.training.optim.schedule import Schedule
from mien.training.recipe import Optimizer, Recipe

PAPER = paper_result("poster", "raf-db", 7)

RECIPE = Recipe(
    name="poster-raf-db",
    network="poster",
    pretrained={"image_backbone": "ir50.safetensors", "landmark_backbone": "mobilefacenet68.safetensors:backbone"},
    frozen=("landmark_backbone.",),
    data="raf-db",
    variant="aligned",
    augmentation="poster-raf-db",
    epochs=300,
    batch=200,
    micro_batch=100,
    seed=123,
    optimizer=Optimizer(name="adam", lr=4e-5, weight_decay=0.0),
    schedule=Schedule(name="exponential", gamma=0.98, per_epoch=True),
    loss=Loss(ce_weight=1.0, smoothed_ce_weight=2.0, label_smoothing=0.2),
    sam=SAMConfig(rho=0.05),
    sam_second_pass_statistics=True,
    paper=PAPER.source,
    paper_accuracy=PAPER.accuracy,
    hardware="authors' log: 2 RTX 3090, 1.22 min an epoch, 6.1 h; not timed here",
)
