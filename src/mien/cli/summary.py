"""`mien summary`."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Annotated

import typer

from mien.cli.options import Baseline, Raw, Table


def summary(
    table: Table,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Write the summary here: .csv or .xlsx (a row per expression) or .json."
        ),
    ] = None,
    wide: Annotated[
        bool, typer.Option("--wide", help="One row per unit in --output, a column per value and expression (SPSS).")
    ] = False,
    segments: Annotated[
        Path | None,
        typer.Option(
            help="Table of parts to sum up: source, any of track, from_s, to_s, and columns of yours (participant)."
        ),
    ] = None,
    episodes: Annotated[
        Path | None,
        typer.Option(help="Write when each expression of each track begins and ends: .csv, .xlsx or .json."),
    ] = None,
    baseline: Baseline = None,
    raw: Raw = False,
) -> None:
    """Summarise a prediction table: seconds and shares per expression, by track, video and folder of images."""
    from mien.analysis.episodes import Episode
    from mien.analysis.episodes import episodes as episodes_of
    from mien.analysis.summary import summarize
    from mien.cli.output import check_output_files, check_rows_file, write_json, write_rows
    from mien.cli.summary_print import print_summary
    from mien.errors import OptionError

    check_output_files(output, episodes, inputs=(table, segments))
    for path, what in ((output, "summaries"), (episodes, "episodes")):
        check_rows_file(path, what)
    if wide and (output is None or output.suffix.lower() == ".json"):
        raise OptionError("--wide is of a table; give an --output in .csv or .xlsx")
    result = summarize(table, raw=raw, baseline=baseline or (), segments=segments)
    print_summary(result)
    if output is not None and output.suffix.lower() == ".json":
        write_json(result.to_dict(), output)
    elif output is not None:
        write_rows(result.rows(wide=wide), output)
    if episodes is not None:
        rows = [one.to_dict() for one in episodes_of(table, raw=raw)]
        if episodes.suffix.lower() == ".json":
            write_json(rows, episodes)
        else:
            write_rows(rows, episodes, columns=[field.name for field in fields(Episode)])
