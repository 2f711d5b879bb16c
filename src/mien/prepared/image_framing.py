"""Data sets prepared as they are (template "image"): what can be stored so, and how their faces are framed."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np

from mien.datasets.info import DatasetInfo
from mien.datasets.samples import Samples
from mien.errors import DataError, InputError, OptionError
from mien.faces.framing import Framing
from mien.prepared.concat import ConcatStore
from mien.prepared.face_canvas import CanvasSettings
from mien.prepared.store import PreparedStore
from mien.preprocess import IMAGE

LOOKED_AT = 16  # images whose size tells that of the set


def check_images(info: DatasetInfo, samples: Samples, settings: CanvasSettings) -> None:
    """Raises `OptionError` where faces must be found in the images: these are no faces as they are."""
    if settings.template == IMAGE and settings.detect and not samples.all_boxed:
        raise OptionError(
            f"template {IMAGE!r} stores the images of {info.title} as they are, but faces must be found in them, "
            "and the set states no box of each: take another template, or --no-detect if each image is one face"
        )


def image_notes(samples: Samples, settings: CanvasSettings) -> Iterator[str]:
    """What to know of images that are stored as they are in another size than theirs."""
    size = _size_of_all(samples) if settings.template == IMAGE and samples.box is None else None
    if size is None or size == (settings.canvas_px,) * 2:
        return
    wide, high = size
    if wide != high:
        yield f"the images are {wide} x {high} pixels: they are stretched to squares, later faces in photos alike"
    elif wide % 2 == 0 and 48 <= wide <= 1024:
        yield f"the images are {wide} x {high} pixels: --size {wide} stores them without resizing"


def _size_of_all(samples: Samples) -> tuple[int, int] | None:
    """Width and height of the images, as far as some of them tell; None where they differ."""
    sizes = set()
    for row in np.unique(np.linspace(0, len(samples) - 1, LOOKED_AT).astype(int)).tolist():
        try:
            sizes.add(samples.image(row).shape[1::-1])
        except InputError:
            continue
    return sizes.pop() if len(sizes) == 1 else None


def framing_of(store: PreparedStore | ConcatStore) -> Framing | None:
    """How the images of a store frame their faces; None where no face was detected in any.

    Raises `DataError` where the faces of the store were aligned.
    """
    if (template := store.header.settings["template"]) != IMAGE:
        raise DataError(
            f"{store.folder} was prepared with the template {template!r}, which aligns faces: the set's own "
            f"framing is that of mien data prepare --template {IMAGE}"
        )
    landmarks = store.column("landmarks")
    if landmarks is None:
        raise DataError(f"{store.folder} has no column 'landmarks'; prepare the set again")
    return Framing.of(landmarks, store.detected, store.canvas_px, title=store.title, aspect=store.column("aspect"))


def stated_framing(folder: str | os.PathLike[str]) -> Framing:
    """`framing_of` a prepared folder; raises `DataError` where no face was detected in it."""
    if (framing := framing_of(PreparedStore(folder))) is None:
        raise DataError(f"{folder}: no face was detected in any image, so how the set frames faces is not known")
    return framing
