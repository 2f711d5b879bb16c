"""Whether the maps of the weights in the package were better than the centre prior on validation faces.

`measured.json` is written by research/experiments/explanations.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mien.schema import parse
from mien.weights.manifest import WeightsManifest

Interval = tuple[float, float, float]  # mean, and the 95 % interval of it
_FILE = Path(__file__).with_name("measured.json")


@dataclass(frozen=True)
class MeasuredMap:
    """Areas of one kind of map over validation faces, and their paired differences to the centre prior."""

    faces: int
    deletion: Interval
    insertion: Interval
    deletion_to_centre: Interval  # below 0: better
    insertion_to_centre: Interval  # above 0: better

    @property
    def verdict(self) -> str:
        """Whether both intervals of the difference, one or none lie on the better side."""
        deletion, insertion = self.deletion_to_centre[2] < 0, self.insertion_to_centre[1] > 0
        if deletion and insertion:
            return "better than the centre prior"
        if self.deletion_to_centre[1] > 0 and self.insertion_to_centre[2] < 0:
            return "worse than the centre prior"
        if deletion or insertion:
            return f"better than the centre prior by {'deletion' if deletion else 'insertion'} only"
        return "no better than the centre prior"

    @property
    def in_short(self) -> str:
        """The verdict without what it compares with: "better", "better by deletion only", "no better", "worse"."""
        return self.verdict.replace(" than the centre prior", "")

    @property
    def is_better(self) -> bool:
        """By deletion and by insertion."""
        return self.verdict == "better than the centre prior"


@dataclass(frozen=True)
class MeasuredWeights:
    """All maps of one network, by their keys."""

    weights: str
    maps: dict[str, MeasuredMap]


def identity_of(manifest: WeightsManifest) -> str:
    """Twelve digits of the safetensors file, which no export changes; of all files where there is none."""
    return next(
        (sha[:12] for name, sha in manifest.files.items() if name.endswith(".safetensors")), manifest.identity
    )


def measured_map(identity: str, key: str) -> MeasuredMap | None:
    """Of weights by their identity and a map by its key; None where it was not measured."""
    weights = _measured().get(identity)
    return None if weights is None else weights.maps.get(key)


@cache
def _measured() -> dict[str, MeasuredWeights]:
    return parse(_FILE.read_bytes(), dict[str, MeasuredWeights])
