"""The command line: commands and options are declared in their modules, which load what they call when they run."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from importlib import import_module
from io import TextIOWrapper
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

from mien._version import __version__

COMMANDS = {  # in the order of the help: the module of each, and the function or group in it
    "predict": ("predict", "predict"),
    "explain": ("explain", "explain"),
    "camera": ("camera", "camera"),
    "summary": ("summary", "summary"),
    "plot": ("plot", "plot"),
    "report": ("report", "report"),
    "train": ("train", "train"),
    "evaluate": ("evaluate", "evaluate"),
    "calibrate": ("calibrate", "calibrate"),
    "bench": ("bench", "bench"),
    "export": ("weights", "export_command"),
    "weights": ("weights", "weights_app"),
    "recipes": ("recipes", "recipes_app"),
    "data": ("data", "data_app"),
    "serve": ("serve", "serve_app"),
    "doctor": ("doctor", "doctor"),
}


class _Imported(Mapping[str, Any]):
    """`COMMANDS` as Typer's commands, each imported when it is first asked for."""

    def __getitem__(self, name: str) -> Any:
        return _command(*COMMANDS[name], name)

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


@cache
def _command(module: str, attribute: str, name: str) -> Any:
    """What Typer makes of a function or a group."""
    declared = getattr(import_module(f"mien.cli.{module}"), attribute)
    if isinstance(declared, typer.Typer):
        command: Any = get_group(declared)
    else:
        alone = typer.Typer(add_completion=False)
        alone.command(name)(declared)
        command = get_command(alone)
    command.name = name
    return command


class _Group(TyperGroup):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options | {"commands": None})
        self.commands = _Imported()  # type: ignore[assignment]


app = typer.Typer(
    name="mien",
    cls=_Group,
    help="Facial expression recognition, offline.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def run(arguments: list[str]) -> int:
    """Run one command; a `MienError` becomes one line on stderr. 0 done, 1 failed, 2 wrong usage."""
    from mien.errors import MienError, OptionError
    from mien.media.disk import is_disk_full

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a name the terminal cannot show must not end the run
            stream.reconfigure(errors="backslashreplace")
    try:
        code = app(arguments, standalone_mode=False)
        sys.stdout.flush()
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
        if is_disk_full(error):
            _print_error("the output cannot be written: the disk is full; free some space and run this again")
            with suppress(OSError):  # which would try to write the rest
                sys.stdout.close()
            return 1
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
