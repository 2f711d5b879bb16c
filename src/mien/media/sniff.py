"""What a file is, by the ending of its name and its first bytes."""

from __future__ import annotations

import os
import re

from PIL import Image

IMAGE_SUFFIXES = frozenset(
    (
        ".jpg .jpeg .jpe .jfif .png .apng .webp .bmp .dib .gif .tif .tiff .ppm .pgm .pbm .pnm .jp2 .j2k .avif "
        ".heic .heif .tga .ico .mpo .qoi"
    ).split()
)
VIDEO_SUFFIXES = frozenset(".mp4 .mov .avi .mkv .webm .m4v .mpg .mpeg .mts .m2ts .wmv .flv .3gp .ogv .mxf".split())
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
    (rb"....(?:ftyp|moov|mdat)|\0...(?:free|wide|skip)", ".mp4"),
    (rb"\x1aE\xdf\xa3", ".mkv"),
    (rb"RIFF....AVI ", ".avi"),
    (rb"(?:\x47.{187}){2}\x47|(?:.{4}\x47.{187}){2}.{4}\x47", ".mts"),  # three packets; text has a G anywhere
    (rb"\0\0\x01[\xba\xb3]", ".mpg"),
    (rb"FLV\x01", ".flv"),
    (rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11", ".wmv"),
    (rb"OggS", ".ogv"),
    (rb"\x06\x0e\x2b\x34\x02\x05\x01\x01", ".mxf"),
)
_MATCHES = tuple((re.compile(pattern, re.DOTALL), suffix) for pattern, suffix in _KINDS)
HEAD = 512  # bytes that are enough
_PNG_HEAD = 64 * 1024  # bytes in which a PNG states that it is animated


def suffix_of(head: bytes) -> str | None:
    """The ending for a file that begins with these bytes; None for what is neither image nor video."""
    return next((suffix for pattern, suffix in _MATCHES if pattern.match(head)), None)


def is_video(path: str) -> bool:
    """Whether a file holds frames over time: by its ending, without a known one by its first bytes, and of images
    that can be animated by their header.
    """
    suffix = os.path.splitext(path)[1].lower()
    if suffix in (".gif", ".webp", ".png", ".apng"):
        return is_animation(path)
    if suffix in IMAGE_SUFFIXES | VIDEO_SUFFIXES:
        return suffix in VIDEO_SUFFIXES
    try:
        return suffix_of(first_bytes(path, HEAD)) in VIDEO_SUFFIXES
    except (OSError, ValueError):
        return False


def is_animation(path: str) -> bool:
    """Whether a GIF, WebP or PNG has more than one frame, by its header; False for what cannot be read."""
    try:
        head = first_bytes(path, _PNG_HEAD)
        if head[:8] == b"\x89PNG\r\n\x1a\n":
            return b"acTL" in head.partition(b"IDAT")[0]
        if head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X":
            return bool(head[20] & 0x02)
        if head[:3] == b"GIF":
            with Image.open(path, formats=("GIF",)) as image:
                return bool(getattr(image, "is_animated", False))
    except Exception:  # what is wrong with it is said when it is read
        return False
    return False


def first_bytes(path: str, count: int) -> bytes:
    """Of a file; none of a pipe or a device, which could wait for ever."""
    if not os.path.isfile(path):
        return b""
    with open(path, "rb") as file:
        return file.read(count)
