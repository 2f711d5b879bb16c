"""The images and videos of a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator

from mien.errors import ImageError
from mien.media.sniff import HEAD, IMAGE_SUFFIXES, VIDEO_SUFFIXES, suffix_of


def images_in(folder: str) -> Iterator[str | ImageError]:
    """Every image and video below a folder, sorted; hidden files and folders are left out.

    By the ending of its name; a name without one, by its first bytes.
    Yielded as the errors they are: subfolders that may not be opened, and links to folders elsewhere, which are not
    followed.
    """
    refused: list[ImageError] = []

    def refuse(error: OSError) -> None:
        refused.append(ImageError(str(error.filename), "the folder may not be opened; check its permissions"))

    root = os.path.join(os.path.realpath(folder), "")
    for parent, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = os.path.join(parent, name)
            suffix = os.path.splitext(name)[1].lower() or _suffix_within(path)
            if suffix in IMAGE_SUFFIXES | VIDEO_SUFFIXES and not name.startswith("."):
                yield path
        for path in (os.path.join(parent, name) for name in folders):
            if os.path.islink(path) and not os.path.join(os.path.realpath(path), "").startswith(root):
                refused.append(
                    ImageError(path, "is a link to a folder, which is not followed; name that folder, too")
                )
    yield from refused


def _suffix_within(path: str) -> str | None:
    """The ending that an image without one should have; None for other files. Videos need their ending."""
    if not os.path.isfile(path):  # opening a pipe would wait
        return None
    try:
        with open(path, "rb") as file:
            suffix = suffix_of(file.read(HEAD))
    except OSError:
        return None
    return suffix if suffix in IMAGE_SUFFIXES else None
