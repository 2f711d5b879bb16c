"""`mien data show`: a contact sheet."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.text import Text

from mien.cli.output import counted, writing
from mien.datasets import dataset_info
from mien.draw.contact_sheet import class_strips, contact_sheet
from mien.errors import DataError
from mien.media.images import write_image


def show_command(
    name: str, folder: Path, save: Path, *, variant: str, split: str, per_class: int, seed: int
) -> None:
    """Write the sheet and say how many images it shows."""
    info = dataset_info(name)
    samples = info.samples(folder, variant=variant, skip_broken=True)
    if split:
        samples = samples.of(split)
    if not len(samples):
        raise DataError(f"{folder}: no image of {name} was found; `mien data check {name} {folder}` says why")
    strips = class_strips(samples, per_class=per_class, seed=seed)
    with writing(save):
        write_image(contact_sheet(strips, title=f"{info.title}  ·  {counted(len(samples), 'image')}"), save)
    images = [image for strip in strips for image in strip.images]
    unreadable = sum(image is None for image in images)
    said = f"{save}: {len(images)} of {counted(len(samples), 'image')}, {len(strips)} classes"
    Console(highlight=False).print(Text(said + f", {unreadable} unreadable" * bool(unreadable)), soft_wrap=True)
