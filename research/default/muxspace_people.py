"""The table of muxspace with its people dealt to train, valid and test, for `mien data prepare csv`.

    python -m research.default.muxspace_people muxspace.zip --out muxspace
    mien data prepare csv muxspace/people.csv --out prepared/muxspace

Unpacks the images. People are told apart by the names of the files; the hash of a name decides, so that people
held out once stay so (`held_out.py`).
"""

from __future__ import annotations

import argparse
import csv
import zipfile
from pathlib import Path

from research.default.prepare import muxspace_rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()

    with zipfile.ZipFile(options.archive) as archive:
        rows = muxspace_rows(archive)
        for row in rows:
            archive.extract(row["name"], options.out)
    with (options.out / "people.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["path", "label", "split", "subject"])
        table.writerows([row["name"], row["label"], row["split"], row["person"]] for row in rows)


if __name__ == "__main__":
    main()
