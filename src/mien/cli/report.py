"""`mien report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mien.cli.options import Raw, Table


def report(
    table: Table,
    second: Annotated[
        Path | None, typer.Argument(help="Another table, compared with the first.", show_default=False)
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Where to write the page. Default: TABLE.html beside the table."),
    ] = None,
    group: Annotated[
        str, typer.Option(help="Compare by folder, source or a column that you added. Default: folders of images.")
    ] = "",
    cluster: Annotated[
        str, typer.Option(help="A column of what is resampled together, such as participants. Default: files.")
    ] = "",
    faces: Annotated[int, typer.Option(help="Faces shown per expression; 0: none.", min=0)] = 12,
    most_confident: Annotated[
        bool, typer.Option("--most-confident", help="Show the most confident faces, not random ones.")
    ] = False,
    title: Annotated[str, typer.Option(help="Heading of the page. Default: the name of the table.")] = "",
    raw: Raw = False,
) -> None:
    """Make an HTML page of a prediction table: shares, groups, timelines, faces, quality, unreadable files."""
    from mien.analysis.report import report
    from mien.cli.output import check_output_files, write_text

    page = output or table.with_name(table.name + ".html")
    check_output_files(page, inputs=(table, second))
    made = report(
        table,
        second,
        group=group,
        cluster=cluster,
        faces=faces,
        most_confident=most_confident,
        title=title,
        raw=raw,
    )
    write_text(made.to_html(), page)
    typer.echo(f"report: {page}")
