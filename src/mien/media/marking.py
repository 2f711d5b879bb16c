"""The mark in the metadata of images and videos that are drawn of others."""

from __future__ import annotations

from functools import cache

from PIL import Image

MARK = "mien: drawn of another image, video or table"
_SOFTWARE = 0x0131  # tag of EXIF


@cache
def marked_exif() -> bytes:
    """EXIF with the mark, for images."""
    exif = Image.Exif()
    exif[_SOFTWARE] = MARK
    return exif.tobytes()
