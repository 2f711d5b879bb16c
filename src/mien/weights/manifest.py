"""Weights manifests: network, sizes, inputs, classes, file hashes, licence, metrics."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import asdict, dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from mien.errors import OptionError, OutputError, UnknownNameError, WeightsError
from mien.labels import LABEL_SETS, LabelSet, label_set
from mien.media.atomic import atomic_write
from mien.media.file_state import sha256
from mien.preprocess import Preprocess
from mien.schema import parse
from mien.weights.downloads import no_weights
from mien.weights.golden import Golden

INT8 = ".int8.onnx"  # ending of the int8 form, whose weights are those of the ONNX file beside it
SHIPPED = Path(__file__).parent / "files"  # one folder per name; travels with the package

PARTS = {  # "network" of manifests that only start a training
    "ir50": "the image backbone of POSTER, POSTER++, APViT and PhaNet",
    "densenet": "the image backbone of PhaNet",
    "vit_small": "the transformer of APViT",
}

VALIDATION, FOLD = "validation.json", "fold.json"  # beside a run's weights: the images that it held out


@dataclass(frozen=True, kw_only=True)
class ConfidenceThreshold:
    """The least probability of a certain prediction, and its metrics on images that did not choose it."""

    threshold: Annotated[float, Meta(ge=0, le=1)]  # the most probable class of a certain prediction reaches it
    rule: str  # how it was chosen, on which images
    measured: dict[str, Any]  # by name of the images: how many, coverage, selective accuracy


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
    labels: str | tuple[str, ...] | None = None  # in the order of the outputs: a key of LABEL_SETS, or own classes
    tta: bool = False  # the logits of a face and of its horizontal flip are averaged
    temperature: Annotated[float, Meta(gt=0)] = 1.0  # logits are divided by it: calibrated on validation data
    priors: dict[str, tuple[float, ...]] = field(default_factory=dict)  # added to logits / temperature
    confidence_thresholds: dict[str, ConfidenceThreshold] = field(default_factory=dict)  # by name of the priors
    trained_on: tuple[str, ...] = ()  # "set" or "set:fingerprint" of one table, with "/split" where only that did
    measured: dict[str, Any] = field(default_factory=dict)  # our numbers, each with its command
    paper: dict[str, Any] = field(default_factory=dict)  # what the authors report
    notes: tuple[str, ...] = ()  # what is approximated or not known
    golden: Golden | None = None
    golden_int8: Golden | None = None  # of the int8 form
    folder: Path = SHIPPED
    filename: str = "manifest.json"  # the manifest's own, in `folder`

    def __post_init__(self) -> None:
        if not self.files or any(Path(name).name != name for name in self.files):
            raise ValueError(f"files: must be names in the manifest's folder, at least one; not {list(self.files)}")
        if unknown := self.confidence_thresholds.keys() - self.priors.keys():
            raise ValueError(
                f"confidence_thresholds: names the priors {', '.join(sorted(unknown))}, which it lacks"
            )
        if not isinstance(self.labels, str | None):
            LabelSet(self.labels)  # refuses a class that appears twice

    @property
    def path(self) -> Path:
        """Where the manifest stands."""
        return self.folder / self.filename

    def beside(self, name: str) -> Path:
        """A further file of these weights: `name` beside `manifest.json`, `NAME.name` beside `NAME.json`."""
        return self.folder / (name if self.filename == "manifest.json" else f"{self.path.stem}.{name}")

    @property
    def identity(self) -> str:
        """Twelve hexadecimal digits that stand for these weights, whichever of their files is used.

        The int8 form holds scales only, no weights of its own: it does not count.
        """
        hashes = sorted(value for name, value in self.files.items() if not name.endswith(INT8))
        return hashlib.sha256("".join(hashes).encode()).hexdigest()[:12]

    @property
    def accuracies(self) -> dict[str, float]:
        """Measured accuracy of the first entry of each data set, by the entry's title."""
        entries = {
            title: metrics
            for title, metrics in self.measured.items()
            if isinstance(metrics, dict) and "accuracy" in metrics
        }
        first = {title.split(",")[0]: title for title in reversed(entries)}
        return {title: metrics["accuracy"] for title, metrics in entries.items() if title in first.values()}

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

    def saw(self, dataset: str, splits: Collection[str]) -> bool:
        """Whether images of these splits (none: of any) trained or chose these weights, as far as is stated.

        `dataset`: "set" or "set:fingerprint".
        """
        entries = [entry.partition("/") for entry in self.trained_on]
        return any(name == dataset and (not split or not splits or split in splits) for name, _, split in entries)

    def has(self, suffix: str) -> bool:
        """Whether there is a file with this ending."""
        return any(is_of_form(name, suffix) for name in self.files)

    def file(self, suffix: str) -> Path:
        """The file with this ending, checked against its hash."""
        for name, expected in self.files.items():
            if not is_of_form(name, suffix):
                continue
            path = self.folder / name
            shipped = SHIPPED in path.parents
            remedy = "install the package again" if shipped else "copy it again, or convert the official file again"
            if not path.is_file():
                raise WeightsError(f"{path} is missing; {remedy}")
            if (actual := sha256(path)) != expected:
                if what := no_weights(path):
                    raise WeightsError(f"{path} {what}")
                raise WeightsError(f"{path} is damaged (SHA-256 {actual[:12]}…, not {expected[:12]}…); {remedy}")
            return path
        raise WeightsError(f"weights {self.name!r} have no {suffix} file; they hold {', '.join(self.files)}")


def is_of_form(name: str, suffix: str) -> bool:
    """Whether a file has this ending; `.onnx` is not the int8 form."""
    return name.endswith(suffix) and (suffix.endswith(INT8) or not name.endswith(INT8))


def stated_labels(labels: LabelSet) -> str | tuple[str, ...]:
    """Classes as a manifest states them: the name of a known label set in this order, or the classes themselves."""
    return next((name for name, known in LABEL_SETS.items() if known == labels), tuple(map(str, labels)))


def shipped_names() -> list[str]:
    """The weights that come inside the package."""
    return sorted(manifest.parent.name for manifest in SHIPPED.glob("*/manifest.json"))


def load_manifest(weights: str) -> WeightsManifest:
    """The manifest of shipped weights by name, of the folder of a training run or of its weights, or of one file.

    A file is `NAME.safetensors` or `NAME.onnx` with its manifest `NAME.json` beside it, or the manifest itself.
    Raises `UnknownNameError` for a name, and `WeightsError` for a path that leads to no manifest.
    """
    if weights in shipped_names():
        return read_manifest(SHIPPED / weights / "manifest.json")
    path = Path(weights)
    if path.is_dir():
        for file in (path / "manifest.json", path / "weights" / "manifest.json"):
            if file.is_file():
                return read_manifest(file)
        raise WeightsError(f"{path} holds no manifest.json; name a weights file, or a folder with a manifest")
    if not path.is_file():
        if not path.suffix and path.name == weights:
            raise UnknownNameError("weights", weights, _named(weights))
        raise WeightsError(f"{path}: no such file")
    if path.suffix == ".json":
        return read_manifest(path)
    own = path.parent / "weights"
    if path.name in {"best.safetensors", "last.pt"} and (own / "manifest.json").is_file():
        raise WeightsError(f"{path} is a training run's own; name its weights, which have their manifest: {own}")
    if what := no_weights(path):
        raise WeightsError(f"{path} {what}")
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


def _named(name: str) -> list[str]:
    """Shipped weights that a wrong name may mean: those that read expressions; any that it nearly is."""
    names = shipped_names()
    near = get_close_matches(name, names, n=1, cutoff=0.8)
    return near or [one for one in names if read_manifest(SHIPPED / one / "manifest.json").labels is not None]


def manifests_below(path: str) -> list[tuple[Path, WeightsManifest]]:
    """Weights at a path, or those in the folders of this folder, by the path of their manifest."""
    folder = Path(path)
    try:
        manifest = load_manifest(path)
        return [(manifest.path, manifest)]
    except WeightsError:
        patterns = ("manifest.json", "weights/manifest.json", "*/manifest.json", "*/weights/manifest.json")
        files = sorted({file for pattern in patterns for file in folder.glob(pattern)})
        if not folder.is_dir() or not files:
            raise
        return [(file, read_manifest(file)) for file in files]


def read_manifest(path: Path) -> WeightsManifest:
    """A manifest's .json file as a value; raises `WeightsError` where it is none."""
    try:
        return replace(parse(path.read_bytes(), WeightsManifest), folder=path.parent, filename=path.name)
    except (OSError, ValueError, OptionError) as error:
        raise WeightsError(f"{path} is no weights manifest ({error}); see docs/concepts/weights.md") from error


def write_manifest(manifest: WeightsManifest) -> WeightsManifest:
    """Write the manifest to its path with the hashes of the files as they are now; returns it with these."""
    files = {name: sha256(manifest.folder / name) for name in manifest.files}
    values = asdict(replace(manifest, files=files))
    del values["folder"], values["filename"]
    values["inputs"] = manifest.inputs.to_dict()
    text = json.dumps(values, indent=2, ensure_ascii=False) + "\n"
    try:
        atomic_write(manifest.path, text.encode())
    except OSError as error:
        raise OutputError(f"{manifest.path} cannot be written: {error.strerror or error}") from error
    return replace(manifest, files=files)


def keep_held_out(manifest: WeightsManifest, exported: WeightsManifest) -> None:
    """Give the exported form of weights what their run says of the images that it held out."""
    for name in (VALIDATION, FOLD):
        source, target = manifest.beside(name), exported.beside(name)
        try:
            if source.is_file():
                atomic_write(target, source.read_bytes())
            else:
                target.unlink(missing_ok=True)  # of weights that had this name before
        except OSError as error:
            raise OutputError(f"{target} cannot be written: {error.strerror or error}") from error
