"""A record in words: the card of a data set (docs/datasets) and the columns of `mien data list`."""

from __future__ import annotations

from collections.abc import Mapping

from mien.data.check import ALL
from mien.data.record import DataSet

FACES = {
    "crop": "one face, cut out",
    "aligned": "one face, cut out and aligned",
    "photo": "a scene in which faces must be found",
}


def facts(record: DataSet) -> list[str]:
    """What the set states beside labels."""
    stated = {"subjects": record.subjects, "poses": record.poses, "votes": record.votes}
    return [word for word, there in stated.items() if there]


def shows(record: DataSet) -> str:
    """What a picture shows, of the variants that differ as well."""
    others = [f"{FACES[faces]} (variant {variant})" for variant, faces in record.faces_of.items()]
    return "; ".join([FACES[record.faces], *others])


def class_counts(record: DataSet) -> str:
    """How many classes the variants have."""
    counts = sorted({len(labels) for labels in record.variants.values()})
    return " or ".join(map(str, counts)) if len(counts) < 3 else f"{counts[0]} to {counts[-1]}"


def short_licence(record: DataSet) -> str:
    """The first sentence of the licence."""
    return record.licence.split(". ")[0].split("; ")[0].rstrip(".")


def sizes(record: DataSet) -> list[str]:
    """Published pictures per split of the first variant."""
    published = record.published()
    return [f"{split or 'all'} {total(counts):,}" for split, counts in published.items()]


def total(counts: Mapping[str, int]) -> int:
    """All pictures of a split as published."""
    return counts.get(ALL, sum(counts.values()))


def published_rows(record: DataSet) -> list[tuple[str, list[str], list[list[str]]]]:
    """(title, header, rows) of each table of published counts: class by split, the sum last.

    Variants with the same counts share a table.
    """
    tables: dict[str, list[str]] = {}
    made = {}
    for key, published in record.expected.items():
        made[key] = _table(record, key, published)
        tables.setdefault(repr(made[key]), []).append(key)
    return [
        (f"Published pictures ({', '.join(keys)})" if len(tables) > 1 else "Published pictures", *made[keys[0]])
        for keys in tables.values()
    ]


def _table(
    record: DataSet, key: str, published: Mapping[str, Mapping[str, int]]
) -> tuple[list[str], list[list[str]]]:
    splits = list(published)
    labels = [str(label) for label in record.labels(key.split(" ")[0])]
    named = [label for label in [*labels, "no label"] if any(label in published[split] for split in splits)]
    rows = [[label, *(_number(published[split].get(label)) for split in splits)] for label in named]
    rows.append([ALL, *(_number(total(published[split])) for split in splits)])
    return ["class", *(split or "pictures" for split in splits)], rows


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def card(record: DataSet) -> str:
    """The card of a set in Markdown, ending with a line break."""
    lines = [f"# {record.title}", "", f"`{record.name}` on the command line.", ""]
    lines += [
        "| | |",
        "|---|---|",
        f"| paper | {_cell(record.citation)} |",
        f"| licence | {_cell(record.licence)} |",
        f"| obtain | {_cell(record.obtain)} |",
        f"| splits | {_cell(record.split_rule)} |",
        f"| protocol | {record.protocol} |",
        f"| a picture shows | {shows(record)} |",
        f"| states | {', '.join(['labels', *facts(record)])} |",
    ]
    for variant, labels in record.variants.items():
        lines.append(f"| label order{f', variant `{variant}`' if variant else ''} | {', '.join(labels)} |")
    lines += ["", "## What the unpacked folder holds", "", "```", *record.layout.splitlines(), "```"]
    for title, header, rows in published_rows(record):
        lines += ["", f"## {title}", ""]
        lines += [_row(header), _row(["---", *["---:"] * (len(header) - 1)]), *map(_row, rows)]
    if record.known_faults:
        lines += ["", "## Known faults", "", *(f"- {_cell(fault)}" for fault in record.known_faults)]
    option = f" --variant {list(record.variants)[1]}" if len(record.variants) > 1 else ""
    lines += ["", "## Check yours", "", "```", f"mien data check {record.name} DIR", "```"]
    if option:
        lines.insert(-1, f"mien data check {record.name} DIR{option}")
    return "\n".join(lines) + "\n"


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    """One line, with nothing that ends a table's cell."""
    return " ".join(text.split()).replace("|", "\\|")
