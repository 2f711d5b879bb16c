"""Facial expression recognition: from a photo to the expression of every face in it.

    import mien
    faces = mien.predict("photo.jpg")           # list of Face: box, 68 landmarks, head pose, quality, expression
    recognizer = mien.load("default")           # to keep for many images
    table = recognizer.predict_folder("holiday/")
    network = mien.build("poster_v2", classes=7)   # a torch module; needs mien[train]

Importing loads nothing: each name is loaded on first use, and torch only by what trains.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from mien._version import __version__ as __version__

if TYPE_CHECKING:
    from mien.analysis.episodes import Episode as Episode
    from mien.analysis.episodes import episodes as episodes
    from mien.analysis.report import Report as Report
    from mien.analysis.report import report as report
    from mien.analysis.summary import TableSummary as TableSummary
    from mien.analysis.summary import summarize as summarize
    from mien.datasets.audit.check import DatasetCheck as DatasetCheck
    from mien.datasets.audit.check import check as check
    from mien.distributed.predict import CollectionResult as CollectionResult
    from mien.distributed.predict import predict_collection as predict_collection
    from mien.draw.faces import annotate as annotate
    from mien.errors import DataError as DataError
    from mien.errors import ImageError as ImageError
    from mien.errors import InputError as InputError
    from mien.errors import MienError as MienError
    from mien.errors import MissingPackageError as MissingPackageError
    from mien.errors import OptionError as OptionError
    from mien.errors import OutputError as OutputError
    from mien.errors import ServiceError as ServiceError
    from mien.errors import UnknownNameError as UnknownNameError
    from mien.errors import VideoError as VideoError
    from mien.errors import WeightsError as WeightsError
    from mien.evaluation.calibrate import CalibrationResult as CalibrationResult
    from mien.evaluation.calibrate import calibrate as calibrate
    from mien.evaluation.evaluate import compare as compare
    from mien.evaluation.evaluate import evaluate as evaluate
    from mien.evaluation.export import export as export
    from mien.evaluation.result import Comparison as Comparison
    from mien.evaluation.result import Evaluation as Evaluation
    from mien.explanation.explain import Explanation as Explanation
    from mien.explanation.explain import explain as explain
    from mien.faces import Detection as Detection
    from mien.faces import Detector as Detector
    from mien.faces import Landmarker as Landmarker
    from mien.geometry import Box as Box
    from mien.labels import Expression as Expression
    from mien.labels import LabelSet as LabelSet
    from mien.media.images import read_image as read_image
    from mien.models import build as build
    from mien.pipeline.batch import BatchOptions as BatchOptions
    from mien.pipeline.loading import load as load
    from mien.pipeline.loading import predict as predict
    from mien.pipeline.loading import stream as stream
    from mien.pipeline.recognizer import Recognizer as Recognizer
    from mien.prepared.build import PreparationReport as PreparationReport
    from mien.prepared.build import prepare as prepare
    from mien.results import Face as Face
    from mien.results import ImageResult as ImageResult
    from mien.results import Pose as Pose
    from mien.results import Quality as Quality
    from mien.results import Scores as Scores
    from mien.results import VideoFrame as VideoFrame
    from mien.training.recipe import Recipe as Recipe
    from mien.training.session import TrainingResult as TrainingResult
    from mien.training.session import train as train
    from mien.weights.convert import convert as convert
    from mien.weights.fill import load_network as load_network
    from mien.weights.manifest import WeightsManifest as WeightsManifest
    from mien.weights.verify import WeightsCheck as WeightsCheck
    from mien.weights.verify import verify as verify

_PUBLIC = {
    "BatchOptions": "mien.pipeline.batch",
    "Box": "mien.geometry",
    "CalibrationResult": "mien.evaluation.calibrate",
    "CollectionResult": "mien.distributed.predict",
    "Comparison": "mien.evaluation.result",
    "DataError": "mien.errors",
    "DatasetCheck": "mien.datasets.audit.check",
    "Detection": "mien.faces",
    "Detector": "mien.faces",
    "Episode": "mien.analysis.episodes",
    "Evaluation": "mien.evaluation.result",
    "Explanation": "mien.explanation.explain",
    "Expression": "mien.labels",
    "Face": "mien.results",
    "ImageError": "mien.errors",
    "ImageResult": "mien.results",
    "InputError": "mien.errors",
    "LabelSet": "mien.labels",
    "Landmarker": "mien.faces",
    "MienError": "mien.errors",
    "MissingPackageError": "mien.errors",
    "OptionError": "mien.errors",
    "OutputError": "mien.errors",
    "Pose": "mien.results",
    "PreparationReport": "mien.prepared.build",
    "Quality": "mien.results",
    "Recipe": "mien.training.recipe",
    "Recognizer": "mien.pipeline.recognizer",
    "Report": "mien.analysis.report",
    "Scores": "mien.results",
    "ServiceError": "mien.errors",
    "TableSummary": "mien.analysis.summary",
    "TrainingResult": "mien.training.session",
    "UnknownNameError": "mien.errors",
    "VideoError": "mien.errors",
    "VideoFrame": "mien.results",
    "WeightsCheck": "mien.weights.verify",
    "WeightsError": "mien.errors",
    "WeightsManifest": "mien.weights.manifest",
    "annotate": "mien.draw.faces",
    "build": "mien.models",
    "calibrate": "mien.evaluation.calibrate",
    "check": "mien.datasets.audit.check",
    "compare": "mien.evaluation.evaluate",
    "convert": "mien.weights.convert",
    "episodes": "mien.analysis.episodes",
    "evaluate": "mien.evaluation.evaluate",
    "explain": "mien.explanation.explain",
    "export": "mien.evaluation.export",
    "load": "mien.pipeline.loading",
    "load_network": "mien.weights.fill",
    "predict": "mien.pipeline.loading",
    "predict_collection": "mien.distributed.predict",
    "prepare": "mien.prepared.build",
    "read_image": "mien.media.images",
    "report": "mien.analysis.report",
    "stream": "mien.pipeline.loading",
    "summarize": "mien.analysis.summary",
    "train": "mien.training.session",
    "verify": "mien.weights.verify",
}
__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> object:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'mien' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
