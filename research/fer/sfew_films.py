"""The table of SFEW 2.0 Train with the held-out films in the split "valid", for `mien data prepare csv`.

    python -m research.fer.sfew_films sfew.zip --out sfew
    mien data prepare csv sfew/films.csv --out prepared/sfew

Unpacks the images. Held out: `research.fer.suite.sfew_films`; Val, on which papers report, is left out.
"""

from __future__ import annotations

import argparse
import csv
import zipfile
from pathlib import Path

from mien.datasets import dataset_info
from research.fer.suite import sfew_films


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    with zipfile.ZipFile(options.archive) as archive:
        archive.extractall(options.out)
    samples = dataset_info("sfew").samples(options.archive).of("train")
    held_out = set(sfew_films(options.archive).path.tolist())
    assert samples.group is not None
    with (options.out / "films.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["path", "label", "split", "group"])
        for path, label, film in zip(
            samples.path.tolist(), samples.label.tolist(), samples.group.tolist(), strict=True
        ):
            split = "valid" if path in held_out else "train"
            table.writerow([path, str(samples.labels[label]), split, film])


if __name__ == "__main__":
    main()
