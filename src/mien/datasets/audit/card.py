"""A `DatasetInfo` in words: the card of a data set (docs/datasets) and the columns of `mien data list`."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

from mien.datasets.audit.check import ALL
from mien.datasets.info import DatasetInfo

IMAGE_KINDS = {
    "crop": "one face, cut out",
    "aligned": "one face, cut out and aligned",
    "photo": "a scene in which faces must be found",
}


OWN = "Yours."  # licence of a table or folder of the user's, which may have classes of its own


def facts(info: DatasetInfo) -> list[str]:
    """What the set states beside labels."""
    stated = {"subjects": info.subjects, "poses": info.poses, "votes": info.votes}
    return [word for word, there in stated.items() if there]


def image_kinds(info: DatasetInfo) -> str:
    """What an image shows, of the variants that differ as well."""
    others = [f"{IMAGE_KINDS[kind]} (variant {variant})" for variant, kind in info.image_kinds.items()]
    return "; ".join([IMAGE_KINDS[info.image_kind], *others])


def short_title(info: DatasetInfo) -> str:
    """The title without its expansion: "JAFFE" of "JAFFE, Japanese Female Facial Expression"."""
    return info.title.partition(",")[0].partition(" of ")[0]


def class_counts(info: DatasetInfo) -> str:
    """How many classes the variants have."""
    if info.licence == OWN:
        return "any"
    counts = sorted({len(labels) for labels in info.variants.values()})
    return " or ".join(map(str, counts)) if len(counts) < 3 else f"{counts[0]} to {counts[-1]}"


def short_licence(info: DatasetInfo) -> str:
    """The first sentence of the licence."""
    return info.licence.split(". ")[0].split("; ")[0].rstrip(".")


def sizes(info: DatasetInfo) -> list[str]:
    """Published images per split of the first variant."""
    published = info.published()
    return [f"{split or 'all'} {total(counts):,}" for split, counts in published.items()]


def total(counts: Mapping[str, int]) -> int:
    """All images of a split as published."""
    return counts.get(ALL, sum(counts.values()))


def published_rows(info: DatasetInfo) -> list[tuple[str, list[str], list[list[str]]]]:
    """(title, header, rows) of each table of published counts: class by split, the sum last.

    Variants with the same counts share a table.
    """
    tables: dict[str, list[str]] = {}
    made = {}
    for key, published in info.expected.items():
        made[key] = _table(info, key, published)
        tables.setdefault(repr(made[key]), []).append(key)
    return [
        (f"Published images ({', '.join(keys)})" if len(tables) > 1 else "Published images", *made[keys[0]])
        for keys in tables.values()
    ]


def _table(
    info: DatasetInfo, key: str, published: Mapping[str, Mapping[str, int]]
) -> tuple[list[str], list[list[str]]]:
    splits = list(published)
    labels = [str(label) for label in info.labels(key.split(" ")[0])]
    named = [label for label in [*labels, "no label"] if any(label in published[split] for split in splits)]
    rows = [[label, *(_number(published[split].get(label)) for split in splits)] for label in named]
    rows.append([ALL, *(_number(total(published[split])) for split in splits)])
    return ["class", *(split or "images" for split in splits)], rows


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def card(info: DatasetInfo) -> str:
    """The card of a set in Markdown, ending with a line break."""
    lines = [f"# {info.title}", "", f"`{info.name}` on the command line.", ""]
    lines += [
        "| | |",
        "|---|---|",
        f"| paper | {_cell(info.citation)} |",
        f"| licence | {_cell(info.licence)} |",
        f"| obtain | {_cell(info.obtain)} |",
        f"| splits | {_cell(info.split_rule)} |",
        f"| protocol | {info.protocol} |",
        f"| an image shows | {image_kinds(info)} |",
        f"| states | {', '.join(['labels', *facts(info)])} |",
    ]
    for variant, labels in info.variants.items():
        lines.append(f"| label order{f', variant `{variant}`' if variant else ''} | {', '.join(labels)} |")
    lines += ["", "## What the unpacked folder holds", "", "```", *info.layout.splitlines(), "```"]
    for title, header, rows in published_rows(info):
        lines += ["", f"## {title}", ""]
        lines += [_row(header), _row(["---", *["---:"] * (len(header) - 1)]), *map(_row, rows)]
    if info.known_faults:
        lines += ["", "## Known faults", "", *map(_item, info.known_faults)]
    option = f" --variant {list(info.variants)[1]}" if len(info.variants) > 1 else ""
    lines += ["", "## Check yours", "", "```", f"mien data check {info.name} DIR", "```"]
    if option:
        lines.insert(-1, f"mien data check {info.name} DIR{option}")
    return "\n".join(lines) + "\n"


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _item(text: str) -> str:
    """An entry of a list, wrapped."""
    return textwrap.fill(f"- {_cell(text)}", 116, subsequent_indent="  ", break_on_hyphens=False)


def _cell(text: str) -> str:
    """One line, with nothing that ends a table's cell."""
    return " ".join(text.split()).replace("|", "\\|")
