"""What a file is, by its first bytes."""

from __future__ import annotations

import re

_KINDS = (  # pattern of the head, ending on the disk
    (rb"\xff\xd8\xff", ".jpg"),
    (rb"\x89PNG\r\n\x1a\n", ".png"),
    (rb"RIFF....WEBP", ".webp"),
    (rb"GIF8[79]a", ".gif"),
    (rb"BM", ".bmp"),
    (rb"II\*\0|MM\0\*|II\+\0|MM\0\+", ".tif"),
    (rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51", ".jp2"),
    (rb"P[56][ \t\r\n]", ".ppm"),
    (rb"....ftypavi[fs]", ".avif"),
    (rb"....ftyp(?:heic|heix|hevc|heim|heis|mif1|msf1)", ".heic"),
    (rb"....(?:ftyp|moov|mdat|free|wide|skip)", ".mp4"),
    (rb"\x1aE\xdf\xa3", ".mkv"),
    (rb"RIFF....AVI ", ".avi"),
    (rb"\x47.{187}\x47|.{4}\x47.{191}\x47", ".mts"),
    (rb"\0\0\x01[\xba\xb3]", ".mpg"),
    (rb"FLV\x01", ".flv"),
    (rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11", ".wmv"),
    (rb"OggS", ".ogv"),
    (rb"\x06\x0e\x2b\x34\x02\x05\x01\x01", ".mxf"),
)
_MATCHES = tuple((re.compile(pattern, re.DOTALL), suffix) for pattern, suffix in _KINDS)
HEAD = 512  # bytes that are enough


def suffix_of(head: bytes) -> str | None:
    """The ending for a file that begins with these bytes; None for what is neither image nor video."""
    return next((suffix for pattern, suffix in _MATCHES if pattern.match(head)), None)
