"""A CSV of the user's: one line per face, with a header.

Only the image and a label or soft labels are needed; `SET.layout` lists the columns. Labels beyond the eight of
FER+ are classes of the user's own. A row that is wrong is a problem with its line number, a header that is wrong is
the only problem.
"""

from __future__ import annotations

import csv
import posixpath
from collections import Counter
from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np

from mien.datasets.distribution import Distribution
from mien.datasets.info import DatasetInfo
from mien.datasets.readers.own_labels import (
    VARIANTS,
    class_called,
    class_remedy,
    labels_of,
    own_note,
    split_called,
)
from mien.datasets.samples import Collector, Reading
from mien.labels import LabelSet, expression_called
from mien.wording import counted

PATH = ("path", "image", "file", "filename")
LABEL = ("label", "emotion", "expression", "class")
BOX = ("left", "top", "right", "bottom")
POSE = ("yaw_deg", "pitch_deg")
SOFT = "p_"  # before a class: its column of soft labels


@dataclass(frozen=True, kw_only=True)
class Columns:
    """What each used column of a table is called in its header."""

    path: str
    label: str  # "" where there are only votes
    votes: dict[str, str]  # in the header -> class
    labels: LabelSet
    known: dict[str, str]  # split, subject, group, yaw_deg, pitch_deg, left, top, right, bottom -> in the header


class _RowError(Exception):
    """One thing wrong with a line or a header: kind, what, remedy."""


def read(files: Distribution, variant: str) -> Reading:
    """One row per line of the folder's one table, or of the table that the user points at."""
    tables = [files.chosen] if files.chosen else _uppermost(files)
    if len(tables) != 1:
        rows = Collector(VARIANTS[variant], files)
        what = f"{len(tables)} tables: {', '.join(tables[:5])}" if tables else "there is no CSV"
        rows.problem("missing file", str(files), what, "give the path of the CSV itself")
        return rows.done()
    folder, _, name = tables[0].rpartition("/")
    files = Distribution(files.root, prefix=files.prefix + (f"{folder}/" if folder else ""))
    rows = Collector(VARIANTS[variant], files)
    try:
        columns, unused = _columns(files, name, variant)
        rows.labels = columns.labels
        if note := own_note(columns.labels):
            rows.note(note)
        if unused:
            rows.note(f"columns that are not used: {', '.join(unused)}")
        outvoted = 0  # lines whose label is not the class with the most votes
        for number, line in rows.files.rows(name, [columns.path]):
            where = f"{name}:{number}"
            try:
                path, label, more = _row(line, columns, variant)
            except _RowError as wrong:
                rows.problem(wrong.args[0], where, *wrong.args[1:])
            else:
                votes = more.get("votes")
                outvoted += bool(votes is not None and label and votes[columns.labels.index(label)] < votes.max())
                face = " ".join(f"{side:g}" for side in more.get("box", ()))
                rows.add(path, label, where=where, key=f"{path} {face}".rstrip(), **more)
        if outvoted:
            lines = counted(outvoted, "line")
            rows.note(f"in {lines} another class has more votes than the label: the votes train, the label tests")
    except _RowError as wrong:
        rows.problem(wrong.args[0], f"{name}:1", *wrong.args[1:])
    return rows.done()


def _uppermost(files: Distribution) -> list[str]:
    """The tables that lie least deep."""
    tables = [name for name in files.names if name.lower().endswith(".csv")]
    least = min((name.count("/") for name in tables), default=0)
    return [name for name in tables if name.count("/") == least]


def _columns(files: Distribution, name: str, variant: str) -> tuple[Columns, list[str]]:
    """The used columns and the names of the others, from the first line."""
    first = next(iter(files.text(name).splitlines()), "")
    if "," not in first and (other := next((mark for mark in ";\t|" if mark in first), "")):
        raise _RowError("wrong column", f"columns are separated by {other!r}", "save the table with commas")
    header = [column.strip() for column in next(csv.reader([first], skipinitialspace=True), [])]
    called = {column.lower(): column for column in header}
    if twice := [word for word, count in Counter(map(str.lower, filter(None, header))).items() if count > 1]:
        raise _RowError("wrong column", f"two columns are called {twice[0]}", "keep one of them")
    path = next((called[word] for word in PATH if word in called), "")
    word = next((called[word] for word in LABEL if word in called), "")
    labels = VARIANTS[variant] if variant else labels_of(_words(files, name, word, header))
    votes = {column: label for column in header if (label := _soft_label(column, labels))}
    votes = votes if len(votes) > 1 else {}
    columns = f"found {', '.join(header) or 'nothing'}"
    if not path:
        raise _RowError("wrong column", f"no column for the image; {columns}", f"call it {' or '.join(PATH)}")
    if not word and not votes:
        remedy = f"call it {' or '.join(LABEL)}, or have a column of votes for each class"
        raise _RowError("wrong column", f"no column for the class; {columns}", remedy)
    if unknown := [column for column, label in votes.items() if label not in labels]:
        raise _RowError("wrong column", f"votes for {unknown[0]}", class_remedy(unknown[0], variant))
    if len(set(votes.values())) < len(votes):
        raise _RowError("wrong column", f"two columns of votes for one class; {columns}", "keep one of them")
    if 0 < len(set(BOX) & set(called)) < len(BOX):
        raise _RowError("wrong column", f"a box needs {', '.join(BOX)}; {columns}", "add the others")
    known = {word: called[word] for word in ("split", "subject", "group", *POSE, *BOX) if word in called}
    unused = [column for column in header if column not in {path, word, *votes, *known.values()}]
    return Columns(path=path, label=word, votes=votes, labels=labels, known=known), unused


def _words(files: Distribution, name: str, label: str, header: list[str]) -> set[str]:
    """Every word of the label column, and the classes that have a column of soft labels."""
    columns = {
        column.removeprefix(SOFT) for column in header if column.startswith(SOFT) or expression_called(column)
    }
    words = {line[label] for _, line in files.rows(name, [label]) if "\n" not in line[label]} if label else set()
    return words | (columns if len(columns) > 1 else set())


def _soft_label(column: str, labels: LabelSet) -> str | None:
    """The class whose soft labels a column holds: called like the class, or p_ and the class."""
    word = column.removeprefix(SOFT)
    return expression_called(word) or (word.lower() if word.lower() in labels or word != column else None)


def _row(line: dict[str, str], columns: Columns, variant: str) -> tuple[str, str | None, dict[str, Any]]:
    """Path, class and further columns of one line."""
    values = {word: line[column] for word, column in columns.known.items()}
    more: dict[str, Any] = {word: values[word] for word in ("subject", "group") if word in values}
    if values.get("split"):
        more["split"] = split_called(values["split"])
        if more["split"] is None:
            raise _RowError("wrong column", f"split {values['split']!r} is unknown", "it is train, valid or test")
    for word in POSE:
        if values.get(word):
            more[word] = _number(word, values[word], -180, 180)
    sides = [values[word] for word in BOX if values.get(word)]
    if sides:
        if len(sides) < len(BOX):
            raise _RowError("wrong column", "the box is incomplete", f"fill in {', '.join(BOX)}, or none of them")
        more["box"] = np.array([_number(word, values[word], -1e6, 1e6) for word in BOX])
    votes = _votes(line, columns)
    if votes is not None:
        more["votes"] = votes
    return _path(line[columns.path]), _label(line, columns, variant, votes), more


def _path(value: str) -> str:
    """A path below the folder of the table."""
    path = posixpath.normpath(value.replace("\\", "/")) if value else ""
    if not path:
        raise _RowError("wrong column", "there is no path", "name the image, or remove the line")
    if "\n" in value:
        raise _RowError("wrong column", "a quotation mark above swallows lines up to here", "close it or remove it")
    if path.startswith(("/", "../")) or path[1:2] == ":":
        raise _RowError(
            "wrong column", f"{value} is not below the folder of the table", "give paths from that folder"
        )
    return path


def _label(line: dict[str, str], columns: Columns, variant: str, votes: np.ndarray | None) -> str | None:
    """The class of the label column; where that is absent or empty, the one most voted for (None for a tie)."""
    word = line[columns.label] if columns.label else ""
    if word:
        label = class_called(word, columns.labels, variant)
        if label is None:
            raise _RowError("unknown label", f"label {word!r} is unknown", class_remedy(word, variant))
        return label
    if votes is None:
        raise _RowError("unknown label", "there is no label", "fill it in, or remove the line")
    first = np.flatnonzero(votes == votes.max())
    return columns.labels[int(first[0])] if len(first) == 1 else None


def _votes(line: dict[str, str], columns: Columns) -> np.ndarray | None:
    """Votes (classes,) that sum to 1; None where all are empty or 0."""
    votes = np.zeros(len(columns.labels))
    for column, label in columns.votes.items():
        if line[column]:
            votes[columns.labels.index(label)] = _number(column, line[column], 0, 1e9)
    total = votes.sum()
    return votes / total if total > 0 else None


def _number(column: str, value: str, least: float, most: float) -> float:
    try:
        number = float(value)
    except ValueError:
        number = nan
    if not least <= number <= most:
        raise _RowError("wrong column", f"{column} is {value!r}", f"it is a number from {least:g} to {most:g}")
    return number


SET = DatasetInfo(
    name="csv",
    title="CSV table",
    read=read,
    variants=VARIANTS,
    layout=(
        "labels.csv with a header; give its path, or its folder if it holds no other\n"
        f"{', '.join(PATH)}: the image, from the folder of the CSV\n"
        f"{', '.join(LABEL)}: a class by name, or by number with the variant of that order\n"
        "a column per class, called like it or p_bored (two at least): votes or soft labels\n"
        "optional: split, subject, group, yaw_deg, pitch_deg, and left, top, right, bottom of the face in pixels"
    ),
    citation="none",
    licence="Yours.",
    obtain="any table with those columns; labels beyond the eight of FER+ are classes of your own",
    split_rule="the column split, where there is one",
    image_kind="crop",
)
