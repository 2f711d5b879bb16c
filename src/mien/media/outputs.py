"""Which images and videos are drawn of others: folders are predicted without them."""

from __future__ import annotations

import os

from mien.errors import MienError
from mien.media.marking import MARK
from mien.media.sniff import VIDEO_SUFFIXES, first_bytes
from mien.media.video import open_container

_HEAD = 4096  # bytes of an image that hold its mark


def is_output(path: str) -> bool:
    """Whether the metadata of an image or video have the mark; False for what cannot be read."""
    try:
        if os.path.splitext(path)[1].lower() in VIDEO_SUFFIXES:
            with open_container(path) as container:
                return MARK in container.metadata.values()
        return MARK.encode() in first_bytes(path, _HEAD)
    except (MienError, OSError, ValueError):
        return False
