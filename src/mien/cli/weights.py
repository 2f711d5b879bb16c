"""`mien weights`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rich import print_json
from rich.console import Console
from rich.table import Table

from mien.errors import MienError, MissingPackageError, OptionError, UnknownNameError
from mien.labels import label_set
from mien.weights.manifest import WeightsManifest, load_manifest, shipped_names
from mien.weights.verify import verify


def list_command() -> None:
    """Print one line per weights manifest in the package."""
    table = Table("name", "network", "input", "classes", "licence", "measured")
    for name in shipped_names():
        manifest = load_manifest(name)
        table.add_row(
            name,
            manifest.network,
            f"{manifest.inputs.size_px} px {manifest.inputs.channels}",
            manifest.labels or "-",
            manifest.licence,
            "\n".join(f"{key}: {value}" for key, value in manifest.measured.items() if not isinstance(value, dict)),
        )
    Console().print(table)


def show_command(name: str) -> None:
    """Print the manifest as it stands in the file, after checking that its files are whole."""
    manifest = load_manifest(name)
    for file in manifest.files:
        manifest.file(file)
    print_json(manifest.path.read_text(encoding="utf-8"))


def convert_command(
    source: Path,
    target: Path,
    *,
    labels: str | None,
    channels: str | None,
    keep_rates: str | None,
    onnx: bool,
    force: bool,
) -> None:
    """Convert and say what came out."""
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
    written = convert_to(source, target, labels=labels, channels=channels, keep_rates=rates, force=force)
    manifest = add_onnx(written.manifest) if onnx else written.manifest
    _say(f"{source.name} is {written.title}")
    _describe(manifest)


def verify_command(names: Iterable[str]) -> int:
    """One line per check; 0 where none failed, 1 otherwise."""
    failed = False
    for name in list(names) or shipped_names():
        try:
            manifest = load_manifest(name)
            for check in verify(manifest):
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
        _say(f"  classes: {' '.join(label_set(manifest.labels))} ({manifest.labels})")
    if manifest.claimed:
        claimed = f"{manifest.claimed['accuracy']:.2%} on {manifest.claimed['images']}"
        _say(f"  claimed by its authors: {claimed}; not measured by us")
    for hook in manifest.notes:
        _say(f"  hook: {hook}")
    if manifest.labels is not None:
        _say(f"  use: mien predict photo.jpg --weights {manifest.folder / manifest.name}.safetensors")


def _say(line: str) -> None:
    print(line)  # noqa: T201
