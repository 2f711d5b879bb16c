"""`mien weights`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rich import print_json
from rich.console import Console
from rich.table import Table

from mien.errors import MienError, MissingPackage, OptionError, UnknownName
from mien.labels import label_set
from mien.weights.record import WeightsRecord, load_record, shipped_names
from mien.weights.verify import verify


def list_command() -> None:
    """Print one line per weights record in the package."""
    table = Table("name", "network", "input", "classes", "licence", "measured")
    for name in shipped_names():
        record = load_record(name)
        table.add_row(
            name,
            record.network,
            f"{record.inputs.size_px} px {record.inputs.channels}",
            record.labels or "-",
            record.licence,
            "\n".join(f"{key}: {value}" for key, value in record.measured.items() if not isinstance(value, dict)),
        )
    Console().print(table)


def show_command(name: str) -> None:
    """Print the record as it stands in the file, after checking that its files are whole."""
    record = load_record(name)
    for file in record.files:
        record.file(file)
    print_json(record.path.read_text(encoding="utf-8"))


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
        from mien.export.onnx import add_onnx, check_exporter
        from mien.weights.convert.write import convert_to
    except ModuleNotFoundError as error:
        raise MissingPackage("Converting a checkpoint", error.name or "torch", "train") from error
    if channels not in {None, "rgb", "bgr"}:
        raise OptionError(f"--channels {channels}: colours are in the order rgb or bgr")
    try:
        rates = None if keep_rates is None else [float(rate) for rate in keep_rates.split(",")]
    except ValueError as error:
        raise OptionError(f"--keep-rates {keep_rates}: give numbers with commas between, 1,1,0.9") from error
    if onnx:
        check_exporter()
    written = convert_to(source, target, labels=labels, channels=channels, keep_rates=rates, force=force)
    record = add_onnx(written.record) if onnx else written.record
    _say(f"{source.name} is {written.title}")
    _describe(record)


def verify_command(names: Iterable[str]) -> int:
    """One line per check; 0 where none failed, 1 otherwise."""
    failed = False
    for name in list(names) or shipped_names():
        try:
            record = load_record(name)
            for check in verify(record):
                word = "ok" if check.passed else "skipped" if check.passed is None else "FAILED"
                _say(f"{word:8}{record.name}: {check.finding}")
                failed |= check.passed is False
        except UnknownName:
            raise
        except MienError as error:
            _say(f"{'FAILED':8}{name}: {error}")
            failed = True
    return int(failed)


def _describe(record: WeightsRecord) -> None:
    for file in record.files:
        _say(f"  {record.folder / file}: {(record.folder / file).stat().st_size / 1e6:.0f} MB")
    _say(f"  {record.path}: its record")
    inputs = record.inputs
    _say(f"  input: {inputs.size_px} px, {inputs.channels}, aligned to {inputs.template!r}")
    if record.labels is not None:
        _say(f"  classes: {' '.join(label_set(record.labels))} ({record.labels})")
    if record.claimed:
        claimed = f"{record.claimed['accuracy']:.2%} on {record.claimed['pictures']}"
        _say(f"  claimed by its authors: {claimed}; not measured by us")
    for note in record.notes:
        _say(f"  note: {note}")
    if record.labels is not None:
        _say(f"  use: mien predict photo.jpg --weights {record.folder / record.name}.safetensors")


def _say(line: str) -> None:
    print(line)  # noqa: T201
