"""What can go wrong, as one family. Every message states the problem and what to do.

MienError
├── OptionError              an option has a value it cannot have
│   └── UnknownNameError     a network, weights or label set that does not exist
├── InputError               an input cannot be read
│   ├── ImageError           an image file that gives no pixels
│   ├── VideoError           a video that gives no frames, or no more
│   └── DataError            a data set's folder is not as its authors publish it
├── OutputError              a result cannot be written
├── WeightsError             a weights file is absent, altered, or does not fit its network
├── ServiceError             `mien serve` refuses a request, or cannot do what it asks for
└── MissingPackageError      a part of the package that this install does not have
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, get_args

from mien.wording import in_one_line

LONGEST_WORD = 300  # of a message, in characters: no path is as long, but an image as base64 text is


class MienError(Exception):
    """Base of all errors of this package. Very long words of a message are shortened: they may be image data."""

    def __str__(self) -> str:
        return _without_endless_words(super().__str__())


def _without_endless_words(text: str) -> str:
    return " ".join(
        word if len(word) <= LONGEST_WORD else f"{word[:60]}… ({len(word)} characters)" for word in text.split(" ")
    )


class OptionError(MienError, ValueError):
    """An option has a value it cannot have."""


def check_option(name: str, value: object, kind: Any, wanted: str) -> None:
    """Raises `OptionError` for an option of another type than `kind`; `wanted` says in words what to give."""
    truth = isinstance(value, bool) and kind is not bool and bool not in get_args(kind)  # True is no number here
    if truth or not isinstance(value, kind):
        raise refused(name, value, wanted)


def refused(name: str, value: object, wanted: str) -> OptionError:
    """The error for an option of another type; `wanted` says in words what to give."""
    return OptionError(f"{name} is {shortened(value)}; give {wanted}")


def shortened(value: object) -> str:
    """A value for a message, in one short line."""
    return in_one_line(repr(value), 80)


def unforeseen(error: Exception) -> str:
    """The reason, in one line, why a file could not be read where the error is none of ours."""
    return in_one_line(f"could not be read ({type(error).__name__}: {error}); please report it")


class UnknownNameError(OptionError, KeyError):
    """A name that does not exist. The message gives the nearest one that does."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        from difflib import get_close_matches

        known = sorted(map(str, known))
        near = get_close_matches(name, known, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else f" Known: {', '.join(known)}."
        self.message = f"No {kind} called {name!r}.{hint}"
        super().__init__(self.message)

    def __str__(self) -> str:  # KeyError would show quotes
        return _without_endless_words(self.message)


class InputError(MienError):
    """An input cannot be read."""


class ImageError(InputError):
    """An image file that gives no pixels. `source` is the path as given, `reason` one line."""

    def __init__(self, source: str, reason: str) -> None:
        self.source = source
        self.reason = reason
        super().__init__(f"{source}: {reason}")


class VideoError(InputError):
    """A video that gives no frames, or none beyond its damage. `source` is the path as given, `reason` one line."""

    def __init__(self, source: str, reason: str) -> None:
        self.source = source
        self.reason = reason
        super().__init__(f"{source}: {reason}")


class DataError(InputError):
    """A data set's folder is not as its authors publish it. The message lists the problems."""


class OutputError(MienError):
    """A result cannot be written: folder missing, disk full, no permission."""


class WeightsError(MienError):
    """A weights file is absent, altered, or does not fit its network."""


class ServiceError(MienError):
    """`mien serve` refuses a request. `status`: of HTTP. `retry_after_s`: when to try again, where that helps."""

    def __init__(self, message: str, *, status: int = 400, retry_after_s: int | None = None) -> None:
        self.status, self.retry_after_s = status, retry_after_s
        super().__init__(message)


def how_to_install(extra: str) -> str:
    """The command that adds an extra: by its name in a clone, elsewhere by its packages, as mien is on no index."""
    import shlex

    command, packages = f"in a clone of mien: pip install '.[{extra}]'", _packages_of(extra)
    return f"{command}; elsewhere: pip install {shlex.join(packages)}" if packages else command


def _packages_of(extra: str) -> list[str]:
    """The packages of an extra of the installed `mien`; none where it runs uninstalled."""
    import re
    from importlib.metadata import PackageNotFoundError, requires

    try:
        stated = requires("mien") or []
    except PackageNotFoundError:
        return []
    packages: list[str] = []
    for line in stated:
        requirement, _, marker = line.partition(";")
        if not re.search(rf"""extra == ['"]{re.escape(extra)}['"]""", marker):
            continue
        if ours := re.fullmatch(r"mien\[(.+)\]", requirement.strip()):
            packages += [name for other in ours[1].split(",") for name in _packages_of(other)]
        elif package := re.match(r"[\w.-]+(\[[\w,.-]+\])?", requirement):
            packages.append(package[0])
    return list(dict.fromkeys(packages))


class MissingPackageError(MienError, ImportError):
    """A part of the package that this install does not have."""

    def __init__(self, feature: str, package: str, extra: str) -> None:
        super().__init__(f"{feature} needs {package}, which is not installed; {how_to_install(extra)}")
