"""Tables of the documents from the manifests of the package: metrics, recall, thresholds, comparison.

    python -m research.fer.report

Rewrites what stands between `<!-- made by research/fer/report.py: TABLE [WEIGHTS] -->` and `<!-- end -->` in
README.md and docs/. Percent; intervals: 95 %, 1,000 bootstrap resamples of people, films or images.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from mien.labels import FERPLUS
from mien.weights.manifest import WeightsManifest, load_manifest
from research.fer.suite import ENTRIES, SUITE

ROOT = Path(__file__).parents[2]
MARK = re.compile(r"(<!-- made by research/fer/report\.py: (\w+) ?([\w-]*) -->\n).*?(<!-- end -->)", re.DOTALL)
NETWORKS = {
    "default": "bare backbone",
    "poster_v2": "POSTER++",
    "poster": "POSTER",
    "apvit": "APViT",
    "phanet": "PhaNet",
}
SHORT = {
    "ferplus": "FER+ validation, deduplicated",
    "muxspace": "muxspace, validation people",
    "cfee": "CFEE, validation people (posed)",
    "wild7": "wild7, validation part (in the wild, classes balanced)",
    "sfew": "SFEW 2.0, held-out films of Train",
    "sfew-val": "SFEW 2.0, Val",
    "muxspace-test": "muxspace, test people",
}


def rows_of(table: Iterable[Iterable[str]]) -> str:
    """Markdown; the first row is the header."""
    header, *body = (list(row) for row in table)
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *body]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def insert(page: Path, script: str, table: str) -> None:
    """Put a table between `<!-- made by SCRIPT -->` and `<!-- end -->` of a page; `KeyError` where these lack."""
    start, end = f"<!-- made by {script} -->\n", "<!-- end -->\n"
    before, begun, rest = page.read_text(encoding="utf-8").partition(start)
    _, ended, after = rest.partition(end)
    if not begun or not ended:
        raise KeyError(f"{page} has no {start.strip()}")
    page.write_text(before + start + "\n" + table + "\n" + end + after, encoding="utf-8")


def percent(share: float | None, interval: list[float] | None = None) -> str:
    """One decimal."""
    if share is None:
        return "none"
    return f"{100 * share:.1f}" + (f" ({100 * interval[0]:.1f} to {100 * interval[1]:.1f})" if interval else "")


def measured(manifest: WeightsManifest, name: str) -> dict[str, Any] | None:
    """The metrics of an entry of the suite."""
    metrics: dict[str, Any] | None = manifest.measured.get(ENTRIES[name].title)
    return metrics


def mean_balanced(manifest: WeightsManifest, half: bool = False) -> float:
    """Of the five sources; `half`: on the evaluation halves."""
    sources = [manifest.measured[ENTRIES[name].title] for name in SUITE]
    if half:
        sources = [source["half that chose nothing"] for source in sources]
    return float(np.mean([source["balanced_accuracy"] for source in sources]))


def metrics_table(weights: str) -> str:
    """Accuracy of every source."""
    manifest = load_manifest(weights)
    table = [["test images", "faces", "accuracy", "balanced accuracy", "calibration error",
              "evaluation half: accuracy", "balanced"]]  # fmt: skip
    for name, title in SHORT.items():
        if (metrics := measured(manifest, name)) is None:
            continue
        half = metrics.get("half that chose nothing")
        intervals = metrics["interval_95"]
        table.append([
            title, f"{metrics['images']:,}",
            f"**{percent(metrics['accuracy'])}** ({percent_range(intervals['accuracy'])})",
            f"{percent(metrics['balanced_accuracy'])} ({percent_range(intervals['balanced_accuracy'])})",
            percent(metrics["ece"]), percent(half["accuracy"]) if half else "all",
            percent(half["balanced_accuracy"]) if half else "all",
        ])  # fmt: skip
    table.append(["mean of the five validation sources", "", "", f"**{percent(mean_balanced(manifest))}**", "", "",
                  percent(mean_balanced(manifest, half=True))])  # fmt: skip
    return rows_of(table)


def percent_range(interval: list[float]) -> str:
    """95 % interval."""
    return f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f}"


def recall(weights: str) -> str:
    """Recall of each class in each source, with the number of faces."""
    manifest = load_manifest(weights)
    there = {name: metrics for name in SHORT if (metrics := measured(manifest, name)) is not None}
    table = [["class", *(SHORT[name].partition(" (")[0] for name in there)]]
    for label in FERPLUS:
        cells = [metrics["recall"].get(str(label)) for metrics in there.values()]
        table.append([str(label), *(f"{100 * cell[0]:.0f} ({cell[1]:,})" if cell else "" for cell in cells)])
    return rows_of(table)


def thresholds(weights: str) -> str:
    """What is certain: coverage and accuracy under "default", source by source; the other thresholds below."""
    manifest = load_manifest(weights)
    stated = manifest.confidence_thresholds["default"]
    table = [["evaluation images", "faces", "coverage", "selective accuracy", "accuracy below the threshold"]]
    for name, title in SHORT.items():
        if (metrics := stated.measured.get(ENTRIES[name].title)) is not None:
            table.append([title, f"{metrics['images']:,}", percent(metrics["coverage"]),
                          percent(metrics["accuracy"], metrics["interval_95"].get("accuracy")),
                          percent(metrics["accuracy_below_threshold"])])  # fmt: skip
    each = ", ".join(f"`{name}` {stated.threshold:.2f}" for name, stated in manifest.confidence_thresholds.items())
    return f"Thresholds: {each}. With the priors `default`:\n\n" + rows_of(table)


def comparison(_: str) -> str:
    """The five networks on the suite."""
    sources = [name for name in SHORT if measured(load_manifest("default"), name) is not None]
    table = [["network", "weights", "mean balanced accuracy", "evaluation half",
              *(SHORT[name].partition(" (")[0].partition(",")[0] + (" Val" if name == "sfew-val" else "")
                + (" test" if name == "muxspace-test" else "") for name in sources)]]  # fmt: skip
    for weights, network in NETWORKS.items():
        manifest = load_manifest(weights)
        each = [measured(manifest, name) for name in sources]
        table.append([network, f"`{weights}`", percent(mean_balanced(manifest)),
                      percent(mean_balanced(manifest, half=True)),
                      *(f"{percent(one['accuracy'])} / {percent(one['balanced_accuracy'])}" if one else "-"
                        for one in each)])  # fmt: skip
    return rows_of(table)


TABLES: dict[str, Callable[[str], str]] = {
    "metrics": metrics_table,
    "recall": recall,
    "thresholds": thresholds,
    "comparison": comparison,
}


def main() -> None:
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        before = page.read_text(encoding="utf-8")
        after = MARK.sub(lambda mark: f"{mark[1]}\n{TABLES[mark[2]](mark[3])}\n{mark[4]}", before)
        if after != before:
            page.write_text(after, encoding="utf-8")
            print(page.relative_to(ROOT))


if __name__ == "__main__":
    main()
