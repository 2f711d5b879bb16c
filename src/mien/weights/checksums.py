"""The checksums that `torch.save` writes beside every tensor, which `torch.load` does not look at."""

from __future__ import annotations

import zipfile
from pathlib import Path

_BLOCK_BYTES = 1 << 20


def damaged_entry(path: Path) -> str | None:
    """The first entry of a checkpoint whose bytes are not those that were saved; None where all are, or none tells.

    Files in torch's older format, which is no zip, have no checksums, nor have those of a process that turned them
    off: theirs are 0.
    """
    if not zipfile.is_zipfile(path):
        return None
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            if entry.CRC == 0 or entry.compress_type != zipfile.ZIP_STORED:  # torch compresses nothing
                continue
            try:
                with archive.open(entry) as stream:
                    while stream.read(_BLOCK_BYTES):
                        pass
            except (zipfile.BadZipFile, EOFError):
                return entry.filename
    return None
