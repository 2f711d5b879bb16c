"""`mien data show`: a contact sheet."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.text import Text

from mien.cli.output import counted, writing
from mien.data import data_set
from mien.draw.contact_sheet import class_strips, contact_sheet
from mien.errors import DataError
from mien.media.images import write_picture


def show_command(
    name: str, folder: Path, save: Path, *, variant: str, split: str, per_class: int, seed: int
) -> None:
    """Write the sheet and say how many pictures it shows."""
    record = data_set(name)
    samples = record.samples(folder, variant=variant, skip_broken=True)
    if split:
        samples = samples.of(split)
    if not len(samples):
        raise DataError(f"{folder}: no picture of {name} was found; `mien data check {name} {folder}` says why")
    strips = class_strips(samples, per_class=per_class, seed=seed)
    with writing(save):
        write_picture(contact_sheet(strips, title=f"{record.title}  ·  {counted(len(samples), 'picture')}"), save)
    pictures = [picture for strip in strips for picture in strip.pictures]
    unreadable = sum(picture is None for picture in pictures)
    said = f"{save}: {len(pictures)} of {counted(len(samples), 'picture')}, {len(strips)} classes"
    Console(highlight=False).print(Text(said + f", {unreadable} unreadable" * bool(unreadable)), soft_wrap=True)
