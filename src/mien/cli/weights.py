"""`mien weights`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.options import WEIGHTS
from mien.errors import MienError, MissingPackageError, OptionError, UnknownNameError

if TYPE_CHECKING:
    from mien.weights.manifest import WeightsManifest

weights_app = typer.Typer(help="Weights: those of the package, official files and your own.", no_args_is_help=True)


@weights_app.command("list")
def list_weights() -> None:
    """The weights in the package, with what was measured on them."""
    from rich.console import Console
    from rich.table import Table

    from mien.weights.manifest import load_manifest, shipped_names

    table = Table("name", "network", "input", "classes", "licence", "measured")
    for name in shipped_names():
        manifest = load_manifest(name)
        table.add_row(
            name,
            manifest.network,
            f"{manifest.inputs.size_px} px {manifest.inputs.channels}",
            manifest.labels if isinstance(manifest.labels, str) else ", ".join(manifest.labels or ["-"]),
            manifest.licence,
            "\n".join(f"{key}: {value}" for key, value in manifest.measured.items() if not isinstance(value, dict)),
        )
    Console().print(table)


@weights_app.command("show")
def show(name: Annotated[str, typer.Argument(help=WEIGHTS)] = "default") -> None:
    """The manifest as it stands in the file, after checking that its files are whole."""
    from rich import print_json

    from mien.weights.manifest import load_manifest

    manifest = load_manifest(name)
    for file in manifest.files:
        manifest.file(file)
    print_json(manifest.path.read_text(encoding="utf-8"))


@weights_app.command("convert")
def convert(
    file: Annotated[
        Path,
        typer.Argument(help="Official checkpoint: POSTER, POSTER++, APViT, or a backbone that they start from."),
    ],
    to: Annotated[Path, typer.Option("--to", help="OUT.safetensors; its manifest OUT.json is written beside it.")],
    labels: Annotated[
        str | None,
        typer.Option(
            help="What it was trained on: raf-db, affectnet-7, affectnet-8, ... "
            "POSTER and POSTER++ files do not say, and their class order depends on it."
        ),
    ] = None,
    channels: Annotated[
        str | None,
        typer.Option(help="rgb or bgr, if the training read colours in another order than the authors' code."),
    ] = None,
    keep_rates: Annotated[
        str | None, typer.Option(help="APViT: share of patches that each block keeps, as 1,1,1,1,1,1,0.9,0.9.")
    ] = None,
    onnx: Annotated[
        bool, typer.Option("--onnx", help="Also write OUT.onnx: faster, and prediction needs no torch. Minutes.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
) -> None:
    """An official checkpoint into safetensors and a manifest; nothing in it is run."""
    try:
        from mien.weights.convert.write import convert_to
        from mien.weights.export import add_onnx, check_exporter
    except ModuleNotFoundError as error:
        raise MissingPackageError("Converting a checkpoint", error.name or "torch", "train") from error
    if channels not in {None, "rgb", "bgr"}:
        raise OptionError(f"--channels {channels}: colours are in the order rgb or bgr")
    try:
        rates = None if keep_rates is None else [float(rate) for rate in keep_rates.split(",")]
    except ValueError as error:
        raise OptionError(f"--keep-rates {keep_rates}: give numbers with commas between, 1,1,0.9") from error
    if onnx:
        check_exporter()
    written = convert_to(file, to, labels=labels, channels=channels, keep_rates=rates, force=force)
    manifest = add_onnx(written.manifest) if onnx else written.manifest
    _say(f"{file.name} is {written.title}")
    _describe(manifest)


@weights_app.command("verify")
def verify(
    names: Annotated[list[str] | None, typer.Argument(help=f"{WEIGHTS} Default: all of the package.")] = None,
) -> int:
    """Whether files are whole, fit their network and answer as they should; one line per check."""
    from mien.weights.manifest import load_manifest, shipped_names
    from mien.weights.verify import verify as checks_of

    failed = False
    for name in names or shipped_names():
        try:
            manifest = load_manifest(name)
            for check in checks_of(manifest):
                word = "ok" if check.passed else "skipped" if check.passed is None else "FAILED"
                _say(f"{word:8}{manifest.name}: {check.finding}")
                failed |= check.passed is False
        except UnknownNameError:
            raise
        except MienError as error:
            _say(f"{'FAILED':8}{name}: {error}")
            failed = True
    return int(failed)


def _describe(manifest: WeightsManifest) -> None:
    for file in manifest.files:
        _say(f"  {manifest.folder / file}: {(manifest.folder / file).stat().st_size / 1e6:.0f} MB")
    _say(f"  {manifest.path}: its manifest")
    inputs = manifest.inputs
    _say(f"  input: {inputs.size_px} px, {inputs.channels}, aligned to {inputs.template!r}")
    if manifest.labels is not None:
        _say(f"  classes: {' '.join(manifest.label_set)}")
    if manifest.paper:
        claimed = f"{manifest.paper['accuracy']:.2%} on {manifest.paper['images']}"
        _say(f"  claimed by its authors: {claimed}; not measured by us")
    for hook in manifest.notes:
        _say(f"  hook: {hook}")
    if manifest.labels is not None:
        _say(f"  use: mien predict photo.jpg --weights {manifest.folder / manifest.name}.safetensors")


def _say(line: str) -> None:
    print(line)  # noqa: T201
