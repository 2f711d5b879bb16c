"""Write web/src/constants.ts: what the page shares with the Python package, from the package itself.

python tools/web_constants.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from mien import preprocess, results
from mien.draw import anonymize, palette
from mien.explanation import occlusion
from mien.faces import landmarks, passes, pose, quality, roll, tiling, upright, yunet
from mien.labels import LABEL_SETS, Expression
from mien.media import images
from mien.pipeline import classifier, detectors, rows, table, turns
from mien.tracking import appearance, cuts, smoothing, tracker

FILE = Path(__file__).parents[1] / "web/src/constants.ts"
NOTE = "// Made by tools/web_constants.py from the Python package; edit the package instead.\n"

SHARED: dict[str, tuple[Any, tuple[str, ...]]] = {  # name of the object -> module and its upper-case names
    "RESULTS": (
        results,
        (
            "SMALL_BELOW_PX", "OFF_AXIS_ABOVE_DEG", "BLURRED_BELOW", "DARK_BELOW", "FLAT_BELOW",
            "OVEREXPOSED_ABOVE", "UP_UNKNOWN_BELOW", "FLAGS", "FLAG_REASONS",
        ),
    ),
    "PREPROCESS": (preprocess, ("TEMPLATES", "BOX", "FOREHEAD")),
    "IMAGES": (images, ("MAX_PIXELS", "MAX_BYTES", "MIN_SIDE_PX")),
    "YUNET": (yunet, ("STRIDES", "SIDE_PX")),
    "DETECTORS": (detectors, ("DETECTION_THRESHOLD",)),
    "PASSES": (
        passes,
        (
            "STRIDE_PX", "PADDED_RETRY_PX", "COARSE", "COARSER", "COARSE_TILE_PX", "HINT_SCORE", "HINT_PX",
            "CLEAR_HINT_PX", "MOST_HINTS", "GLIMPSES", "MEGAPIXELS", "GLIMPSE_PX", "GLIMPSE_FACES", "GLIMPSE_SCORE",
        ),
    ),
    "TILING": (tiling, ("OVERLAP", "LEVEL_STEP", "_SLACK_PX")),
    "LANDMARKS": (
        landmarks,
        ("BOX_GROWTH", "BOX_STEPS", "POINT_STEPS", "CLOSE_ROLL_DEG", "CLOSE_SCALE", "CLOSE_SHIFT"),
    ),
    "ROLL": (roll, ("CROP", "BINS", "_HALF_WINDOW", "_BATCH")),
    "UPRIGHT": (
        upright,
        (
            "LOWEST_SCORE", "CLEAR_ROLL", "MIDDLE", "DOUBTFUL_ROLL", "DETECTOR_WEIGHT", "CLEAR_FROM", "_SIDE_PX",
            "_TEMPLATE", "_OFF_CENTRE_PX",
        ),
    ),
    "TURNS": (turns, ("SAME_FACE_IOU", "START_GAIN", "DOUBTFUL_BELOW", "LEAST_GAIN", "SEARCH_PX")),
    "POSE": (pose, ("_POINTS", "_MEAN_FACE")),
    "QUALITY": (quality, ("_LEAST_PX", "_WINDOW", "_CLIPPED", "_YAW_MAX_DEG", "_ROWS", "_COLUMNS")),
    "CLASSIFIER": (classifier, ("BATCH_SIZE",)),
    "SMOOTHING": (smoothing, ("SIGMA_S", "WINDOW_S")),
    "TRACKER": (
        tracker,
        (
            "COASTING_S", "REMEMBERED_S", "REMEMBERED_TRACKS", "FARTHEST", "MIN_SCORE", "LIKE_NEARBY",
            "LIKE_ANYWHERE", "CLEARLY", "_NEWEST", "_VELOCITY",
        ),
    ),
    "APPEARANCE": (appearance, ("_SIDE_PX", "_TEMPLATE", "_HAIR", "_FACE", "_CLOTHES", "_BINS")),
    "CUTS": (cuts, ("CUT_FROM", "CUT_RATIO", "_GRID", "_CELL_PX", "_BINS", "_HISTORY")),
    "OCCLUSION": (occlusion, ("GRID", "WINDOW")),
    "ANONYMIZE": (anonymize, ("CELLS", "MARGIN", "_LEVELS")),
    "TABLE": (rows, ("DIGITS",)),
    "PALETTE": (
        palette,
        (
            "COLOURS", "FREE", "SERIES", "PAPER", "INK", "MUTED", "FAINT", "UNCERTAIN", "FAULT", "ORANGE", "BLUE",
        ),
    ),
}  # fmt: skip


def text() -> str:
    """What the file must hold now."""
    lines = [NOTE]
    for name, (module, names) in SHARED.items():
        values = {one.lstrip("_"): plain(getattr(module, one)) for one in names}
        if name == "QUALITY":
            values["PATCH_PX"] = module.PATCH.size_px
        if name == "TABLE":
            values["COLUMNS"] = [
                column for column in table.schema(LABEL_SETS["ferplus"]).names if column[:2] != "p_"
            ]
        lines.append(f"export const {name} = {{")
        lines += [f"  {key}: {json.dumps(value)}," for key, value in values.items()]
        lines.append("} as const;\n")
    lines.append(f"export const EXPRESSIONS = {json.dumps([str(one) for one in Expression])} as const;\n")
    lines.append("export const LABEL_SETS: Record<string, readonly string[]> = {")
    lines += [f"  {json.dumps(name)}: {json.dumps(list(map(str, labels)))}," for name, labels in LABEL_SETS.items()]
    lines.append("};\n")
    return "\n".join(lines)


def plain(value: Any) -> Any:
    """Arrays as lists, slices as pairs, mappings as dicts."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, tuple) and any(isinstance(one, slice) for one in value):
        return [[one.start, one.stop] for one in value]
    if isinstance(value, (tuple, list)):
        return [plain(one) for one in value]
    if hasattr(value, "items"):
        return {str(key): plain(one) for key, one in value.items()}
    return value


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
