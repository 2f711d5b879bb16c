"""Which images of a set the weights of a fold never saw: `fold.json` beside their manifest."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mien.errors import InputError, WeightsError
from mien.media.atomic import atomic_write
from mien.schema import parse
from mien.weights.manifest import WeightsManifest, load_manifest

FILE = "fold.json"
PLACE = "{fold}"  # stands for the number of a fold in the path of weights


@dataclass(frozen=True, kw_only=True)
class FoldInfo:
    """One fold of a protocol on one set, as a run was trained on it."""

    set: str  # the data set's name
    variant: str
    samples: str  # fingerprint of its table
    protocol: str
    settings: dict[str, Any]  # of the protocol
    fold: int  # counted from 0
    folds: int
    name: str  # as the protocol calls it
    test: tuple[int, ...]  # rows of the table that neither taught nor chose anything

    def write(self, folder: Path) -> None:
        """`fold.json` in a folder of weights, whole or not at all."""
        atomic_write(folder / FILE, (json.dumps(asdict(self)) + "\n").encode())


def fold_of(manifest: WeightsManifest) -> FoldInfo | None:
    """The fold that weights were trained on; None where no fold stands beside them. Raises `WeightsError`."""
    path = manifest.folder / FILE
    if not path.is_file():
        return None
    try:
        return parse(path.read_bytes(), FoldInfo)
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path} is damaged ({error}); train the fold again") from error


def all_folds(pattern: str) -> list[tuple[str, FoldInfo]]:
    """The weights of every fold of one protocol, in order. `pattern`: their paths, with {fold} for the number.

    Raises `InputError` where a fold is missing, and `WeightsError` where they are not the folds of one protocol on
    one set, each at its place, by one network in the same classes.
    """
    found: list[tuple[str, FoldInfo]] = []
    first: WeightsManifest | None = None
    while not found or len(found) < found[0][1].folds:
        place = pattern.replace(PLACE, str(len(found)))
        if not Path(place).exists():
            of = f" of {found[0][1].folds}" if found else ""
            raise InputError(
                f"{place}: no such weights; all folds are judged together, and fold {len(found)}{of} is missing: "
                f"mien train ... --fold {len(found)}"
            )
        manifest = load_manifest(place)
        fold = fold_of(manifest)
        if fold is None:
            raise WeightsError(
                f"{manifest.folder} holds no {FILE}: these weights were not trained on a fold by mien train (or by "
                "an older version), so nobody can tell which images they never saw; train them again"
            )
        if fold.fold != len(found):
            raise WeightsError(f"{place} was trained on fold {fold.fold}, not on fold {len(found)}")
        first = first or manifest
        if found and (unlike := _unlike(found[0][1], fold) or _unlike_networks(first, manifest)):
            raise WeightsError(f"{place} and {found[0][0]} do not belong together: {unlike}")
        found.append((place, fold))
    rows = [row for _, fold in found for row in fold.test]
    if len(set(rows)) < len(rows):
        raise WeightsError(f"{pattern}: {len(rows) - len(set(rows))} images are tested by more than one fold")
    return found


def _unlike(one: FoldInfo, other: FoldInfo) -> str:
    """What differs between two folds that must not."""
    for name in ("set", "variant", "samples", "protocol", "settings", "folds"):
        before, now = getattr(one, name), getattr(other, name)
        if before != now:
            return f"another state of {one.set}" if name == "samples" else f"{name} is {now!r}, not {before!r}"
    return ""


def _unlike_networks(one: WeightsManifest, other: WeightsManifest) -> str:
    for name in ("network", "config", "labels", "inputs"):
        if (before := getattr(one, name)) != (now := getattr(other, name)):
            return f"{name} is {now!r}, not {before!r}"
    return ""
