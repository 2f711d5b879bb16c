"""The rows that prediction writes: one per face per frame. Their columns are a contract.

Described for users in docs/reference/table.md. Nothing here needs Arrow, which a single photo does not wait for.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from functools import lru_cache
from io import StringIO
from pathlib import Path
from typing import Any

from mien.errors import OptionError, OutputError
from mien.geometry import SIDES
from mien.labels import LabelSet
from mien.results import Face, ImageResult, VideoFrame

TableRow = dict[str, Any]
SUFFIXES = (".parquet", ".csv", ".jsonl", ".xlsx")
DIGITS = {"eye_px": 2, "off_axis_deg": 2} | dict.fromkeys(
    ("sharpness", "light", "contrast", "clipped", "upright"), 4
)


@lru_cache(maxsize=8)
def column_types(labels: LabelSet) -> dict[str, type]:
    """Names and types of the columns for predictions in these classes, in their order."""
    angles = ("yaw_deg", "pitch_deg", "roll_deg")
    return {
        "source": str,
        "frame": int,
        "time_s": float,
        "face": int,
        "track": int,
        **dict.fromkeys((*SIDES, "detection", *angles, *DIGITS), float),
        "flags": str,
        "expression": str,
        "certain": bool,
        "smoothed": str,
        "smoothed_confidence": float,
        "scores_frame": int,
        **{f"p_{label}": float for label in labels},
        "error": str,
    }


def rows_of(result: ImageResult, labels: LabelSet) -> list[TableRow]:
    """The rows of one image or frame: one per face; without a face one whose `face` is null; of an error one."""
    if result.error is not None:
        return [_row(result.source, labels, frame=None, error=result.error)]
    moment = {"frame": result.frame, "time_s": result.time_s} if isinstance(result, VideoFrame) else {}
    return [
        _row(result.source, labels, **moment, face=index, **_values(face, labels))
        for index, face in enumerate(result.faces)
    ] or [_row(result.source, labels, **moment)]


def _row(source: str, labels: LabelSet, **values: Any) -> TableRow:
    return dict.fromkeys(column_types(labels)) | {"source": source, "frame": 0} | values


def _values(face: Face, labels: LabelSet) -> TableRow:
    values: TableRow = {side: _number(getattr(face.box, side), 2) for side in SIDES}
    if face.detection is not None:
        values["detection"] = _number(face.detection, 4)
    if face.pose is not None:
        values |= {name: _number(getattr(face.pose, name), 2) for name in ("yaw_deg", "pitch_deg", "roll_deg")}
    if face.quality is not None:
        values |= {name: _number(getattr(face.quality, name), digits) for name, digits in DIGITS.items()}
        values["flags"] = " ".join(face.quality.flags) or None
    if face.expression is not None:
        values |= {"expression": str(face.expression.top), "certain": face.certain}
        probabilities = zip(labels, _rounded(face.expression.values), strict=True)
        values |= {f"p_{label}": value for label, value in probabilities}
    values |= {"track": face.track, "scores_frame": face.scores_frame}
    if face.smoothed is not None:
        values |= {
            "smoothed": str(face.smoothed.top),
            "smoothed_confidence": _number(face.smoothed.confidence, 6),
        }
    return values


def _number(value: float, digits: int) -> float:
    """A Python float, whatever the user's own detector gave: written the same before and after a resume."""
    return round(float(value), digits)


def _rounded(values: tuple[float, ...]) -> list[float]:
    """Six decimals that still sum to exactly one: the largest takes what rounding down left."""
    millionths = [int(value * 1_000_000) for value in values]
    millionths[values.index(max(values))] += 1_000_000 - sum(millionths)
    return [value / 1_000_000 for value in millionths]


def check_suffix(path: Path) -> None:
    """Raises `OptionError` where the ending names no table format, `OutputError` where the folder is missing."""
    if path.suffix.lower() not in SUFFIXES:
        raise OptionError(
            f"{path}: tables are written as {', '.join(SUFFIXES)}, not {path.suffix or 'without ending'}"
        )
    if path.suffix.lower() == ".xlsx":
        from mien.pipeline.xlsx import check_openpyxl

        check_openpyxl()
    if path.is_dir():
        raise OutputError(f"{path} is a folder; name a file in it")
    if not path.parent.is_dir():
        raise OutputError(f"{path}: the folder {path.parent} does not exist; make it first")


def csv_lines(rows: Iterable[TableRow]) -> Iterator[str]:
    """The lines of a .csv table one by one, for what is not a file."""
    text, names = StringIO(newline=""), list[str]()
    for row in rows:
        writer = csv.DictWriter(text, list(row))
        if not names:
            names = list(row)
            writer.writeheader()
        writer.writerow(row)
        yield text.getvalue()
        text.seek(0)
        text.truncate()
