"""`mien.explain`: maps over the faces of an image."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from mien.arguments import checked
from mien.errors import OptionError, UnknownNameError
from mien.explanation.faithfulness import Faithfulness, centre_prior, faithfulness
from mien.explanation.maps import ExplanationMap, check_methods, resized, signed
from mien.explanation.measured import identity_of
from mien.explanation.occlusion import GRID, occlusion_map
from mien.explanation.torch_maps import TorchMaps, check_torch_methods
from mien.geometry import Box, quarter_turn
from mien.media.images import ImageSource, to_rgb
from mien.pipeline.loading import load
from mien.pipeline.recognizer import Recognizer
from mien.pipeline.turns import LocatedFace
from mien.results import Face


@dataclass(frozen=True, eq=False)
class Explanation:
    """Which parts of one face a network uses for the probability of a class."""

    face: Face
    index: int  # of the face in the image, from 0: the largest, or as the boxes are given
    weights: str
    network: str
    label: str  # the class that is explained
    probability: float
    maps: tuple[ExplanationMap, ...]  # of each method, the map over all scales first
    crop: np.ndarray = field(repr=False)  # (S, S, 3) uint8 RGB: the face as the network sees it
    matrix: np.ndarray = field(repr=False)  # (2, 3): from image pixels into the crop
    centre_prior: Faithfulness | None  # of a map that is highest in the middle of every face; None: not computed
    identity: str  # twelve digits that stand for the numbers of the weights, in whatever form they are run
    arrays: Mapping[str, np.ndarray] = field(repr=False)  # of the attention: scale weights, pose, patch scores
    note: str = ""  # of the attention, in one line

    def __getitem__(self, method: str) -> ExplanationMap:
        """The first map of a method."""
        for one in self.maps:
            if one.method == method:
                return one
        raise UnknownNameError("method in this explanation", method, {one.method for one in self.maps})


@checked
def explain(
    source: ImageSource,
    *,
    weights: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] = "default",
    methods: str | Sequence[str] = "occlusion",
    label: str | None = None,
    detect: bool = True,
    boxes: Sequence[Box] | None = None,
    curves: bool = True,
    recognizer: Recognizer | None = None,
) -> list[Explanation]:
    """Heat maps of what the networks use in every face of an image: largest face first, for each face all weights.

    `source`, `detect`, `boxes`: as for `mien.predict`.
    `weights`: one or several, of any network; or a loaded `recognizer`.
    `methods`: "occlusion", for any network; with torch also "attention" (the network's own: cross-attention of
    POSTER and POSTER++, patches and tokens kept by APViT, masks of PhaNet), "grad-cam" and "integrated-gradients"
    (extra `explain`); or "all" that the network has.
    `label`: the class to explain; None for the most probable of each face and weights.
    `curves`: also deletion and insertion curves of each map, for 14 runs of the network.

    Raises `OptionError` for a method that a network does not have, `MissingPackageError` without torch or captum.
    """
    names = check_methods(methods)
    several = [weights] if isinstance(weights, (str, os.PathLike)) else list(weights)
    if not several and recognizer is None:
        raise OptionError("weights is an empty list; give a name, a path, or several of them")
    recognizers = [load(one, precision="float32") for one in several] if recognizer is None else [recognizer]
    explainers = [Explainer(one, names, curves=curves) for one in recognizers]
    for one in recognizers:
        if label is not None and label not in one.labels:
            raise UnknownNameError("class", label, one.labels)
    image = to_rgb(source)
    located = recognizers[0].locate(image, detect=detect, boxes=boxes)
    return [each.explain(image, face, i, label) for i, face in enumerate(located) for each in explainers]


class Explainer:
    """One recognizer, and its network in torch where a method needs that; kept for many images.

    Raises as `explain` does where its weights or this install lack a method.
    """

    def __init__(self, recognizer: Recognizer, methods: tuple[str, ...], *, curves: bool) -> None:
        check_torch_methods(recognizer.network.manifest, methods)
        self.recognizer, self.curves = recognizer, curves
        self.inputs = recognizer.network.manifest.inputs
        needs_torch = any(method != "occlusion" for method in methods)
        self.torch_maps = TorchMaps(recognizer.network.manifest, methods) if needs_torch else None
        self.methods = methods if self.torch_maps is None else self.torch_maps.methods

    def explain_boxes(self, image: np.ndarray, boxes: Sequence[Box]) -> list[Explanation]:
        """The faces in these boxes of an image (H, W, 3) uint8 RGB, in their order, for the most probable class."""
        located = self.recognizer.any_roll.locate_boxes(image, boxes)
        return [self.explain(image, face, i, None) for i, face in enumerate(located)]

    def explain(self, image: np.ndarray, located: LocatedFace, index: int, label: str | None) -> Explanation:
        """One located face of an image (H, W, 3) uint8 RGB; `index`: its number in the image."""
        (face,) = self.recognizer.recognise([(image, located)])
        if face.expression is None:
            raise AssertionError
        name = str(label or face.expression.top)
        crop = self.inputs.crop(np.rot90(image, located.turns), located.points)
        probability = partial(probability_of, self.recognizer, name)
        maps: list[ExplanationMap] = []
        arrays, note = dict[str, np.ndarray](), ""
        for method in self.methods:
            if method == "occlusion":
                maps.append(signed(method, "Occlusion", occlusion_map(probability, crop), "drop in probability"))
            elif self.torch_maps is not None and method == "attention":
                attention = self.torch_maps.attention(crop)
                maps += attention.maps
                arrays, note = dict(attention.arrays), attention.note
            elif self.torch_maps is not None:
                maps.append(self.torch_maps.gradients(method, crop, name))
        prior: Faithfulness | None = None
        if self.curves:
            cells = [resized(one.values, GRID) for one in maps]
            prior, *of_maps = faithfulness(probability, crop, [centre_prior(), *cells])
            maps = [replace(one, faithfulness=areas) for one, areas in zip(maps, of_maps, strict=True)]
        crop.flags.writeable = False
        manifest = self.recognizer.network.manifest
        return Explanation(
            face=face,
            index=index,
            weights=manifest.name,
            network=manifest.network,
            label=name,
            probability=face.expression[name],
            maps=tuple(maps),
            crop=crop,
            matrix=self._matrix(image, located),
            centre_prior=prior,
            identity=identity_of(manifest),
            arrays=arrays,
            note=note,
        )

    def _matrix(self, image: np.ndarray, located: LocatedFace) -> np.ndarray:
        turn = quarter_turn(located.turns, image.shape[1], image.shape[0])
        matrix = (np.vstack([self.inputs.matrix(located.points), [0, 0, 1]]) @ np.vstack([turn, [0, 0, 1]]))[:2]
        matrix.flags.writeable = False
        return np.asarray(matrix)


def probability_of(recognizer: Recognizer, label: str, faces: np.ndarray) -> np.ndarray:
    """Aligned faces (N, S, S, 3) uint8 RGB -> the probability (N,) of a class."""
    return recognizer.network.probabilities(faces)[:, recognizer.labels.index(label)]
