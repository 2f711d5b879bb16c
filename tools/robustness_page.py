"""Measure weights under blur, noise, masks, ... and write the tables of docs/models/robustness.md.

python tools/robustness_page.py --data ferplus.zip --limit 600

About a second an image on one core. `--report REPORT.json` writes the page from what `mien evaluate --under all
--json REPORT.json` found, and measures nothing.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

import mien
from mien.cli.app import run
from mien.evaluation.corruptions import FaceRegion, corrupt, select_corruptions, with_severities
from mien.media.images import read_image
from mien.weights.manifest import load_manifest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/models/robustness.md"
START, END = "<!-- made by tools/robustness_page.py -->\n", "<!-- end -->\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="FER+ as it was unpacked")
    parser.add_argument("--weights", default="default")
    parser.add_argument("--limit", type=int, default=600)
    parser.add_argument("--report", type=Path, help="a finished report instead")
    options = parser.parse_args()
    if (options.data is None) == (options.report is None):
        parser.error("give --data or --report")
    if options.report is not None:
        return write(options.report, options.weights)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        arguments = ["--data", str(options.data), "--weights", options.weights, "--limit", str(options.limit)]
        chosen = ["--split", "valid", "--crops", "--no-duplicates", "--under", "all", "--jobs", "1"]
        code = run(["evaluate", "ferplus", *arguments, *chosen, "--json", str(report)])
        return code or write(report, options.weights)


def write(report: Path, weights: str) -> int:
    """Put the tables of a report into the page, and show what the versions look like."""
    sheet().save(PAGE.with_suffix(".jpg"), quality=88)
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(START)
    text = tables(json.loads(report.read_text(encoding="utf-8")), weights)
    PAGE.write_text(before + START + "\n" + text + "\n" + END + rest.partition(END)[2], encoding="utf-8")
    return 0


def sheet(*, columns: int = 9, side_px: int = 112, line_px: int = 13) -> Image.Image:
    """The face of examples/astronaut.jpg in every version."""
    image = read_image(ROOT / "examples/astronaut.jpg")
    face = mien.load(threads=1).predict(image)[0]
    place = FaceRegion.of(image, np.array(face.landmarks))
    shown = [("as it is", image)] + [
        (f"{corruption.name} {severity}".removesuffix(" of face"), worse)
        for corruption, severity in with_severities(select_corruptions("all"))
        for worse in [corrupt(image, corruption, severity, region=place, name="astronaut.jpg")]
    ]
    (x, y), half = place.centre, 0.8 * place.side_px
    box = tuple(round(side) for side in (x - half, y - half, x + half, y + half))
    rows = -(-len(shown) // columns)
    found = Image.new("RGB", (columns * side_px, rows * (side_px + line_px)), "white")
    draw = ImageDraw.Draw(found)
    for i, (name, worse) in enumerate(shown):
        left, top = i % columns * side_px, i // columns * (side_px + line_px)
        found.paste(Image.fromarray(worse).crop(box).resize((side_px, side_px)), (left, top + line_px))
        draw.text((left + 2, top), name, fill="black")
    return found


def tables(report: Mapping[str, Any], weights: str) -> str:
    """What was judged, and a row for each version, in Markdown."""
    manifest, found, clean = load_manifest(weights), report["robustness"], report["figures"]
    sha256 = next(sha for name, sha in sorted(manifest.files.items(), reverse=True))
    bound = report["intervals"]["accuracy"]
    lines = [
        f"Weights `{manifest.name}` ({sha256[:8]}), mien {report['of']['mien']}; {report['of']['set']}, split "
        f"{report['of']['split']}, {clean['images']} labelled images that are one face each, none with a "
        "near-duplicate in another split.",
        "",
        f"Clean: accuracy {_share(clean['accuracy'])} ({_share(bound['low'])} to {_share(bound['high'])}), "
        f"balanced accuracy {_share(clean['balanced_accuracy'])}. Mean over kinds of the mean over strengths: accuracy "
        f"**{_share(found['mean_accuracy'])}**, balanced accuracy {_share(found['mean_balanced_accuracy'])}.",
        "",
        "| images | accuracy | change, 95 % | balanced accuracy | change, 95 % |",
        "|---|---:|---:|---:|---:|",
    ]
    for one in found["versions"]:
        changes = [_change(one[f"{name}_change"]) for name in ("accuracy", "balanced_accuracy")]
        if not one["altered"]:
            changes = ["same images", ""]
        lines.append(
            f"| {one['kind']}, {one['strength']} | {_share(one['accuracy'])} | {changes[0]} "
            f"| {_share(one['balanced_accuracy'])} | {changes[1]} |"
        )
    lines += ["", "| head turned | images | accuracy | 95 % | balanced accuracy |", "|---|---:|---:|---:|---:|"]
    for one in found["turned"]:
        bound = one["accuracy_interval"]
        lines.append(
            f"| {one['yaw']} | {one['images']} | {_share(one['accuracy'])} | {_share(bound['low'])} to "
            f"{_share(bound['high'])} | {_share(one['balanced_accuracy'])} |"
        )
    return "\n".join([*lines, ""])


def _share(value: float) -> str:
    return f"{100 * value:.1f}"


def _change(change: Mapping[str, float]) -> str:
    return f"{100 * change['value']:+.1f} ({100 * change['low']:+.1f} to {100 * change['high']:+.1f})"


if __name__ == "__main__":
    raise SystemExit(main())
