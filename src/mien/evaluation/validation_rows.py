"""Which images of its data sets a training run held out for validation: `validation.json` beside its weights."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from mien.errors import WeightsError
from mien.media.atomic import atomic_write
from mien.schema import parse
from mien.weights.manifest import VALIDATION, WeightsManifest


@dataclass(frozen=True, kw_only=True)
class ValidationRows:
    """The validation set that a run took of one data set."""

    set: str  # the data set's name
    samples: str  # fingerprint of its table
    rows: tuple[int, ...]  # of the table


@dataclass(frozen=True, kw_only=True)
class ValidationSets:
    """Those of all data sets of a run."""

    sets: tuple[ValidationRows, ...]

    def write(self, folder: Path) -> None:
        """`validation.json` in a folder of weights, in one step."""
        atomic_write(folder / VALIDATION, (json.dumps(asdict(self)) + "\n").encode())

    @classmethod
    def of(cls, manifest: WeightsManifest) -> ValidationSets:
        """Those of a run's weights; none without the file beside them. Raises `WeightsError`."""
        path = manifest.beside(VALIDATION)
        if not path.is_file():
            return cls(sets=())
        try:
            return parse(path.read_bytes(), cls)
        except (OSError, ValueError) as error:
            raise WeightsError(f"{path} is damaged ({error}); train again, or delete it") from error

    def rows_of(self, name: str, samples: str) -> Sequence[int] | None:
        """The rows of one data set; None where the run did not use it."""
        return next((one.rows for one in self.sets if (one.set, one.samples) == (name, samples)), None)
