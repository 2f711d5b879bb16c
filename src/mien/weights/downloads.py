"""What a download, a copy or a clone may leave where weights should be."""

from __future__ import annotations

import zipfile
from pathlib import Path


def no_weights(path: Path) -> str:
    """What the file is instead of weights, and what to do; "" where its first bytes may be those of weights."""
    with path.open("rb") as stream:
        start = stream.read(300)
    if not start:
        return "is empty; copy or download it again"
    if start.startswith(b"version https://git-lfs"):
        return "is a Git LFS pointer, not the weights; run git lfs pull in its clone, or download the file itself"
    if start.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        return "is a web page, not the weights; open it in a browser to see why, and download the file by hand"
    if start.startswith(b"PK\x03\x04") and not zipfile.is_zipfile(path):
        return "is incomplete, its end is missing; copy or download it again"
    if kind := _archive(path, start):
        return f"is a {kind} archive; unpack it and give the file with the weights"
    return ""


def _archive(path: Path, start: bytes) -> str:
    """The kind of an archive around a file; "" for a checkpoint, which may be a zip of its own."""
    if start.startswith(b"PK\x03\x04"):
        try:
            with zipfile.ZipFile(path) as archive:
                return "" if any(name.endswith("data.pkl") for name in archive.namelist()) else "zip"
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
            return ""
    heads = {b"\x1f\x8b": "gzip", b"7z\xbc\xaf": "7z", b"Rar!": "rar", b"\xfd7zXZ": "xz", b"BZh": "bzip2"}
    kinds = [kind for head, kind in heads.items() if start.startswith(head)]
    return kinds[0] if kinds else "tar" if start[257:262] == b"ustar" else ""
