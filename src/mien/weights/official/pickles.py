"""Official checkpoints are pickles, and a pickle may call any function. This reader calls none.

Tensors, containers and numbers are read by torch's restricted unpickler. What the authors' scripts saved
beside them, objects of their own classes and numpy arrays, is replaced by `Unread`.
"""

from __future__ import annotations

import pickle
import pickletools
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from mien.errors import MissingPackageError, WeightsError
from mien.weights.checksums import damaged_entry
from mien.weights.downloads import no_weights

_TRUSTED = {"torch", "collections", "_codecs"}  # torch's unpickler decides on each name of these
_REPLACED = {"__main__", "numpy"}  # recorders of training scripts, their arrays and numbers
_HARMLESS = {"__builtin__.set", "builtins.set"}  # replaced too

MAX_PICKLE_BYTES = 16 * 2**20  # of names and shapes; tensors lie beside it, official files need under 1 MiB


class Unread:
    """Stands where a pickle held an object that is no weight. Takes any state and keeps none."""

    def __new__(cls, *args: object, **kwargs: object) -> Unread:
        """Whatever the object was made from is ignored."""
        return super().__new__(cls)

    def __setstate__(self, state: object) -> None:
        """Whatever the object held is ignored."""


def read(path: Path) -> Any:
    """What `torch.save` wrote to `path`, in its zip or its older format, on the CPU.

    Raises `WeightsError` if the file asks for anything but tensors, containers and numbers.
    """
    try:
        import torch
    except ModuleNotFoundError as error:
        raise MissingPackageError("Reading an official checkpoint", "torch", "train") from error

    if not path.is_file():
        raise WeightsError(f"{path}: {'this is a folder' if path.is_dir() else 'no such file'}")
    if what := no_weights(path):
        raise WeightsError(f"{path} {what}")
    try:
        names = set(_globals(path))
        damaged = damaged_entry(path)
    except Exception as error:  # as below
        raise _broken(path, error) from error
    if damaged is not None:
        raise WeightsError(
            f"{path} is damaged: the checksum of {damaged} in it is another; copy or download it again"
        )
    replaced = {name for name in names if name.split(".")[0] in _REPLACED} | names & _HARMLESS
    foreign = {name for name in names - replaced if name.split(".")[0] not in _TRUSTED}
    if modules := {name for name in names if name.startswith("torch.nn.modules.")}:
        classes = ", ".join(sorted(name.rpartition(".")[2] for name in foreign or modules)[:4])
        raise WeightsError(
            f"{path} holds a whole pickled network ({classes}, ...), not only its tensors; reading it would run "
            "its code, so it is refused. Load it where that code is, and save its tensors: "
            "torch.save(network.state_dict(), ...)."
        )
    if foreign:
        raise WeightsError(
            f"{path} is refused: reading it would run {', '.join(sorted(foreign))}, which no weights file "
            "needs. If you trust its source, save only its tensors: torch.save(network.state_dict(), ...)."
        )
    stand_ins: list[Any] = [(Unread, name) for name in replaced]
    try:
        with torch.serialization.safe_globals(stand_ins), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the protocol of a plain pickle; what it lacks is said below
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        named = f" It names {', '.join(sorted(names - replaced))}." if names - replaced else ""
        raise WeightsError(
            f"{path} holds more than tensors, containers and numbers, or is no torch checkpoint.{named} Look what "
            "it is; a checkpoint is written by torch.save(network.state_dict(), ...)"
        ) from error
    except Exception as error:  # a broken or forged file can provoke any exception
        raise _broken(path, error) from error


def _broken(path: Path, error: Exception) -> WeightsError:
    reason = str(error).strip().split("\n")[0] or type(error).__name__
    return WeightsError(f"{path} cannot be read as a torch checkpoint: {reason}; copy or download it again")


def _globals(path: Path) -> Iterator[str]:
    """Every class or function that the pickles in the file name, as "module.name". Nothing is run."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                if member.filename.endswith(".pkl"):
                    if member.file_size > MAX_PICKLE_BYTES:
                        raise WeightsError(f"its {member.filename} says it holds {member.file_size:,} bytes")
                    if not member.CRC:  # saved without checksums
                        del member.CRC
                    with archive.open(member) as stream:
                        yield from _named(stream)
        return
    with path.open("rb") as stream:  # magic number, version, system, content and storage keys, one by one
        for _ in range(5):
            yield from _named(stream)


def _named(stream: IO[bytes]) -> Iterator[str]:
    try:
        for code, argument, _ in pickletools.genops(stream):
            if code.name in {"GLOBAL", "INST"}:
                yield str(argument).replace(" ", ".")
    except ValueError:
        return  # no pickle, or a broken one: torch says so
