"""Images that are rows of a table of numbers: `fer2013.csv` and `icml_face_data.csv`.

An image is called `fer2013.csv#123`, data row 123 counted from 0 as FER+ counts them. The table is looked through
once for where each row starts; an image is then read by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mien.datasets.distribution import Distribution
from mien.datasets.samples import Collector, Reading
from mien.errors import ImageError

TABLES = ("fer2013.csv", "icml_face_data.csv")  # emotion,pixels,Usage and emotion, Usage, pixels
USAGE_SPLITS = {"Training": "train", "PublicTest": "valid", "PrivateTest": "test"}
SIDE_PX = 48


@dataclass(frozen=True, eq=False)
class PixelRows:
    """Reads one row as an image; what `Samples.decode` is for these tables. Travels between processes."""

    starts: np.ndarray  # (rows,) of each row in the file, bytes
    column: int  # that holds the pixels

    def __call__(self, files: Distribution, path: str) -> np.ndarray:
        """RGB uint8 (48, 48, 3) of `table.csv#row`; raises `ImageError` that names it."""
        table, _, row = path.partition("#")
        with files.open(table) as file:
            file.seek(self.starts[int(row)])
            fields = file.readline().split(b",")
        values = fields[self.column].strip(b'" \r\n').split() if self.column < len(fields) else []
        try:
            grey = np.frombuffer(bytes(map(int, values)), dtype=np.uint8)
        except ValueError:
            raise ImageError(path, "holds something else than numbers from 0 to 255; get the table again") from None
        if grey.size != SIDE_PX**2:
            raise ImageError(path, f"has {grey.size} pixels instead of {SIDE_PX} x {SIDE_PX}; get the table again")
        return np.repeat(grey.reshape(SIDE_PX, SIDE_PX, 1), 3, axis=2)


def find_table(files: Distribution) -> tuple[Distribution, str] | None:
    """The part of the distribution that holds such a table, and the table's name."""
    for table in TABLES:
        if (root := files.holding(table)) is not None:
            return root, table
    return None


def read_table(rows: Collector, table: str) -> tuple[PixelRows, list[tuple[int, str, str]]] | None:
    """What decodes the images, and (line, emotion, usage) of every row; None, and a problem, where that fails.

    A line that is no row of the table (cut off, a strange Usage) is a problem and stands as (line, "", "").
    """
    if rows.files.zipped:
        rows.problem(
            "missing file", table, "a table of images cannot be read inside a zip archive", f"unpack {table}"
        )
        return None
    starts: list[int] = []
    rows_read: list[tuple[int, str, str]] = []
    with rows.files.open(table) as file:
        header = [name.strip(' "\r\n') for name in file.readline().decode("utf-8-sig", "replace").split(",")]
        lower = [name.lower() for name in header]
        if absent := {"emotion", "pixels", "usage"} - set(lower):
            what = f"column {', '.join(sorted(absent))} is missing; found {', '.join(header)}"
            rows.problem("wrong column", f"{table}:1", what, "get fer2013.csv of the challenge's own archive")
            return None
        emotion, usage = lower.index("emotion"), lower.index("usage")
        start = file.tell()
        for number, line in enumerate(file, start=2):
            fields = [field.strip(b'" \r\n').decode("ascii", "replace") for field in line.split(b",")]
            if len(fields) == len(header) and fields[usage] in USAGE_SPLITS:
                rows_read.append((number, fields[emotion], fields[usage]))
                starts.append(start)
            elif line.strip():
                what = f"{line[:40].decode('ascii', 'replace').strip()!r}... is no row of {', '.join(header)}"
                rows.problem("wrong column", f"{table}:{number}", what, "get the table again")
                rows_read.append((number, "", ""))
                starts.append(start)
            start += len(line)
    return PixelRows(np.array(starts, dtype=np.int64), lower.index("pixels")), rows_read


def read_labelled(rows: Collector, table: str) -> Reading:
    """The whole table as a set: its emotions are numbers of the collector's classes, its Usage the split."""
    if (content := read_table(rows, table)) is None:
        return rows.done()
    pixels, lines = content
    known = [str(i) for i in range(len(rows.labels))]
    for row, (number, emotion, usage) in enumerate(lines):
        if not usage:
            continue  # already a problem
        if emotion in known:
            rows.add(
                f"{table}#{row}", rows.labels[int(emotion)], where=f"{table}:{number}", split=USAGE_SPLITS[usage]
            )
        else:
            rows.label_problem(f"{table}:{number}", emotion, known)
    return rows.done(decode=pixels)
