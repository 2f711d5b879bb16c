"""Only `MienError`s leave the public functions, whatever they are given, and what is wrong is in the message."""

from __future__ import annotations

import inspect
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mien
from mien.arguments import _declared, _fits, checked
from mien.errors import InputError, MienError, OptionError

FUNCTIONS = {name: getattr(mien, name) for name in mien.__all__ if inspect.isfunction(getattr(mien, name))}
METHODS = {
    f"Recognizer.{name}": getattr(mien.Recognizer, name)
    for name in ("predict", "frames", "predict_video", "predict_folder")
}
CHECKED = [(name, each) for name, of in (FUNCTIONS | METHODS).items() for each in _declared(inspect.unwrap(of))[1]]
LEFT_TO_THEM = {  # arrays, tables and images: the functions know more of them than a type
    "annotate": {"source"}, "explain": {"source"}, "predict": {"source"}, "report": {"table", "second"},
    "summarize": {"table"}, "Recognizer.predict": {"source"}, "read_image": {"source"},
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
