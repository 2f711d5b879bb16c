"""Facial expression recognition: from a photo to the expression of every face in it.

    import mien
    faces = mien.predict("photo.jpg")      # list of Face: box, 68 points, head pose, quality, expression
    reader = mien.load("default")          # keep it for many images
    table = reader.predict_folder("holiday/")
    net = mien.build("poster_v2", classes=7)    # a torch module; needs mien[train]

Importing does nothing: every name is loaded on first use, and torch only by what trains.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from mien._version import __version__ as __version__

if TYPE_CHECKING:
    from mien.datasets.audit.check import DatasetCheck as DatasetCheck
    from mien.datasets.audit.check import check as check
    from mien.errors import MienError as MienError
    from mien.geometry import Box as Box
    from mien.labels import Expression as Expression
    from mien.labels import LabelSet as LabelSet
    from mien.media.images import read_image as read_image
    from mien.models import build as build
    from mien.pipeline.recognizer import Recognizer as Recognizer
    from mien.pipeline.recognizer import load as load
    from mien.pipeline.recognizer import predict as predict
    from mien.prepared.build import PreparationReport as PreparationReport
    from mien.prepared.build import prepare as prepare
    from mien.results import Face as Face
    from mien.results import Pose as Pose
    from mien.results import Quality as Quality
    from mien.results import Scores as Scores
    from mien.training.recipe import Recipe as Recipe
    from mien.training.session import TrainingResult as TrainingResult
    from mien.training.session import train as train
    from mien.weights.fill import load_network as load_network

_PUBLIC = {
    "Box": "mien.geometry",
    "DatasetCheck": "mien.datasets.audit.check",
    "Expression": "mien.labels",
    "Face": "mien.results",
    "LabelSet": "mien.labels",
    "MienError": "mien.errors",
    "Pose": "mien.results",
    "PreparationReport": "mien.prepared.build",
    "Quality": "mien.results",
    "Recognizer": "mien.pipeline.recognizer",
    "Recipe": "mien.training.recipe",
    "Scores": "mien.results",
    "TrainingResult": "mien.training.session",
    "build": "mien.models",
    "check": "mien.datasets.audit.check",
    "load": "mien.pipeline.recognizer",
    "load_network": "mien.weights.fill",
    "predict": "mien.pipeline.recognizer",
    "prepare": "mien.prepared.build",
    "read_image": "mien.media.images",
    "train": "mien.training.session",
}
__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> object:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'mien' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
