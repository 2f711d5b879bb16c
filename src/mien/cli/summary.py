"""`mien summary`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mien.cli.options import Baseline, Raw, Table


def summary(
    table: Table,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write the summary here: .csv (a row per expression) or .json."),
    ] = None,
    baseline: Baseline = None,
    raw: Raw = False,
) -> None:
    """Summarise a prediction table: seconds and shares per expression, by track, video and folder of images."""
    from mien.analysis.summary import summarize
    from mien.cli.output import check_output_files, write_json, write_rows
    from mien.cli.summary_print import print_summary
    from mien.errors import OptionError

    check_output_files(output, inputs=(table,))
    if output is not None and output.suffix.lower() not in (".csv", ".json"):
        raise OptionError(
            f"{output}: summaries are written as .csv or .json, not {output.suffix or 'without ending'}"
        )
    result = summarize(table, raw=raw, baseline=baseline or ())
    print_summary(result)
    if output is not None and output.suffix.lower() == ".json":
        write_json(result.to_dict(), output)
    elif output is not None:
        write_rows(result.rows(), output)
