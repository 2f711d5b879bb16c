"""`mien serve` and `mien serve token`."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mien.cli.options import weights_names
from mien.errors import MissingPackageError, OptionError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

serve_app = typer.Typer(help="Predict over HTTP, with a page at /.", invoke_without_command=True)
token_app = typer.Typer(help="Bearer tokens of the service.", no_args_is_help=True)
serve_app.add_typer(token_app, name="token")

LIMITS = "Limits"
JOBS = "Jobs"
Data = Annotated[
    Path, typer.Option(envvar="MIEN_DATA", help="Folder of jobs and of the default database.", show_envvar=False)
]
Database = Annotated[
    str | None,
    typer.Option(
        envvar="MIEN_DATABASE",
        help="URL of the database, as postgresql://user@host/name; better in $MIEN_DATABASE. Default: SQLite in "
        "--data.",
        show_envvar=False,
    ),
]


@serve_app.callback()
def serve(
    context: typer.Context,
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 for every one, which needs tokens.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8000,
    auth: Annotated[
        bool | None,
        typer.Option(
            "--auth/--no-auth",
            help="Require tokens. Default: unless --host is loopback; otherwise they are always required.",
        ),
    ] = None,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option(help="Name under which the service is reached, repeatable; others are refused."),
    ] = None,
    data: Data = Path("mien-service"),
    database: Database = None,
    weights: Annotated[
        list[str] | None,
        typer.Option(
            help="Weights that clients may choose, repeatable; the first is the default.",
            autocompletion=weights_names,
        ),
    ] = None,
    detector: Annotated[
        str, typer.Option(help="yunet-slim, or centerface, which takes ten times as long.")
    ] = "yunet-slim",
    allow_urls: Annotated[
        bool, typer.Option("--allow-urls", help="Fetch images by their address, from public addresses only.")
    ] = False,
    workers: Annotated[
        int, typer.Option(min=0, help="Images processed at a time; 0: one per core.", rich_help_panel=LIMITS)
    ] = 0,
    batch_size: Annotated[int, typer.Option(min=1, help="Images predicted together.", rich_help_panel=LIMITS)] = 8,
    batch_wait_ms: Annotated[
        float,
        typer.Option(
            min=0, help="Longest wait of a batch for further requests, in milliseconds.", rich_help_panel=LIMITS
        ),
    ] = 3.0,
    queue: Annotated[
        int, typer.Option(min=0, help="Length of the queue; further requests get 429.", rich_help_panel=LIMITS)
    ] = 64,
    timeout: Annotated[
        float,
        typer.Option(help="Longest time in the queue, and pause of a sender, in seconds.", rich_help_panel=LIMITS),
    ] = 30.0,
    max_mib: Annotated[float, typer.Option(help="Size of one image in MiB.", rich_help_panel=LIMITS)] = 32.0,
    max_megapixels: Annotated[
        float, typer.Option(help="Size of one image in megapixels.", rich_help_panel=LIMITS)
    ] = 50.0,
    max_search_megapixels: Annotated[
        float,
        typer.Option(
            help="Size of an image that is searched for small faces at full resolution, the most expensive work.",
            rich_help_panel=LIMITS,
        ),
    ] = 16.0,
    max_pending_mib: Annotated[
        float, typer.Option(help="Size of all images in memory, in MiB.", rich_help_panel=LIMITS)
    ] = 256.0,
    max_connections: Annotated[
        int, typer.Option(min=1, help="Open connections at a time.", rich_help_panel=LIMITS)
    ] = 1024,
    client_share: Annotated[
        float,
        typer.Option(
            help="Share of the queue, of the images in memory and of the unfinished jobs that one token may take.",
            rich_help_panel=LIMITS,
        ),
    ] = 0.5,
    jobs: Annotated[int, typer.Option(min=1, help="Unfinished jobs at a time.", rich_help_panel=JOBS)] = 100,
    job_files: Annotated[int, typer.Option(min=1, help="Files per job.", rich_help_panel=JOBS)] = 1000,
    job_mib: Annotated[
        float, typer.Option(help="Size of the files of one job in MiB.", rich_help_panel=JOBS)
    ] = 2048.0,
    jobs_mib: Annotated[
        float, typer.Option(help="Size of the files of all unfinished jobs in MiB.", rich_help_panel=JOBS)
    ] = 20480.0,
    keep_hours: Annotated[
        float, typer.Option(help="Hours until the result of a finished job expires.", rich_help_panel=JOBS)
    ] = 24.0,
    log_level: Annotated[
        Literal["info", "warning", "error"], typer.Option(help="Lowest level of log lines that are written.")
    ] = "info",
) -> int:
    """Predict over HTTP: POST /v1/predict, jobs for videos and many images, a page at /. Ctrl-C ends it."""
    if context.invoked_subcommand is not None:
        return 0
    with _installed():
        from mien.service.logs import write_to_stderr
        from mien.service.server import serve as run
    from mien.service.settings import ServiceSettings, is_loopback

    settings = ServiceSettings(
        host=host, port=port, auth=not is_loopback(host) if auth is None else auth,
        allowed_hosts=tuple(allowed_host or ()), data=data, database=database,
        weights=tuple(weights or ("default",)), detector=detector, allow_urls=allow_urls, workers=workers,
        batch_size=batch_size, batch_wait_ms=batch_wait_ms, queue=queue, timeout_s=timeout, max_mib=max_mib,
        max_megapixels=max_megapixels, max_search_megapixels=max_search_megapixels,
        max_pending_mib=max_pending_mib, max_connections=max_connections, client_share=client_share, jobs=jobs,
        job_files=job_files, job_mib=job_mib, jobs_mib=jobs_mib, keep_hours=keep_hours,
    )  # fmt: skip
    write_to_stderr(log_level)

    def ready(port: int) -> None:
        if sys.stdout.isatty():
            shown = f"[{host}]" if ":" in host else host
            typer.echo(f"http://{shown}:{port}   Ctrl-C ends it")

    run(settings, ready=ready)
    return 0


@token_app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="A name for it: who uses the token.")],
    data: Data = Path("mien-service"),
    database: Database = None,
) -> None:
    """Create a token and show it once; only its hash is stored."""
    with _database(data, database, create=True) as engine:
        from mien.service.tokens import add_token

        typer.echo(add_token(engine, name))


@token_app.command("list")
def list_command(data: Data = Path("mien-service"), database: Database = None) -> None:
    """List tokens by id, without their secret."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    with _database(data, database) as engine:
        from mien.service.tokens import list_tokens

        table = Table("id", "name", "made", "revoked", box=box.SIMPLE_HEAD, pad_edge=False)
        for token in list_tokens(engine):
            table.add_row(token.id, token.name, _day(token.created), _day(token.revoked))
    Console().print(table)


@token_app.command("revoke")
def revoke(
    token_id: Annotated[str, typer.Argument(help="Id of the token (mien serve token list).")],
    data: Data = Path("mien-service"),
    database: Database = None,
) -> None:
    """Revoke a token, also in a running service; its jobs are cancelled and their results removed."""
    with _database(data, database) as engine:
        from mien.service.tokens import revoke_token

        typer.echo(f"{revoke_token(engine, token_id).name}: revoked")


@contextmanager
def _installed() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingPackageError("mien serve", error.name or "a package", "serve") from error


@contextmanager
def _database(data: Path, database: str | None, *, create: bool = False) -> Iterator[Engine]:
    """The database of a service; in `data` it must be there already unless `create`."""
    with _installed():
        from mien.service.database import open_database
    from mien.media.disk import plain_disk_errors
    from mien.service.settings import ServiceSettings

    settings = ServiceSettings(data=data, database=database)
    if database is None and not create and not settings.database_file.is_file():
        raise OptionError(f"{data} is no folder of mien serve; name that of the service with --data")
    if database is None:
        with plain_disk_errors(data, option="--data"):
            data.mkdir(parents=True, exist_ok=True, mode=0o700)
            data.chmod(0o700)
    engine = open_database(settings.database_url)
    try:
        yield engine
    finally:
        engine.dispose()


def _day(moment: float | None) -> str:
    return "" if moment is None else datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M UTC")
