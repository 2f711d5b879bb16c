"""Second leg of the package's weights: on from ferplus_muxspace.py, early layers of the image trunk as they are.

    mien train recipes/poster_v2/ferplus_muxspace_2.py --data prepared/ferplus --also prepared/muxspace \\
        --weights-folder runs --out runs/poster_v2-ferplus-muxspace-2
    python recipes/package_run.py --run runs/poster_v2-ferplus-muxspace-2 --ferplus ferplus.zip --name default
    python recipes/calibrate_expression.py --ferplus ferplus.zip --muxspace muxspace.zip --record
    python recipes/evaluate_default.py --ferplus ferplus.zip --muxspace muxspace.zip --record
"""

from dataclasses import replace

from ferplus_muxspace import RECIPE as FIRST

from mien.train.recipe import Optimiser

EARLY = tuple(f"image_trunk.{part}" for part in ("conv1", "conv2_dw", "conv2_pw", "conv_23", "conv_3."))

RECIPE = replace(
    FIRST,
    name="poster_v2-ferplus-muxspace-2",
    start={"": "poster_v2-ferplus-muxspace/weights"},
    frozen=("landmark_trunk.", *EARLY),
    frozen_statistics=("landmark_trunk", *(part.rstrip(".") for part in EARLY)),
    sampler_strength=0.6,
    epochs=2,
    seed=1,
    optimiser=Optimiser(name="adamw", rate=5e-4, decay=0.05, clip=5.0, shares={"image_trunk": 0.5}),
    hardware="one thread of a server CPU: 40 minutes",
    measured="FER+ validation without repeats 86.0 %: the weights in the package, docs/models/default.md",
)
