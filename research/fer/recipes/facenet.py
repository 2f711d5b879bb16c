"""FaceNet's backbone on several data sets at once, as a teacher of expressions.

    python -m research.fer.facenet facenet_keras.h5 --out teachers/facenet
    mien train research/fer/recipes/facenet.py --data prepared/ferplus --data prepared/wild7 \\
        --out runs/facenet --weights-folder teachers

Its weights teach another network: --set teachers=facenet/weights --weights-folder runs
--set loss.distillation_weight=0.6. What it has in common with other networks stands in
src/mien/recipes/multi_source/_common.py.
"""

from dataclasses import replace

from mien.recipes.multi_source._common import on_all_sources

_COMMON = on_all_sources("facenet", "research.fer.facenet:FaceNetConfig", landmarks=False)

RECIPE = replace(
    _COMMON,
    config_name="published",
    model_kwargs={"size_px": 128},
    pretrained={"image_backbone": "facenet:image_backbone"},
    size_px=128,
    batch=256,
    optimizer=replace(_COMMON.optimizer, lr=5e-4, lr_multipliers={"image_backbone": 0.3}),
    hardware="not timed",
)
