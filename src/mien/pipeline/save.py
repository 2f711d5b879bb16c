"""Annotated images and their faces as JSON, in a tree like that of the sources."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mien.draw.faces import DRAWN, annotate
from mien.errors import ImageError, OutputError
from mien.media.atomic import atomic_write
from mien.media.disk import check_folder, disk_full, is_disk_full
from mien.media.file_state import file_state, unchanged
from mien.media.images import write_image
from mien.media.outputs import is_output
from mien.media.resume import differences
from mien.results import Face, ImageResult


class Saver:
    """Saves below `folder`: `NAME.jpg` (or .png) with the faces marked, and `NAME.jpg.json`.

    `draw`, `anonymize`: as `mien.annotate`.

    Images below a folder that was given keep their path below it; where several folders or files were
    given, each keeps the name of its folder. Raises `OutputError` before anything is read where an
    image would be overwritten or two would get one name. `settings`: what decides the predictions; images
    that were saved with the same and have not changed since need no other prediction, but where `overwrite`.
    """

    def __init__(
        self,
        folder: Path,
        given: Iterable[str],
        sources: Iterable[str],
        *,
        draw: Sequence[str] = DRAWN,
        anonymize: str | None = None,
        settings: Mapping[str, Any],
        overwrite: bool = False,
    ) -> None:
        self.folder, self._draw, self._anonymize = folder, tuple(draw), anonymize
        self.settings = dict(settings) | {"draw": list(draw), "anonymize": anonymize}
        self.overwrite = overwrite
        self._targets = targets_below(folder, given, sources)

    def done(self, source: str) -> bool:
        """Whether an earlier run has saved this source."""
        return self._json(source).exists()

    def earlier(self, source: str, name: str) -> ImageResult | None:
        """What an earlier run with the same settings saved of this source as it is now; `name`: of the result."""
        if self.overwrite or not self._targets[source].exists():
            return None
        try:
            saved = json.loads(self._json(source).read_bytes())
            if differences(saved["settings"], self.settings) or not unchanged(source, saved["file"]):
                return None
            faces = tuple(Face.from_dict(face) for face in saved["faces"])
            return ImageResult(name, faces, frames=saved["frames"])
        except (OSError, ValueError, LookupError, TypeError):  # not saved, or by an earlier version
            return None

    def save(self, source: str, image: np.ndarray, faces: list[Face], *, frames: int = 1) -> None:
        """Write both files; raises OSError where that fails, `OutputError` where the disk is full."""
        try:
            self._save(source, image, faces, frames)
        except OSError as error:
            if not is_disk_full(error):
                raise
            raise disk_full(self.folder) from error

    def _save(self, source: str, image: np.ndarray, faces: list[Face], frames: int) -> None:
        target, state = self._targets[source], file_state(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        drawn = annotate(image, faces, draw=self._draw, anonymize=self._anonymize)
        write_image(drawn, target, is_output=True)
        values = {
            "source": source, "faces": [face.to_dict() for face in faces], "frames": frames, "file": state,
            "settings": self.settings,
        }  # fmt: skip
        atomic_write(self._json(source), json.dumps(values, default=str).encode() + b"\n")

    def _json(self, source: str) -> Path:
        target = self._targets[source]
        return target.with_name(target.name + ".json")


def without_outputs(items: Iterable[str | ImageError]) -> list[str | ImageError]:
    """What is in a folder but for what earlier runs drew of it there, unless this is all there is.

    It would count beside the images and videos that it was made from.
    """
    everything = list(items)
    others = [item for item in everything if isinstance(item, ImageError) or not is_output(item)]
    return others or everything


def targets_below(folder: Path, given: Iterable[str], sources: Iterable[str]) -> dict[str, Path]:
    """Source -> the image it becomes below a folder, which is made: see `Saver`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: the folder for images cannot be made ({error.strerror})") from error
    check_folder(folder, folder)
    roots = [os.path.normpath(path) for path in given]
    folders = sorted((root for root in roots if os.path.isdir(root)), key=len, reverse=True)
    targets: dict[str, Path] = {}
    taken: dict[Path, str] = {}
    for source in sources:
        path = os.path.normpath(source)
        root = next((root for root in folders if path.startswith(root + os.sep)), os.path.dirname(path))
        below = Path(os.path.relpath(path, root or "."))
        if len(roots) > 1 and len(folders) > 0:
            below = Path(os.path.basename(os.path.abspath(root))) / below
        target = folder / below
        if target.suffix.lower() not in (".jpg", ".jpeg", ".png"):
            target = target.with_name(target.name + ".png")
        if target in taken:
            raise OutputError(f"{source} and {taken[target]} would both be saved as {target}; save them apart")
        if os.path.exists(target) and os.path.exists(source) and os.path.samefile(target, source):
            raise OutputError(f"{folder} holds {source} itself, which would be overwritten; save elsewhere")
        taken[target] = source
        targets[source] = target
    return targets
