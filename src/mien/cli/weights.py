"""`mien weights`."""

from __future__ import annotations

from rich import print_json
from rich.console import Console
from rich.table import Table

from mien.weights.record import load_record, shipped_names


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
    print_json((record.folder / "record.json").read_text(encoding="utf-8"))
