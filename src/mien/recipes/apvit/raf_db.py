"""APViT on RAF-DB as its authors' code trains it (youqingxiaozhua/APViT 9efaf97, configs/apvit/RAF.py).

    mien data prepare raf-db DIR --variant original --template arcface --size 384 --out prepared/raf-db
    mien weights convert backbone_ir50_ms1m_epoch120.pth --to weights/ir50.safetensors
    mien weights convert vit_small_p16_224-15ec54c9.pth --to weights/vit_small.safetensors
    mien train apvit/raf_db --data prepared/raf-db --out runs/apvit-raf-db
    mien evaluate raf-db --data DIR --variant original --weights runs/apvit-raf-db/weights

The first file is face.evoLVe's IR-50, the second timm's first ViT-small. The authors aligned the original images
themselves, to this template; on the set's own aligned ones users report 81 % (issue 9). For these: --variant
aligned --template image --size 100, --set variant=aligned, and evaluation with --no-align. Not as published: the
best epoch is chosen on a tenth of train, not on test.
"""

from mien.models.paper_results import paper_result
from mien.training.optim.schedule import Schedule
from mien.training.recipe import Optimizer, Recipe

PAPER = paper_result("apvit", "raf-db", 7)

RECIPE = Recipe(
    name="apvit-raf-db",
    network="apvit",
    pretrained={"image_backbone": "ir50.safetensors", "": "vit_small.safetensors"},
    data="raf-db",
    variant="original",
    sampler="repeat-factor",
    sampler_strength=0.15,
    augmentation="apvit",
    epochs=40,
    batch=128,
    seed=25235,
    optimizer=Optimizer(
        name="sgd", lr=1e-3, momentum=0.9, weight_decay=5e-4, decay_norm_and_bias=True, grad_clip=10.0
    ),
    schedule=Schedule(name="cosine", per_epoch=True),
    paper=PAPER.source,
    paper_accuracy=PAPER.accuracy,
    hardware="authors' README: 2 GPUs, kind and time not stated; not timed here",
)
