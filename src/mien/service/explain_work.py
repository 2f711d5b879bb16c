"""The image of one request to the occlusion map of one of its faces, in a worker thread."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from mien.errors import OptionError, UnknownNameError
from mien.explanation.explain import Explainer
from mien.service.image_work import ImageRequest, ImageWork
from mien.service.options import ExplainOptions
from mien.service.recognizers import Recognizers

DIGITS = 6  # of the map


class ExplainWork:
    """`run` of a `Gatherer`: images to the JSON of an explanation each; their options are `ExplainOptions`."""

    def __init__(self, recognizers: Recognizers, images: ImageWork) -> None:
        self._recognizers, self._images = recognizers, images

    def __call__(self, batch: Sequence[ImageRequest]) -> list[bytes | Exception]:
        """JSON or an error for each, in the order of the batch."""
        results: list[bytes | Exception] = []
        for request in batch:
            try:
                results.append(self._explained(request))
            except Exception as error:
                results.append(error)
        return results

    def _explained(self, request: ImageRequest) -> bytes:
        options = request.options
        if not isinstance(options, ExplainOptions):
            raise AssertionError
        recognizer = self._recognizers.of(options)
        if options.label is not None and options.label not in recognizer.labels:
            raise UnknownNameError("class", options.label, recognizer.labels)
        located = self._images.located(request, recognizer)
        if options.face >= len(located.faces):
            count = len(located.faces)
            raise OptionError(
                f"face is {options.face}, but the image has {count} face{'' if count == 1 else 's'}, from 0 on"
            )
        explainer = Explainer(recognizer, ("occlusion",), curves=False)
        one = explainer.explain(located.image, located.faces[options.face], options.face, options.label)
        manifest = recognizer.network.manifest
        values = one["occlusion"].values
        return msgspec.json.encode(
            {
                "source": request.name,
                "width": located.image.shape[1],
                "height": located.image.shape[0],
                "weights": {"name": manifest.name, "identity": manifest.identity},
                "method": "occlusion",
                "face": options.face,
                "box": one.face.to_dict()["box"],
                "label": one.label,
                "probability": one.probability,
                "cells": np.round(values.astype(np.float64), DIGITS).tolist(),
                "crop_px": manifest.inputs.size_px,
                "matrix": one.matrix.tolist(),
            }
        )
