"""`mien serve`."""

from __future__ import annotations

from typing import Annotated

import typer

from mien.errors import MissingPackageError

serve_app = typer.Typer(
    help="Predict over HTTP, with a page at /.", invoke_without_command=True, no_args_is_help=False
)


@serve_app.callback()
def serve(
    context: typer.Context,
    host: Annotated[
        str, typer.Option(help="Address to listen on; beyond loopback tokens are needed.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8000,
    weights: Annotated[
        list[str] | None,
        typer.Option(
            help="Weights that clients may choose, repeatable; the first is the default.", show_default=False
        ),
    ] = None,
) -> int:
    """Predict over HTTP: POST /v1/predict, jobs for videos and many images, a page at /."""
    if context.invoked_subcommand is not None:
        return 0
    try:
        import uvicorn

        from mien.service.app import create_app
        from mien.service.logs import write_to_stderr
    except ModuleNotFoundError as error:
        raise MissingPackageError("mien serve", error.name or "a package", "serve") from error
    from mien.service.settings import ServiceSettings

    settings = ServiceSettings(host=host, port=port, weights=tuple(weights or ("default",)))
    write_to_stderr("info")
    uvicorn.run(create_app(settings), host=host, port=port, access_log=False, server_header=False, log_config=None)
    return 0
