"""Annotated images and their faces as JSON, in a tree like that of the sources."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from mien.draw.faces import DRAWN, annotate
from mien.errors import OutputError
from mien.media.atomic import atomic_write
from mien.media.images import write_image
from mien.results import Face


class Saver:
    """Saves below `folder`: `NAME.jpg` (or .png) with the faces marked (`draw`, `anonymize`: as `mien.annotate`), and `NAME.jpg.json`.

    Images below a folder that was given keep their path below it; where several folders or files were
    given, each keeps the name of its folder. Raises `OutputError` before anything is read where an
    image would be overwritten or two would get one name.
    """

    def __init__(
        self,
        folder: Path,
        given: Iterable[str],
        sources: Iterable[str],
        *,
        draw: Sequence[str] = DRAWN,
        anonymize: str | None = None,
    ) -> None:
        self.folder, self._draw, self._anonymize = folder, tuple(draw), anonymize
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{folder}: the folder for images cannot be made ({error.strerror})") from error
        roots = [os.path.normpath(path) for path in given]
        folders = sorted((root for root in roots if os.path.isdir(root)), key=len, reverse=True)
        self._targets: dict[str, Path] = {}
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
            self._targets[source] = target

    def done(self, source: str) -> bool:
        """Whether an earlier run has saved this source."""
        return self._json(source).exists()

    def save(self, source: str, image: np.ndarray, faces: list[Face]) -> None:
        """Write both files; raises OSError where that fails."""
        target = self._targets[source]
        target.parent.mkdir(parents=True, exist_ok=True)
        write_image(annotate(image, faces, draw=self._draw, anonymize=self._anonymize), target)
        text = json.dumps({"source": source, "faces": [face.to_dict() for face in faces]})
        atomic_write(self._json(source), text.encode() + b"\n")

    def _json(self, source: str) -> Path:
        target = self._targets[source]
        return target.with_name(target.name + ".json")
