"""Evaluate weights under all corruptions and write the tables of docs/models/robustness.md.

python -m research.fer.robustness_page --data ferplus.zip --limit 600

About a second per image on one core. `--report FILE` writes the page from the JSON that
`mien evaluate --corruptions all --json FILE` wrote, and measures nothing.
"""

from __future__ import annotations

import argparse
import json
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

import mien
from mien.evaluation.corruptions import FaceRegion, corrupt, select_corruptions, with_severities
from mien.media.images import read_image
from mien.weights.manifest import load_manifest
from research.fer.report import ROOT, insert

PAGE = ROOT / "docs/models/robustness.md"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="FER+ as it was unpacked")
    parser.add_argument("--weights", default="default")
    parser.add_argument("--limit", type=int, default=600)
    parser.add_argument("--report", type=Path, help="the JSON of an evaluation instead")
    options = parser.parse_args()
    if (options.data is None) == (options.report is None):
        parser.error("give --data or --report")
    if options.report is not None:
        report = json.loads(options.report.read_text(encoding="utf-8"))
    else:
        report = mien.evaluate(
            "ferplus", options.data, weights=options.weights, split="valid", corruptions="all", detect=False,
            exclude_duplicates=True, limit=options.limit, workers=1,
        ).to_dict()  # fmt: skip
    return write(report, options.weights)


def write(report: Mapping[str, Any], weights: str) -> int:
    """Put the tables of an evaluation into the page, and a sheet of the corruptions beside it."""
    sheet().save(PAGE.with_suffix(".jpg"), quality=88)
    insert(PAGE, "research/fer/robustness_page.py", tables(report, weights))
    return 0


def sheet(*, columns: int = 9, side_px: int = 112, line_px: int = 13) -> Image.Image:
    """The face of examples/astronaut.jpg under every corruption."""
    image = read_image(ROOT / "examples/astronaut.jpg")
    face = mien.load(threads=1).predict(image)[0]
    region = FaceRegion.of(image, np.array(face.landmarks))
    shown = [("as it is", image)] + [
        (f"{corruption.name} {severity}".removesuffix(" of face"), worse)
        for corruption, severity in with_severities(select_corruptions("all"))
        for worse in [corrupt(image, corruption, severity, region=region, name="astronaut.jpg")]
    ]
    (x, y), half = region.centre, 0.8 * region.side_px
    box = (round(x - half), round(y - half), round(x + half), round(y + half))
    rows = -(-len(shown) // columns)
    result = Image.new("RGB", (columns * side_px, rows * (side_px + line_px)), "white")
    draw = ImageDraw.Draw(result)
    for i, (name, worse) in enumerate(shown):
        left, top = i % columns * side_px, i // columns * (side_px + line_px)
        result.paste(Image.fromarray(worse).crop(box).resize((side_px, side_px)), (left, top + line_px))
        draw.text((left + 2, top), name, fill="black")
    return result


def tables(report: Mapping[str, Any], weights: str) -> str:
    """What was evaluated, and a row for each corruption and severity, in Markdown."""
    manifest, result, clean = load_manifest(weights), report["robustness"], report["metrics"]
    bound = report["intervals"]["accuracy"]
    settings = report["settings"]
    evaluated = (
        f"Weights `{manifest.name}` ({manifest.identity}), mien {settings['mien']}; {settings['dataset']}, "
        f"split {settings['split']}, {clean['images']} labelled images that are one face each, none with a "
        "near-duplicate in another split."
    )
    summary = (
        f"Clean: accuracy {_share(clean['accuracy'])} ({_share(bound['low'])} to {_share(bound['high'])}), "
        f"balanced accuracy {_share(clean['balanced_accuracy'])}. Mean over corruptions of the mean over "
        f"severities: accuracy **{_share(result['mean_accuracy'])}**, "
        f"balanced accuracy {_share(result['mean_balanced_accuracy'])}."
    )
    lines = [
        textwrap.fill(evaluated, 116),
        "",
        textwrap.fill(summary, 116),
        "",
        "| images | accuracy | change, 95 % | balanced accuracy | change, 95 % |",
        "|---|---:|---:|---:|---:|",
    ]
    for one in result["corruptions"]:
        changes = [_change(one[f"{name}_change"]) for name in ("accuracy", "balanced_accuracy")]
        if not one["altered"]:
            changes = ["same images", ""]
        lines.append(
            f"| {one['corruption']}, {one['severity']} | {_share(one['accuracy'])} | {changes[0]} "
            f"| {_share(one['balanced_accuracy'])} | {changes[1]} |"
        )
    lines += ["", "| head yaw | images | accuracy | 95 % | balanced accuracy |", "|---|---:|---:|---:|---:|"]
    for one in result["yaw_bins"]:
        bound, balanced = one["accuracy"], one["balanced_accuracy"]["value"]
        lines.append(
            f"| {one['range']} | {one['images']} | {_share(bound['value'])} | {_share(bound['low'])} to "
            f"{_share(bound['high'])} | {_share(balanced)} |"
        )
    return "\n".join([*lines, ""])


def _share(value: float) -> str:
    return f"{100 * value:.1f}"


def _change(change: Mapping[str, float]) -> str:
    return f"{100 * change['value']:+.1f} ({100 * change['low']:+.1f} to {100 * change['high']:+.1f})"


if __name__ == "__main__":
    raise SystemExit(main())
