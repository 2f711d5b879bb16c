"""A weights file is a manifest: network, sizes, input recipe, classes, hashes, licence, numbers."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from mien.errors import OptionError, OutputError, UnknownNameError, WeightsError
from mien.labels import LabelSet, label_set
from mien.media.atomic import atomic_write
from mien.preprocess import Preprocess
from mien.weights.golden import Golden

SHIPPED = Path(__file__).parent / "files"  # one folder per name; travels with the package

PARTS = {  # "network" of manifests that only start a training
    "ir50": "the image backbone of POSTER, POSTER++, APViT and PhaNet",
    "densenet": "the image backbone of PhaNet",
    "vit_small": "the transformer of APViT",
}


@dataclass(frozen=True, kw_only=True)
class ConfidenceThreshold:
    """From which probability on an answer is certain, and what that gives on images that did not choose it."""

    threshold: float  # 0..1: the answer is uncertain where its most probable class is less probable
    rule: str  # how it was chosen, on which images
    measured: dict[str, Any]  # by name of the images: how many, share and accuracy of what is kept


@dataclass(frozen=True, kw_only=True)
class WeightsManifest:
    """What the .json beside the files says: `manifest.json` of a folder, or `NAME.json` of `NAME.safetensors`."""

    name: str
    network: str  # a name for `mien.build`, or a key of PARTS
    config: dict[str, Any]  # the network's sizes
    inputs: Preprocess
    files: dict[str, str]  # file name -> SHA-256
    licence: str
    source: str  # where the numbers come from
    labels: str | None = None  # key of LABEL_SETS, in the order of the outputs
    tta: bool = False  # the logits of a face and of its horizontal flip are averaged
    temperature: float = 1.0  # logits are divided by it: calibrated on validation data
    priors: dict[str, tuple[float, ...]] = field(default_factory=dict)  # added to logits / temperature
    confidence_thresholds: dict[str, ConfidenceThreshold] = field(default_factory=dict)  # by name of the priors
    measured: dict[str, Any] = field(default_factory=dict)  # our numbers, each with its command
    claimed: dict[str, Any] = field(default_factory=dict)  # the authors' numbers
    notes: tuple[str, ...] = ()  # what is approximated or not known
    golden: Golden | None = None
    folder: Path = SHIPPED
    filename: str = "manifest.json"  # the manifest's own, in `folder`

    @property
    def path(self) -> Path:
        """Where the manifest stands."""
        return self.folder / self.filename

    @property
    def label_set(self) -> LabelSet:
        """The classes of the outputs; raises `OptionError` for a network without classes.

        And `WeightsError` where the manifest's fields are of different numbers of classes.
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
    return sorted(manifest.parent.name for manifest in SHIPPED.glob("*/manifest.json"))


def load_manifest(place: str) -> WeightsManifest:
    """The manifest of shipped weights by name, of a folder with a `manifest.json`, or of one file.

    A file is `NAME.safetensors` or `NAME.onnx` with its manifest `NAME.json` beside it, or the manifest itself.
    Raises `UnknownNameError` for a name, and `WeightsError` for a path that leads to no manifest.
    """
    if place in shipped_names():
        return read_manifest(SHIPPED / place / "manifest.json")
    path = Path(place)
    if path.is_dir():
        if not (path / "manifest.json").is_file():
            raise WeightsError(f"{path} holds no manifest.json; name a weights file, or a folder with a manifest")
        return read_manifest(path / "manifest.json")
    if not path.is_file():
        if not path.suffix and path.name == place:
            raise UnknownNameError("weights", place, shipped_names())
        raise WeightsError(f"{path}: no such file")
    if path.suffix == ".json":
        return read_manifest(path)
    if path.suffix not in {".safetensors", ".onnx"}:
        raise WeightsError(
            f"{path} is no safetensors file. If it is an official checkpoint, convert it first: "
            f"mien weights convert {path} --to {path.name.split('.')[0]}.safetensors"
        )
    for beside in (path.with_suffix(".json"), path.with_name("manifest.json")):
        if beside.is_file() and path.name in (manifest := read_manifest(beside)).files:
            return manifest
    raise WeightsError(
        f"{path} has no manifest: {path.with_suffix('.json').name}, which says its network, classes and colours, "
        "is not beside it or is of another file. Copy both together, or convert the official file again"
    )


def read_manifest(path: Path) -> WeightsManifest:
    """A manifest's .json file as a value; raises `WeightsError` where it is none."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        inputs = values.pop("inputs")
        priors = {name: tuple(bias) for name, bias in values.pop("priors", {}).items()}
        confidence_thresholds = {
            name: ConfidenceThreshold(**stated) for name, stated in values.pop("confidence_thresholds", {}).items()
        }
        golden = values.pop("golden", None)
        manifest = WeightsManifest(
            **values | {"notes": tuple(values.get("notes", ()))},
            inputs=Preprocess(**inputs | {key: tuple(inputs[key]) for key in ("mean", "std")}),
            priors=priors,
            confidence_thresholds=confidence_thresholds,
            golden=golden and Golden(**golden | {"outputs": tuple(golden["outputs"])}),
            folder=path.parent,
            filename=path.name,
        )
        _check(manifest)
        return manifest
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OptionError) as error:
        raise WeightsError(f"{path} is no weights manifest ({error}); see docs/concepts/weights.md") from error


def _check(manifest: WeightsManifest) -> None:
    """Raise `ValueError` for the first field whose value cannot be."""
    words = (manifest.name, manifest.network, manifest.labels or "", *manifest.files, *manifest.files.values())
    if not all(isinstance(word, str) for word in words):
        raise ValueError("name, network, labels and files are words")
    if not isinstance(manifest.config, dict):
        raise ValueError(f"config holds the network's sizes by name, not {manifest.config!r}")
    if not manifest.files or any(Path(name).name != name for name in manifest.files):
        raise ValueError(f"files are names in the manifest's folder, at least one; not {list(manifest.files)}")
    if not isinstance(manifest.tta, bool):
        raise ValueError(f"tta is true or false, not {manifest.tta!r}")
    if not (math.isfinite(manifest.temperature) and manifest.temperature > 0):
        raise ValueError(f"temperature is above 0, not {manifest.temperature}")
    if not all(math.isfinite(bias) for prior in manifest.priors.values() for bias in prior):
        raise ValueError("priors are finite numbers")
    if unknown := manifest.confidence_thresholds.keys() - manifest.priors.keys():
        raise ValueError(
            f"confidence_thresholds names the priors {', '.join(sorted(unknown))}, which it does not have"
        )
    if not all(0 <= stated.threshold <= 1 for stated in manifest.confidence_thresholds.values()):
        raise ValueError("confidence_thresholds holds probabilities, 0 to 1")
    if manifest.golden and not all(map(math.isfinite, (manifest.golden.tolerance, *manifest.golden.outputs))):
        raise ValueError("golden holds finite numbers")


def write_manifest(manifest: WeightsManifest) -> WeightsManifest:
    """Write the manifest to its path with the hashes of the files as they are now; returns it with these."""
    files = {name: sha256(manifest.folder / name) for name in manifest.files}
    values = {
        "name": manifest.name,
        "network": manifest.network,
        "config": manifest.config,
        "inputs": manifest.inputs.to_dict(),
        "labels": manifest.labels,
        "tta": manifest.tta,
        "temperature": manifest.temperature,
        "priors": {name: list(bias) for name, bias in manifest.priors.items()},
        "confidence_thresholds": {name: asdict(stated) for name, stated in manifest.confidence_thresholds.items()},
        "licence": manifest.licence,
        "source": manifest.source,
        "claimed": manifest.claimed,
        "measured": manifest.measured,
        "notes": list(manifest.notes),
        "golden": manifest.golden and asdict(manifest.golden),
        "files": files,
    }
    text = json.dumps(values, indent=2, ensure_ascii=False) + "\n"
    try:
        atomic_write(manifest.path, text.encode())
    except OSError as error:
        raise OutputError(f"{manifest.path} cannot be written: {error.strerror or error}") from error
    return replace(manifest, files=files)


def sha256(path: Path) -> str:
    """Of a file's content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
