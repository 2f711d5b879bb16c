"""A weights file is a record: network, sizes, input recipe, classes, hashes, licence, numbers."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from mien.errors import OptionError, OutputError, UnknownName, WeightsError
from mien.labels import LabelSet, label_set
from mien.media.whole import write_whole
from mien.preprocess import Preprocess
from mien.weights.golden import Golden

SHIPPED = Path(__file__).parent / "files"  # one folder per name; travels with the package

PARTS = {  # "network" of records that only start a training
    "ir50": "the image trunk of POSTER, POSTER++, APViT and PhaNet",
    "densenet": "the image trunk of PhaNet",
    "vit_small": "the transformer of APViT",
}


@dataclass(frozen=True, kw_only=True)
class Abstention:
    """From which probability on an answer is certain, and what that gives on pictures that did not choose it."""

    below: float  # 0..1: the answer is uncertain where its most probable class is less probable
    rule: str  # how it was chosen, on which pictures
    measured: dict[str, Any]  # by name of the pictures: how many, share and accuracy of what is kept


@dataclass(frozen=True, kw_only=True)
class WeightsRecord:
    """What the .json beside the files says: `record.json` of a folder, or `NAME.json` of `NAME.safetensors`."""

    name: str
    network: str  # a name for `mien.build`, or a key of PARTS
    config: dict[str, Any]  # the network's sizes
    inputs: Preprocess
    files: dict[str, str]  # file name -> SHA-256
    licence: str
    source: str  # where the numbers come from
    labels: str | None = None  # key of LABEL_SETS, in the order of the outputs
    mirror: bool = False  # the logits of a face and of its mirror image are averaged
    temperature: float = 1.0  # logits are divided by it: calibrated on validation data
    priors: dict[str, tuple[float, ...]] = field(default_factory=dict)  # added to logits / temperature
    abstain: dict[str, Abstention] = field(default_factory=dict)  # by name of the priors
    measured: dict[str, Any] = field(default_factory=dict)  # our numbers, each with its command
    claimed: dict[str, Any] = field(default_factory=dict)  # the authors' numbers
    notes: tuple[str, ...] = ()  # what is approximated or not known
    golden: Golden | None = None
    folder: Path = SHIPPED
    filename: str = "record.json"  # the record's own, in `folder`

    @property
    def path(self) -> Path:
        """Where the record stands."""
        return self.folder / self.filename

    @property
    def label_set(self) -> LabelSet:
        """The classes of the outputs; raises `OptionError` for a network without classes.

        And `WeightsError` where the record's fields are of different numbers of classes.
        """
        if self.network in PARTS:
            raise OptionError(
                f"weights {self.name!r} are {PARTS[self.network]}, to start a training from; "
                "they read no expressions"
            )
        if self.labels is None:
            raise OptionError(f"weights {self.name!r} read no expressions; they are for {self.network}")
        known = label_set(self.labels)
        counts = {self.config.get("classes", len(known)), *map(len, self.priors.values())}
        if counts != {len(known)}:
            raise WeightsError(
                f"{self.path}: labels {self.labels!r} are {len(known)} classes, config or priors have "
                f"{', '.join(map(str, sorted(counts - {len(known)})))}; make them agree"
            )
        return known

    def has(self, suffix: str) -> bool:
        """Whether there is a file with this ending."""
        return any(name.endswith(suffix) for name in self.files)

    def file(self, suffix: str) -> Path:
        """The file with this ending, checked against its hash."""
        for name, wanted in self.files.items():
            if not name.endswith(suffix):
                continue
            path = self.folder / name
            shipped = SHIPPED in path.parents
            remedy = "install the package again" if shipped else "copy it again, or convert the official file again"
            if not path.is_file():
                raise WeightsError(f"{path} is missing; {remedy}")
            if (found := sha256(path)) != wanted:
                raise WeightsError(f"{path} is damaged (SHA-256 {found[:12]}…, not {wanted[:12]}…); {remedy}")
            return path
        raise WeightsError(f"weights {self.name!r} have no {suffix} file; they hold {', '.join(self.files)}")


def shipped_names() -> list[str]:
    """The weights that come inside the package."""
    return sorted(record.parent.name for record in SHIPPED.glob("*/record.json"))


def load_record(place: str) -> WeightsRecord:
    """The record of shipped weights by name, of a folder with a `record.json`, or of one file.

    A file is `NAME.safetensors` or `NAME.onnx` with its record `NAME.json` beside it, or the record itself.
    Raises `UnknownName` for a name, and `WeightsError` for a path that leads to no record.
    """
    if place in shipped_names():
        return read_record(SHIPPED / place / "record.json")
    path = Path(place)
    if path.is_dir():
        if not (path / "record.json").is_file():
            raise WeightsError(f"{path} holds no record.json; name a weights file, or a folder with a record")
        return read_record(path / "record.json")
    if not path.is_file():
        if not path.suffix and path.name == place:
            raise UnknownName("weights", place, shipped_names())
        raise WeightsError(f"{path}: no such file")
    if path.suffix == ".json":
        return read_record(path)
    if path.suffix not in {".safetensors", ".onnx"}:
        raise WeightsError(
            f"{path} is no safetensors file. If it is an official checkpoint, convert it first: "
            f"mien weights convert {path} --to {path.name.split('.')[0]}.safetensors"
        )
    for beside in (path.with_suffix(".json"), path.with_name("record.json")):
        if beside.is_file() and path.name in (record := read_record(beside)).files:
            return record
    raise WeightsError(
        f"{path} has no record: {path.with_suffix('.json').name}, which says its network, classes and colours, "
        "is not beside it or is of another file. Copy both together, or convert the official file again"
    )


def read_record(path: Path) -> WeightsRecord:
    """A record's .json file as a value; raises `WeightsError` where it is none."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        inputs = values.pop("inputs")
        priors = {name: tuple(bias) for name, bias in values.pop("priors", {}).items()}
        abstain = {name: Abstention(**stated) for name, stated in values.pop("abstain", {}).items()}
        golden = values.pop("golden", None)
        record = WeightsRecord(
            **values | {"notes": tuple(values.get("notes", ()))},
            inputs=Preprocess(**inputs | {key: tuple(inputs[key]) for key in ("mean", "std")}),
            priors=priors,
            abstain=abstain,
            golden=golden and Golden(**golden | {"outputs": tuple(golden["outputs"])}),
            folder=path.parent,
            filename=path.name,
        )
        _check(record)
        return record
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OptionError) as error:
        raise WeightsError(f"{path} is no weights record ({error}); see docs/concepts/weights.md") from error


def _check(record: WeightsRecord) -> None:
    """Raise `ValueError` for the first field whose value cannot be."""
    words = (record.name, record.network, record.labels or "", *record.files, *record.files.values())
    if not all(isinstance(word, str) for word in words):
        raise ValueError("name, network, labels and files are words")
    if not isinstance(record.config, dict):
        raise ValueError(f"config holds the network's sizes by name, not {record.config!r}")
    if not record.files or any(Path(name).name != name for name in record.files):
        raise ValueError(f"files are names in the record's folder, at least one; not {list(record.files)}")
    if not isinstance(record.mirror, bool):
        raise ValueError(f"mirror is true or false, not {record.mirror!r}")
    if not (math.isfinite(record.temperature) and record.temperature > 0):
        raise ValueError(f"temperature is above 0, not {record.temperature}")
    if not all(math.isfinite(bias) for prior in record.priors.values() for bias in prior):
        raise ValueError("priors are finite numbers")
    if unknown := record.abstain.keys() - record.priors.keys():
        raise ValueError(f"abstain names the priors {', '.join(sorted(unknown))}, which it does not have")
    if not all(0 <= stated.below <= 1 for stated in record.abstain.values()):
        raise ValueError("abstain holds probabilities, 0 to 1")
    if record.golden and not all(map(math.isfinite, (record.golden.tolerance, *record.golden.outputs))):
        raise ValueError("golden holds finite numbers")


def write_record(record: WeightsRecord) -> WeightsRecord:
    """Write the record to its path with the hashes of the files as they are now; returns it with these."""
    files = {name: sha256(record.folder / name) for name in record.files}
    values = {
        "name": record.name,
        "network": record.network,
        "config": record.config,
        "inputs": record.inputs.to_dict(),
        "labels": record.labels,
        "mirror": record.mirror,
        "temperature": record.temperature,
        "priors": {name: list(bias) for name, bias in record.priors.items()},
        "abstain": {name: asdict(stated) for name, stated in record.abstain.items()},
        "licence": record.licence,
        "source": record.source,
        "claimed": record.claimed,
        "measured": record.measured,
        "notes": list(record.notes),
        "golden": record.golden and asdict(record.golden),
        "files": files,
    }
    text = json.dumps(values, indent=2, ensure_ascii=False) + "\n"
    try:
        write_whole(record.path, text.encode())
    except OSError as error:
        raise OutputError(f"{record.path} cannot be written: {error.strerror or error}") from error
    return replace(record, files=files)


def sha256(path: Path) -> str:
    """Of a file's content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
