"""Logits of weights for every face of the suite, in one pass and with test-time augmentation.

    python -m research.fer.measure weights/default --suite suite --out logits/default.npz

By ONNX Runtime with the file that is shipped. 20,000 passes: about two minutes on a free core, PhaNet one. With
`--entries` only some sources; what the file holds of the same weights is kept.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mien.errors import OptionError
from mien.evaluation.calibration import LabelledLogits
from mien.labels import FERPLUS
from mien.media.atomic import atomic_open
from mien.nn.onnx_session import open_session
from mien.weights.manifest import WeightsManifest, load_manifest
from research.fer.suite import ENTRIES, FEW, load

BATCH = 16


@dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """Logits of one network for the entries of the suite; `tta`: averaged with those of the flipped faces."""

    manifest: WeightsManifest
    logits: dict[str, np.ndarray]
    suite: Path

    @classmethod
    def of(cls, weights: str, file: Path, suite: Path) -> Measured:
        """What `main` wrote for these weights; raises `OptionError` where the file is of others."""
        manifest = load_manifest(weights)
        with np.load(file) as arrays:
            if str(arrays["weights"]) != manifest.identity:
                raise OptionError(f"{file} holds the logits of other weights than {weights}; measure them again")
            return cls(manifest=manifest, logits={name: arrays[name] for name in arrays}, suite=suite)

    def __contains__(self, name: str) -> bool:
        return f"{name} one" in self.logits

    def labelled(self, name: str, *, tta: bool, rows: np.ndarray | None = None) -> LabelledLogits:
        """One entry, with the classes that it tells apart; faces of classes with fewer than `FEW` are left out.

        `rows`: (N,) bool, the faces to take of the entry; None: all.
        """
        entry, faces, one = ENTRIES[name], load(self.suite, name), self.logits[f"{name} one"]
        everything = LabelledLogits(
            title=entry.title,
            logits=(one + self.logits[f"{name} flipped"]) / 2 if tta else one,
            truth=faces.truth,
            clusters=faces.clusters,
            classes=np.array([label in entry.labels for label in FERPLUS]),
        )
        kept = np.bincount(faces.truth, minlength=len(FERPLUS))[faces.truth] >= FEW
        return everything.take(kept if rows is None else kept & rows)

    def predicted(self, name: str) -> np.ndarray:
        """(N,) the class of each face that `labelled` keeps, by the weights as they are shipped."""
        manifest = self.manifest
        one, bias = self.labelled(name, tta=manifest.tta), np.array(manifest.priors["default"])
        classes: np.ndarray = one.probabilities(manifest.temperature, bias).argmax(axis=1)
        return classes


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights")
    parser.add_argument("--suite", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--entries", nargs="+", choices=list(ENTRIES), default=list(ENTRIES))
    options = parser.parse_args(arguments)
    manifest = load_manifest(options.weights)
    session = open_session(manifest.file(".onnx"), threads=1)

    def logits(images: np.ndarray) -> np.ndarray:
        parts = [images[i : i + BATCH] for i in range(0, len(images), BATCH)]
        return np.concatenate([session.run(None, {"faces": manifest.inputs.normalise(part)})[0] for part in parts])

    logits_by_entry = {"weights": np.array(manifest.identity)}
    if options.out.exists():
        logits_by_entry = Measured.of(options.weights, options.out, options.suite).logits
    for name in options.entries:
        if f"{name} one" in logits_by_entry:
            continue
        images = load(options.suite, name).images
        logits_by_entry |= {f"{name} one": logits(images), f"{name} flipped": logits(images[:, :, ::-1])}
        print(name, len(images), flush=True)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_open(options.out) as file:
        np.savez(file, allow_pickle=False, **logits_by_entry)


if __name__ == "__main__":
    main()
