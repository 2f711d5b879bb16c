"""The expression network as prediction runs it: aligned faces in, probabilities out."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from mien.errors import UnknownNameError
from mien.labels import LabelSet
from mien.pipeline.backend import Backend, open_backend
from mien.weights.manifest import WeightsManifest

BATCH_SIZE = 16  # faces per run: more costs memory and gains nothing on a CPU


class ExpressionNetwork:
    """Network, calibration and class prior of one weights manifest.

    `priors`: which of the manifest's priors the probabilities assume; "default" is the documented operating
    point. `labels`: the label set of the predictions; classes it lacks are left out and the rest sums to 1 again.
    `min_confidence`: least confidence of a certain prediction, 0..1; None: what the manifest states for the
    priors, if anything. `backend`: that of a network of the same weights, which then are not loaded again.
    `precision`: "auto", "float32" or "int8", where ONNX Runtime runs the network.
    """

    def __init__(
        self,
        manifest: WeightsManifest,
        *,
        priors: str = "default",
        labels: LabelSet | None = None,
        min_confidence: float | None = None,
        threads: int = 0,
        precision: str = "float32",
        backend: Backend | None = None,
    ) -> None:
        manifest.label_set.reorder(np.zeros(len(manifest.label_set)), to=labels or manifest.label_set)
        if priors not in manifest.priors:
            raise UnknownNameError("prior", priors, manifest.priors)
        self.manifest, self.priors = manifest, priors
        self.labels = labels or manifest.label_set
        stated = manifest.confidence_thresholds.get(priors)
        self.confidence_threshold = stated.threshold if min_confidence is None and stated else min_confidence
        self._bias = np.asarray(manifest.priors[priors], dtype=np.float64)
        self._threads, self._precision = threads, precision
        self.backend = backend or open_backend(manifest, threads=threads, precision=precision)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "backend"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self.backend = open_backend(self.manifest, threads=self._threads, precision=self._precision)

    def describe(self) -> dict[str, Any]:
        """Everything that decides the probabilities, as plain values."""
        manifest = self.manifest
        return {
            "weights": manifest.name,
            "identity": manifest.identity,
            "inputs": manifest.inputs.to_dict(),
            "tta": manifest.tta,
            "temperature": manifest.temperature,
            "priors": self.priors,
            "priors_identity": hashlib.blake2b(self._bias.astype("<f8").tobytes(), digest_size=4).hexdigest(),
            "labels": list(self.labels),
            "confidence_threshold": self.confidence_threshold,
            "precision": self.backend.precision,
        }

    def probabilities(self, crops: np.ndarray) -> np.ndarray:
        """Aligned faces (N, S, S, 3) uint8 RGB -> probabilities (N, classes), rows summing to 1."""
        if not len(crops):
            return np.zeros((0, len(self.labels)))
        logits = np.concatenate([self.logits(crops[i : i + BATCH_SIZE]) for i in range(0, len(crops), BATCH_SIZE)])
        probabilities = calibrated(logits, self.manifest.temperature, self._bias)
        return self.manifest.label_set.restrict(probabilities, to=self.labels)

    def logits(self, crops: np.ndarray) -> np.ndarray:
        """A batch of faces (N, S, S, 3) uint8 RGB -> the network's outputs (N, K)."""
        x = self.manifest.inputs.normalise(crops)
        if not self.manifest.tta:
            return self.backend(x)
        both = self.backend(np.concatenate([x, x[..., ::-1]]))  # (2 N, K)
        return (both[: len(x)] + both[len(x) :]) / 2


def calibrated(logits: np.ndarray, temperature: float, bias: np.ndarray) -> np.ndarray:
    """softmax(logits / temperature + bias) over the last axis, in double precision."""
    scaled = logits.astype(np.float64) / temperature + bias
    powers = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)
