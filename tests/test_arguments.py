"""Only `MienError`s leave the public functions, whatever they are given, and what is wrong is in the message."""

from __future__ import annotations

import inspect
import math
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mien
from mien.arguments import _declared, _fits, checked
from mien.errors import InputError, MienError, OptionError
from mien.geometry import Box
from mien.labels import FERPLUS, Expression, LabelSet
from mien.media.work import Progress
from mien.results import Face, Pose, Scores

FUNCTIONS = {name: getattr(mien, name) for name in mien.__all__ if inspect.isfunction(getattr(mien, name))}
METHODS = {
    f"Recognizer.{name}": getattr(mien.Recognizer, name)
    for name in (
        "predict",
        "see",
        "detections",
        "recognise",
        "with_expressions",
        "frames",
        "predict_video",
        "predict_folder",
    )
}
CHECKED = [(name, each) for name, of in (FUNCTIONS | METHODS).items() for each in _declared(inspect.unwrap(of))[1]]
LEFT_TO_THEM = {  # arrays, tables and images: the functions know more of them than a type
    "annotate": {"source"}, "explain": {"source"}, "predict": {"source"}, "report": {"table", "second"},
    "episodes": {"table"}, "summarize": {"table", "segments"}, "Recognizer.predict": {"source"},
    "Recognizer.see": {"source"}, "Recognizer.detections": {"image"}, "read_image": {"source"},
}  # fmt: skip


class Strange:
    pass


@pytest.mark.parametrize(("name", "parameter"), CHECKED, ids=lambda each: str(each))
def test_an_argument_of_another_type_is_refused_by_its_name(name: str, parameter: str) -> None:
    function = (FUNCTIONS | METHODS)[name]
    kinds = _declared(inspect.unwrap(function))[1]
    required = [each for each, its in inspect.signature(function).parameters.items()
                if its.default is its.empty and its.kind is not its.VAR_KEYWORD]  # fmt: skip
    good = {each: next((fit for fit in ("a", []) if _fits(fit, kinds.get(each, ()))), None) for each in required}
    with pytest.raises(OptionError, match=f"{parameter} is .*; give "):
        function(**{**good, parameter: Strange()})
    with pytest.raises(OptionError, match=f"{parameter} is .*; give "):
        function(**{**good, parameter: np.array([None, Strange()])})


def test_every_parameter_is_checked_or_read_by_the_function_itself() -> None:
    unchecked = {}
    for name, function in (FUNCTIONS | METHODS).items():
        kinds = _declared(inspect.unwrap(function))[1]
        rest = {
            each
            for each, its in inspect.signature(function).parameters.items()
            if each not in kinds and its.kind is not its.VAR_KEYWORD and each != "self"
        }
        unchecked |= {name: rest} if rest else {}
    assert unchecked == LEFT_TO_THEM


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_public_functions_are_checked(name: str) -> None:
    assert hasattr(FUNCTIONS[name], "__wrapped__")


@checked
def example(
    path: str | Path,
    *,
    count: int = 1,
    share: float = 0.5,
    names: list[str] | None = None,
    several: tuple[str, ...] = (),
) -> int:
    return Path(path).read_text().count("x") * count


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": 2.5}, "count is 2.5; give a whole number"),
        ({"count": True}, "count is True; give a whole number"),
        ({"count": math.nan}, "count is nan; give a whole number"),
        ({"share": "half"}, "share is 'half'; give a number"),
    ],
)
def test_the_message_says_what_was_given_and_what_to_give(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError) as caught:
        example("file", **options)
    assert str(caught.value) == message


def test_numbers_of_arrays_are_numbers(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("xx")
    assert example(tmp_path / "a", count=np.int64(2), share=np.float32(1)) == 4


def test_what_the_system_says_of_a_file_is_our_error() -> None:
    with pytest.raises(InputError, match=r"no_such: No such file or directory"):
        example("no_such")
    with pytest.raises(InputError, match=r"File name too long"):
        example("x" * 5000)


def test_messages_do_not_carry_images() -> None:
    base64 = "iVBORw0KGgo" * 10_000
    for call in (
        mien.predict,
        mien.load,
        mien.load_network,
        mien.verify,
        mien.build,
        mien.summarize,
        mien.read_image,
    ):
        with pytest.raises(MienError) as caught:
            call(base64)
        assert len(str(caught.value)) < 1200


def test_explaining_with_no_weights_is_refused() -> None:
    with pytest.raises(OptionError, match="weights is an empty list"):
        mien.explain(np.zeros((8, 8, 3), dtype=np.uint8), weights=[])


@checked
def with_progress(progress: Progress | None = None) -> None:
    if progress is not None:
        progress(0, None)


def test_a_progress_function_that_cannot_be_called_is_refused_before_the_work() -> None:
    for wrong in (lambda: None, lambda done: None, lambda done, total, more: None, 5, int, str.upper):
        with pytest.raises(OptionError, match="progress is .*; give a function of 2 values or None"):
            with_progress(wrong)  # type: ignore[arg-type]
    for right in (None, print, lambda *values: None, lambda done, total=None: None):
        with_progress(right)  # type: ignore[arg-type]


def test_errors_of_a_progress_function_are_its_own() -> None:
    with pytest.raises(ZeroDivisionError):
        with_progress(lambda done, total: print(1 // done))


VALUES: dict[str, Callable[..., Any]] = {
    "Box": lambda value: mien.Box(value, 0, 1, 1).width,
    "Box.grown": lambda value: mien.Box(0, 0, 1, 1).grown(value),
    "Box.clipped": lambda value: mien.Box(0, 0, 1, 1).clipped(value, 1),
    "Detection": lambda value: mien.Detection(mien.Box(0, 0, 1, 1), value),
    "Pose": lambda value: mien.Pose(0.0, value, 0.0),
    "Quality": lambda value: mien.Quality(1, 1, 1, 1, 1, value).flags,
    "Quality.from_dict": mien.Quality.from_dict,
    "Scores": lambda value: mien.Scores(FERPLUS, value),
    "Scores, labels": lambda value: mien.Scores(value, (0.5, 0.5)),
    "Scores[]": lambda value: mien.Scores(LabelSet("yes no"), (0.5, 0.5))[value],
    "Face": mien.Face,
    "Face, landmarks": lambda value: mien.Face(mien.Box(0, 0, 1, 1), landmarks=(value,)),
    "Face, expression": lambda value: mien.Face(mien.Box(0, 0, 1, 1), expression=value or 1),
    "Face.from_dict": mien.Face.from_dict,
    "ImageResult": lambda value: mien.ImageResult("a", value),
    "LabelSet": lambda value: LabelSet([value, value]),
    "LabelSet.reorder": lambda value: FERPLUS.reorder(value, to=FERPLUS),
    "LabelSet.restrict": lambda value: FERPLUS.restrict(np.ones(8), to=value),
    "LabelSet.redistribute": lambda value: FERPLUS.redistribute(value, to=FERPLUS),
    "LabelSet.indices_in": FERPLUS.indices_in,
    "Expression": mien.Expression,
}
WRONG = [
    None,
    "",
    "abc",
    b"abc",
    [],
    [None],
    {},
    {1: 2},
    Strange(),
    int,
    1j,
    (value for value in "a"),
    Path("a"),
    ["a", [1]],
]


@pytest.mark.parametrize("name", VALUES)
def test_values_refuse_what_they_cannot_be(name: str) -> None:
    for wrong in WRONG:
        with pytest.raises(MienError):
            VALUES[name](wrong)


def test_values_take_the_numbers_of_arrays() -> None:
    side = np.float32(2)
    assert mien.Box(np.int64(1), 1.0, side, np.array(3.0)).area == 2
    assert mien.Scores(LabelSet(np.array(["yes", "no"])), (np.float64(0.25), 0.75)).top == "no"
    assert LabelSet(label for label in ("bored", np.str_("happiness"))) == LabelSet("bored happiness")


ARRAYS = [np.zeros(3), np.zeros((4, 4)), np.array([None, Strange()])]
FACE = Face(Box(0, 0, 9, 9), 0.9, ((1.0, 2.0),), Pose(0, 0, 0), expression=Scores(FERPLUS, (0.125,) * 8))


@pytest.mark.parametrize("value", [*ARRAYS, [1, 2], 1.5, "x", Strange()])
def test_constructors_name_what_they_cannot_take(value: Any) -> None:
    with pytest.raises(OptionError, match=r"No expression called .* (Known: anger|Did you mean)"):
        Expression(value)
    for name in ("model_kwargs", "pretrained", "shares", "known_classes"):
        with pytest.raises(OptionError, match=rf"Recipe\.{name} is .*; it must be Mapping"):
            mien.Recipe(name="a", network="poster", **{name: value})
    for name in ("box", "landmarks", "pose", "quality", "expression", "smoothed"):
        with pytest.raises(OptionError):
            Face.from_dict(FACE.to_dict() | {name: value})


def test_an_expression_is_looked_up_by_its_text() -> None:
    assert Expression("fear") is Expression(Expression.FEAR) is pickle.loads(pickle.dumps(Expression.FEAR))
    assert Face.from_dict(FACE.to_dict()) == FACE
