"""`mien data show`: a contact sheet."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.text import Text

from mien.cli.output import writing
from mien.draw.contact_sheet import contact_sheet, dataset_strips
from mien.media.images import write_image


def show_command(
    name: str, folder: Path, save: Path, *, variant: str, split: str, per_class: int, seed: int
) -> None:
    """Write the sheet and print how many images it shows."""
    strips, title = dataset_strips(name, folder, variant=variant, split=split, per_class=per_class, seed=seed)
    with writing(save):
        write_image(contact_sheet(strips, title=title), save)
    images = [image for strip in strips for image in strip.images]
    unreadable = sum(image is None for image in images)
    text = f"{save}: {len(images)} of {title.rpartition('  ')[2]}, {len(strips)} classes"
    Console(highlight=False).print(Text(text + f", {unreadable} unreadable" * bool(unreadable)), soft_wrap=True)
