"""A generated image and a network's output for it: shows that file, code and machine agree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mien.errors import WeightsError

KEPT = 32  # values of the output at most


@dataclass(frozen=True, kw_only=True)
class Golden:
    """The network's output for `pattern` when the manifest was made."""

    outputs: tuple[float, ...]  # all values, or evenly spaced ones
    tolerance: float  # absolute, for another machine, another version or ONNX Runtime

    @classmethod
    def of(cls, output: np.ndarray) -> Golden:
        """From the network's whole output. Raises `WeightsError` where it is not finite."""
        kept = spaced(output)
        if not np.isfinite(kept).all():
            raise WeightsError("the network gives NaN or infinity: its weights are broken")
        largest = max(1.0, float(np.abs(kept).max()))
        return cls(outputs=tuple(float(f"{x:.6g}") for x in kept), tolerance=float(f"{1e-3 * largest:.1g}"))

    def difference(self, output: np.ndarray) -> float:
        """The largest absolute difference to a network's whole output; infinite where the count differs."""
        kept = spaced(output)
        if len(kept) != len(self.outputs):
            return float("inf")
        return float(np.abs(kept - self.outputs).max())


def pattern(size_px: int) -> np.ndarray:
    """An image (S, S, 3) uint8 of bent waves, another one for each colour, not symmetric. Integers only."""
    y, x, c = np.mgrid[0:size_px, 0:size_px, 0:3]
    wave = ((3 + c) * x * x + (5 - c) * y * y + 7 * x * y + 90 * c * x) // size_px % 510
    return np.abs(wave - 255).astype(np.uint8)


def spaced(output: np.ndarray) -> np.ndarray:
    """At most `KEPT` values of an array, evenly spaced, in double precision."""
    flat = output.astype(np.float64).ravel()
    return flat[:: -(-flat.size // KEPT)]
