"""The table of muxspace with each person in one split, for `mien data prepare csv`.

    python -m research.fer.muxspace_people muxspace.zip --out muxspace
    mien data prepare csv muxspace/people.csv --out prepared/muxspace

Unpacks the images. Splits: `research.held_out.muxspace`.
"""

from __future__ import annotations

import argparse
import csv
import zipfile
from pathlib import Path

from research.held_out import muxspace


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    samples = muxspace(options.archive)
    assert samples.subject is not None
    with zipfile.ZipFile(options.archive) as archive:
        archive.extractall(options.out, samples.path.tolist())
    labels = [samples.labels[label] for label in samples.label.tolist()]
    with (options.out / "people.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["path", "label", "split", "subject"])
        table.writerows(zip(samples.path, labels, samples.split, samples.subject, strict=True))


if __name__ == "__main__":
    main()
