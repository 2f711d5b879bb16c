"""An overlay of each predicted face in a file of its own."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mien.errors import OptionError
from mien.explanation.explain import Explainer
from mien.explanation.maps import check_methods
from mien.explanation.overlay import face_overlay
from mien.media.images import read_image, write_image
from mien.pipeline.recognizer import Recognizer
from mien.pipeline.save import targets_below
from mien.results import ImageResult


class FaceOverlays:
    """Writes `NAME.jpg.face0.png` and so on below `folder`, in a tree like that of the sources.

    `method`: one of `METHODS`. Raises before anything is predicted as `mien.explain` and `Saver` do.
    """

    def __init__(
        self, recognizer: Recognizer, method: str, folder: Path, given: Iterable[str], sources: Iterable[str]
    ) -> None:
        methods = check_methods(method)
        if len(methods) != 1:
            raise OptionError(
                f"an overlay shows one method, not {len(methods)}; mien explain --sheet shows several"
            )
        self._explainer = Explainer(recognizer, methods, curves=False)
        self._targets = targets_below(folder, given, sources)

    def write(self, result: ImageResult) -> list[Path]:
        """The overlays of an image's faces, largest first; none for a result with an error."""
        target = self._targets.get(result.source)
        if result.error is not None or target is None or not result.faces:
            return []
        image, written = read_image(result.source), []
        target.parent.mkdir(parents=True, exist_ok=True)
        for one in self._explainer.explain_boxes(image, [face.box for face in result.faces]):
            path = target.with_name(f"{target.name}.face{one.index}.png")
            write_image(face_overlay(image, one), path, is_output=True)
            written.append(path)
        return written
