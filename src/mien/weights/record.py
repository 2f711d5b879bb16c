"""A weights file is a record: network, sizes, input recipe, classes, hashes, licence, numbers."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mien.errors import OptionError, UnknownName, WeightsError
from mien.labels import LabelSet, label_set
from mien.preprocess import Preprocess

SHIPPED = Path(__file__).parent / "files"  # one folder per name; travels with the package


@dataclass(frozen=True, kw_only=True)
class WeightsRecord:
    """What `record.json` beside the files says."""

    name: str
    network: str  # "poster_v2", "landmarks68"
    config: dict[str, Any]  # the network's sizes, for training and export
    inputs: Preprocess
    files: dict[str, str]  # file name -> SHA-256
    licence: str
    source: str  # where the numbers come from
    labels: str | None = None  # key of LABEL_SETS, in the order of the outputs
    mirror: bool = False  # the logits of a face and of its mirror image are averaged
    temperature: float = 1.0  # logits are divided by it: calibrated on validation data
    priors: dict[str, tuple[float, ...]] = field(default_factory=dict)  # added to logits / temperature
    measured: dict[str, Any] = field(default_factory=dict)  # our numbers, each with its command
    folder: Path = SHIPPED

    @property
    def label_set(self) -> LabelSet:
        """The classes of the outputs; raises `OptionError` for a network without classes."""
        if self.labels is None:
            raise OptionError(f"weights {self.name!r} read no expressions; they are for {self.network}")
        return label_set(self.labels)

    def file(self, suffix: str) -> Path:
        """The file with this ending, checked against its hash."""
        for name, wanted in self.files.items():
            if not name.endswith(suffix):
                continue
            path = self.folder / name
            if not path.is_file():
                raise WeightsError(f"{path} is missing; install the package again")
            with path.open("rb") as stream:
                found = hashlib.file_digest(stream, "sha256").hexdigest()
            if found != wanted:
                raise WeightsError(f"{path} is damaged (SHA-256 {found[:12]}…, not {wanted[:12]}…); get it again")
            return path
        raise WeightsError(f"weights {self.name!r} have no {suffix} file; they hold {', '.join(self.files)}")


def shipped_names() -> list[str]:
    """The weights that come inside the package."""
    return sorted(record.parent.name for record in SHIPPED.glob("*/record.json"))


def load_record(name: str) -> WeightsRecord:
    """The record of shipped weights by name, or of a folder that holds a `record.json`."""
    folder = SHIPPED / name
    if not (folder / "record.json").is_file():
        folder = Path(name)
        if not (folder / "record.json").is_file():
            raise UnknownName("weights", name, shipped_names())
    return read_record(folder)


def read_record(folder: Path) -> WeightsRecord:
    """`folder/record.json` as a value; raises `WeightsError` where it is not one."""
    path = folder / "record.json"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        inputs = values.pop("inputs")
        priors = {name: tuple(bias) for name, bias in values.pop("priors", {}).items()}
        preprocess = Preprocess(**inputs | {key: tuple(inputs[key]) for key in ("mean", "std")})
        return WeightsRecord(**values, inputs=preprocess, priors=priors, folder=folder)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"{path} is no weights record ({error}); see docs/concepts/weights.md") from error


def write_record(record: WeightsRecord) -> None:
    """`record.json` into the record's folder, with the hashes of the files as they are now."""
    values = {
        "name": record.name,
        "network": record.network,
        "config": record.config,
        "inputs": {
            "size_px": record.inputs.size_px,
            "template": record.inputs.template,
            "mean": list(record.inputs.mean),
            "std": list(record.inputs.std),
            "channels": record.inputs.channels,
        },
        "labels": record.labels,
        "mirror": record.mirror,
        "temperature": record.temperature,
        "priors": {name: list(bias) for name, bias in record.priors.items()},
        "licence": record.licence,
        "source": record.source,
        "measured": record.measured,
        "files": {name: hashlib.sha256((record.folder / name).read_bytes()).hexdigest() for name in record.files},
    }
    text = json.dumps(values, indent=2, ensure_ascii=False) + "\n"
    (record.folder / "record.json").write_text(text, encoding="utf-8")
