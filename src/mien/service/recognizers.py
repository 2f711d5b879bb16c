"""The recognizers of a service: each weights file is loaded once, options of a request cost nothing."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

from mien.errors import OptionError, UnknownNameError
from mien.labels import LABEL_SETS, label_set
from mien.pipeline.classifier import ExpressionNetwork
from mien.pipeline.detectors import detector_called
from mien.pipeline.loading import default_landmarker
from mien.pipeline.recognizer import Recognizer
from mien.service.options import PredictOptions
from mien.weights.manifest import WeightsManifest, load_manifest


class Recognizers:
    """Weights by name. `names`: those that clients may choose; the first is the default. May be used by threads."""

    def __init__(self, names: tuple[str, ...], *, detector: str) -> None:
        self.manifests: dict[str, WeightsManifest] = {}
        for name in names:
            manifest = load_manifest(name)
            manifest.label_set  # noqa: B018  (raises for weights that read no expressions)
            self.manifests[manifest.name] = manifest
        self.default = next(iter(self.manifests))
        self._networks: dict[str, ExpressionNetwork] = {}
        self._loading = threading.Lock()
        self._detector = detector_called(detector, threads=1)
        self._landmarker = default_landmarker(threads=1, precision="auto")

    def load(self) -> None:
        """Read every weights file now instead of at its first request."""
        for name in self.manifests:
            self._network(name)

    def of(self, options: PredictOptions) -> Recognizer:
        """The recognizer for the options of a request. Raises `OptionError`."""
        base = self._network(options.weights or self.default)
        if options.labels is not None and options.labels not in LABEL_SETS:
            raise UnknownNameError("label set", options.labels, LABEL_SETS)
        network = ExpressionNetwork(
            base.manifest if options.tta is None else replace(base.manifest, tta=options.tta),
            priors=options.priors,
            labels=None if options.labels is None else label_set(options.labels),
            min_confidence=options.min_confidence,
            threads=1,
            backend=base.backend,
        )
        detector = self._detector.with_options(threshold=options.threshold, tiles=options.small_faces)
        return Recognizer(detector=detector, landmarker=self._landmarker, network=network)

    def _network(self, name: str) -> ExpressionNetwork:
        if name not in self.manifests:
            raise UnknownNameError("weights", name, self.manifests)
        with self._loading:
            if name not in self._networks:
                self._networks[name] = ExpressionNetwork(self.manifests[name], threads=1, precision="auto")
            return self._networks[name]

    def check(self, options: PredictOptions) -> None:
        """Raises `OptionError` for options that cannot be, before an image is read."""
        manifest = self.manifests.get(options.weights or self.default)
        if manifest is None:
            raise UnknownNameError("weights", options.weights or "", self.manifests)
        if options.priors not in manifest.priors:
            raise UnknownNameError("prior", options.priors, manifest.priors)
        if options.labels is not None:
            if options.labels not in LABEL_SETS:
                raise UnknownNameError("label set", options.labels, LABEL_SETS)
            absent = set(label_set(options.labels)) - set(manifest.label_set)
            if absent:
                raise OptionError(f"{manifest.name} has no output for {', '.join(sorted(absent))}")


def summary_of(manifest: WeightsManifest) -> dict[str, Any]:
    """What `GET /v1/models` shows of weights."""
    return {
        "name": manifest.name,
        "network": manifest.network,
        "identity": manifest.identity,
        "labels": [str(label) for label in manifest.label_set],
        "input_px": manifest.inputs.size_px,
        "tta": manifest.tta,
        "priors": sorted(manifest.priors),
        "confidence_thresholds": {
            name: stated.threshold for name, stated in manifest.confidence_thresholds.items()
        },
        "accuracies": manifest.accuracies,
        "licence": manifest.licence,
    }
