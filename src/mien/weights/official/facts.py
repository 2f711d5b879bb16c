"""What an official file does not state, and the authors' code and papers do: inputs, classes, accuracies.

Sources: zczcwh/POSTER ba2e3e9 (dataset_raf.py, dataset_affectnet.py, test.py), Talented-Q/POSTER_V2 18de559
(main.py), youqingxiaozhua/APViT 9efaf97 (datasets/raf.py, configs/_base_/datasets/RAF.py), and the papers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from mien.errors import OptionError
from mien.faces.framing import Framing
from mien.labels import LABEL_SETS, expression_called, label_set
from mien.models.paper_results import find_paper_result
from mien.preprocess import BOX, IMAGE, Preprocess
from mien.weights.official import Converted

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet, of the first, second and third channel

# The order of channels in which the authors' loader of each data set gives images to POSTER. RAF-DB is read with
# OpenCV and left as it comes, with the statistics of RGB. Guard: tests/weights/test_official.py
_POSTER_CHANNELS = {
    (True, "raf-db"): "bgr",
    (True, "affectnet-7"): "rgb",
    (True, "affectnet-8"): "rgb",
    (False, "affectnet-7"): "rgb",
    (False, "affectnet-8"): "rgb",
}

_FACE_NOTE = (
    "RAF-DB's own alignment to 100 x 100 pixels is not published as a template; faces are aligned to our template "
    "'face', so the framing is close to the set's but not the same (--framing takes it from a copy of the set)"
)
_APVIT_NOTE = "the authors' code puts the classes of every data set into one order of its own; so do the outputs"
_BOX_NOTE = (
    "the set's images are cut out by a detector's box and not turned; faces are cut out upright around their "
    "68 points, so the framing is close to the set's but not the same (--framing takes it from a copy of the set)"
)

Labels = str | tuple[str, ...]  # a key of LABEL_SETS, or own classes in the order of the outputs


@dataclass(frozen=True, kw_only=True)
class Facts:
    """The fields of a manifest that do not come from the tensors."""

    title: str  # for people: "POSTER large, RAF-DB variant"
    inputs: Preprocess
    licence: str
    labels: Labels | None = None
    paper: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def facts(converted: Converted, *, labels: str | None, channels: str | None, source: str) -> Facts:
    """Everything a manifest needs besides the tensors; `source` names the file in messages.

    `labels`: the label set of the data the file was trained on, by name, or its classes with commas between.
    `channels`: "rgb" or "bgr", where it is not what the authors' code feeds. Raises `OptionError` where the file
    cannot tell and neither is given, or where what is given does not fit.
    """
    given = None if labels is None else _named(labels)
    try:
        return OFFICIAL[converted.network](converted.config, given, channels)
    except OptionError as error:
        raise OptionError(f"{source} is {error}") from error


def framed(known: Facts, framing: Framing) -> Facts:
    """With the framing that was measured on a set, instead of the one that stands for its. Raises `OptionError`."""
    if known.labels is None:
        raise OptionError(f"{known.title}: it reads no expressions; leave --framing out")
    notes = [note for note in known.notes if note not in (_FACE_NOTE, _BOX_NOTE)]
    return replace(
        known,
        inputs=replace(known.inputs, template=IMAGE, points=framing.points, aspect=framing.aspect),
        notes=(*notes, framing.describe()),
    )


def _named(labels: str) -> Labels:
    """A label set by its name, or classes with commas between, in the field's words where it has one."""
    if "," not in labels:
        label_set(labels)  # an unknown name is reported before anything else
        return labels
    names = [name.strip() for name in labels.split(",")]
    classes = tuple(str(expression_called(name) or name) for name in names)
    try:
        label_set(classes)
    except ValueError as error:
        raise OptionError(f"--labels {labels}: {error}; give each class once, as happy,sad,bored") from error
    return classes


def _poster(config: Any, labels: Labels | None, channels: str | None) -> Facts:
    variant = "RAF-DB" if config.token_mix else "AffectNet"
    title = f"POSTER {config.size}, {variant} variant"
    labels = _given(labels, config.classes, title, why=" and in which colour order it saw its images")
    if channels is None and (config.token_mix, labels) not in _POSTER_CHANNELS:
        raise OptionError(
            f"{title}, and the authors publish no code that trains it on {_shown(labels)}: say with "
            "--channels bgr or --channels rgb in which order it saw colours. Their RAF-DB code reads with OpenCV "
            "and does not swap (bgr), their AffectNet code swaps (rgb)"
        )
    channels = channels or _POSTER_CHANNELS[config.token_mix, str(labels)]
    return Facts(
        title=title,
        labels=labels,
        inputs=_imagenet(224, _framing(labels), channels),
        licence="code of zczcwh/POSTER: MIT; nothing is stated about the weights",
        paper=_paper("poster", labels) if config.size == "large" else {},
        notes=(_framing_note(labels),),
    )


_ORDER_OF_FOLDERS = (
    "classes stand in the order of the sorted names of the training folders; taken here to be the numbers "
    "that the data set gives its classes (caer-s: the English names)"
)
_OWN_ORDER = (
    "the classes stand in the order given at conversion; the authors' code takes that of the sorted names of the "
    "training folders: check that they are the same"
)


def _poster_v2(config: Any, labels: Labels | None, channels: str | None) -> Facts:
    title = "POSTER++"
    labels = _given(
        labels, config.classes, title, why=", which was that of the sorted names of the folders it was trained on"
    )
    return Facts(
        title=title,
        labels=labels,
        inputs=_imagenet(224, _framing(labels), channels or "rgb"),
        licence="code of Talented-Q/POSTER_V2: MIT; nothing is stated about the weights",
        paper=_paper("poster_v2", labels),
        notes=(
            _OWN_ORDER if isinstance(labels, tuple) else _ORDER_OF_FOLDERS,
            _framing_note(labels),
        ),
    )


def _apvit(config: Any, labels: Labels | None, channels: str | None) -> Facts:
    own: Labels = f"apvit-{config.classes}"
    if isinstance(labels, tuple):
        own = _fits(labels, config.classes, "APViT")
    elif own not in LABEL_SETS:
        raise OptionError(
            f"APViT with {config.classes} classes; the authors' code knows an order for 7 and for 8. Name them all "
            "with --labels, in the order of the outputs, with commas between"
        )
    if labels is not None:
        _fits(labels, config.classes, "APViT")
    trained_on = labels or ("raf-db" if config.classes == 7 else None)
    return Facts(
        title="APViT",
        labels=own,
        inputs=_imagenet(112, "arcface", channels or "rgb"),
        licence="project youqingxiaozhua/APViT: Apache-2.0",
        paper=_paper("apvit", trained_on),
        notes=("the classes stand in the order given at conversion",) if labels is own else (_APVIT_NOTE,),
    )


def _part(
    config: Any,
    labels: Labels | None,
    channels: str | None,
    *,
    title: str,
    inputs: Callable[[Any, str | None], Preprocess],
    note: str,
) -> Facts:
    """Weights without classes, which others start from or carry."""
    if labels is not None:
        raise OptionError(f"{title}: it has no classes; leave --labels out")
    licence = "not stated in the file"
    return Facts(title=title, inputs=inputs(config, channels), licence=licence, notes=(note,))


OFFICIAL: dict[str, Callable[[Any, Labels | None, str | None], Facts]] = {  # keys as in FAMILIES
    "poster": _poster,
    "poster_v2": _poster_v2,
    "apvit": _apvit,
    "landmarks68": partial(
        _part,
        title="the 68-landmark network",
        inputs=lambda config, channels: Preprocess(
            size_px=config.size_px, template=BOX, mean=(0.0,) * 3, std=(1.0,) * 3, channels=channels or "bgr"
        ),
        note="images as in cunjian/pytorch_face_landmark: divided by 255, read with OpenCV (bgr)",
    ),
    "ir50": partial(
        _part,
        title="IR-50, an image backbone",
        inputs=lambda config, channels: Preprocess(
            size_px=112, template="arcface", mean=(0.5,) * 3, std=(0.5,) * 3, channels=channels or "rgb"
        ),
        note="the inputs are those of its training for face identity; POSTER, POSTER++ and APViT feed it images "
        "normalised by ImageNet's statistics",
    ),
    "densenet": partial(
        _part,
        title="DenseNet, an image backbone",
        inputs=lambda config, channels: _imagenet(224, BOX, channels or "rgb"),
        note="the inputs are those of PhaNet, whose backbone it starts: a face that is not turned, with a margin",
    ),
    "vit_small": partial(
        _part,
        title="ViT-small, a transformer",
        inputs=lambda config, channels: _imagenet(112, "arcface", channels or "rgb"),
        note="the inputs are those of APViT, whose transformer it starts; it sees no images itself",
    ),
}


def _given(labels: Labels | None, classes: int, title: str, *, why: str) -> Labels:
    """The label set as given, if it fits; otherwise an `OptionError` with those that fit and why one is needed."""
    if labels is None:
        fitting = ", ".join(_fitting(classes)) or "none of ours (docs/concepts/labels.md)"
        raise OptionError(
            f"{title} with {classes} classes, and such a file does not say in which order they stand{why}. "
            f"Say what it was trained on with --labels; with {classes} classes: {fitting}; or name them all, with "
            "commas between"
        )
    return _fits(labels, classes, title)


def _fits(labels: Labels, classes: int, title: str) -> Labels:
    if len(label_set(labels)) != classes:
        fitting = ", ".join(_fitting(classes)) or "no label set"
        raise OptionError(
            f"{title} with {classes} classes, but --labels {_shown(labels)} has {len(label_set(labels))}; "
            f"with {classes} classes: {fitting}"
        )
    return labels


def _shown(labels: Labels) -> str:
    return labels if isinstance(labels, str) else ",".join(labels)


def _fitting(classes: int) -> list[str]:
    """Label sets of data; APViT's own order is no data set."""
    return [name for name, known in LABEL_SETS.items() if len(known) == classes and not name.startswith("apvit")]


def _imagenet(size_px: int, template: str, channels: str) -> Preprocess:
    """ImageNet's statistics in the order of the channels as they are fed: swapping images does not swap these."""
    if channels == "bgr":
        return Preprocess(size_px=size_px, template=template, mean=_MEAN[::-1], std=_STD[::-1], channels="bgr")
    return Preprocess(size_px=size_px, template=template, mean=_MEAN, std=_STD, channels=channels)


def _framing(labels: Labels) -> str:
    return "face" if labels == "raf-db" else BOX


def _framing_note(labels: Labels) -> str:
    return _FACE_NOTE if labels == "raf-db" else _BOX_NOTE


def _paper(network: str, labels: Labels | None) -> dict[str, Any]:
    if not isinstance(labels, str):
        return {}
    known = find_paper_result(network, labels.removesuffix("-7").removesuffix("-8"), len(label_set(labels)))
    return {} if known is None else {"accuracy": known.accuracy, "dataset": labels, "source": known.source}
