"""The command line: commands and options are declared in their modules, which load what they call when they run."""

from __future__ import annotations

import sys
from io import TextIOWrapper
from typing import Annotated

import typer

from mien._version import __version__
from mien.cli.bench import bench
from mien.cli.calibrate import calibrate
from mien.cli.camera import camera
from mien.cli.data import data_app
from mien.cli.doctor import doctor
from mien.cli.evaluate import evaluate
from mien.cli.explain import explain
from mien.cli.plot import plot
from mien.cli.predict import predict
from mien.cli.recipes import recipes_app
from mien.cli.report import report
from mien.cli.serve import serve_app
from mien.cli.summary import summary
from mien.cli.train import train
from mien.cli.weights import export_command, weights_app

app = typer.Typer(
    name="mien",
    help="Facial expression recognition, offline.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def run(arguments: list[str]) -> int:
    """Run one command; a `MienError` becomes one line on stderr. 0 done, 1 failed, 2 wrong usage."""
    from mien.errors import MienError, OptionError

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a name the terminal cannot show must not end the run
            stream.reconfigure(errors="backslashreplace")
    try:
        code = app(arguments, standalone_mode=False)
    except MienError as error:
        _print_error(str(error))
        return 2 if isinstance(error, OptionError) else 1
    except (KeyboardInterrupt, typer.Abort):
        code = _INTERRUPTED
    except typer.Exit as stop:
        code = stop.exit_code
    except BrokenPipeError:  # `mien ... | head`
        sys.stderr.close()
        return 1
    except Exception as error:
        if not hasattr(error, "exit_code") or not hasattr(error, "show"):
            raise
        error.show()  # wrong usage, in Typer's words
        return int(error.exit_code)
    if code == _INTERRUPTED:
        _print_error("interrupted; what is finished is kept, repeat the command to resume")
        return 1
    return code if isinstance(code, int) else 0


_INTERRUPTED = 130  # Typer's code for Ctrl-C


def _print_error(line: str) -> None:
    print(f"mien: {line}", file=sys.stderr)  # noqa: T201


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mien {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


for command in (predict, explain, camera, summary, plot, report, train, evaluate, calibrate, bench):
    app.command()(command)
app.command("export")(export_command)
app.add_typer(weights_app, name="weights")
app.add_typer(recipes_app, name="recipes")
app.add_typer(data_app, name="data")
app.add_typer(serve_app, name="serve")
app.command()(doctor)
