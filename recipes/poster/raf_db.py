"""POSTER on RAF-DB as its authors' code trains it (zczcwh/POSTER ba2e3e9, train.py).

    mien data prepare raf-db DIR --out prepared/raf-db
    mien weights convert ir50.pth --to weights/ir50.safetensors
    mien weights convert mobilefacenet_model_best.pth.tar --to weights/mobilefacenet68.safetensors
    mien train recipes/poster/raf_db.py --data prepared/raf-db --out runs/poster-raf-db
    mien evaluate raf-db --data DIR --weights runs/poster-raf-db/weights

The two files are those that the authors' code starts from (models/pretrain). As published: pictures stay BGR; two
GPUs normalise 100 pictures each; the landmark trunk's numbers are frozen, its batch norms are not; both passes of
SAM move statistics. Not as published: the best epoch is chosen on a tenth of train, not on test, which gave the
authors about 0.3 points.
"""

from mien.models.published import published
from mien.train.losses import Loss
from mien.train.recipe import Optimiser, Recipe
from mien.train.schedule import Schedule
from mien.train.sharpness import Sharpness

FIGURE = published("poster", "raf-db", 7)

RECIPE = Recipe(
    name="poster-raf-db",
    network="poster",
    start={"image_trunk": "ir50.safetensors", "landmark_trunk": "mobilefacenet68.safetensors:trunk"},
    frozen=("landmark_trunk.",),
    data="raf-db",
    variant="aligned",
    augmentation="poster-raf-db",
    epochs=300,
    batch=200,
    part=100,
    seed=123,
    optimiser=Optimiser(name="adam", rate=4e-5, decay=0.0),
    schedule=Schedule(curve="exponential", gamma=0.98, per_epoch=True),
    loss=Loss(plain=1.0, smoothed=2.0, smoothing=0.2),
    sharpness=Sharpness(rho=0.05),
    second_statistics=True,
    paper=FIGURE.source,
    published=FIGURE.accuracy,
    hardware="authors' log: 2 RTX 3090, 1.22 min an epoch, 6.1 h; not timed here",
)
