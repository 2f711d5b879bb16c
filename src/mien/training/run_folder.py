"""The folder of a run: everything needed to believe it, to repeat it and to continue it.

run.json             recipe, versions, data fingerprint, machine, command
metrics.jsonl        one line per epoch
tensorboard/         the same for TensorBoard
last.pt              the state from which the run continues
best.safetensors     the weights of the best epoch on the validation set, or of the last (recipe: monitor)
weights/             the same with their manifest, for `mien predict --weights` and `mien evaluate`
"""

from __future__ import annotations

import json
import logging
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from mien._version import __version__
from mien.errors import InputError, OptionError, OutputError
from mien.media.atomic import atomic_open, atomic_write
from mien.media.lock import lock
from mien.media.resume import differences
from mien.training.history import patience_ended
from mien.training.recipe import Recipe
from mien.weights.checksums import damaged_entry

log = logging.getLogger(__name__)


@contextmanager
def writing(path: Path, *others: type[Exception]) -> Iterator[Path]:
    """The path; what the system refuses while it is written, and `others`, becomes an `OutputError`."""
    kinds: tuple[type[Exception], ...] = (OSError, *others)
    try:
        yield path
    except kinds as error:
        raise OutputError(f"{path} cannot be written ({error}); free some space and repeat the command") from error


class RunFolder:
    """Writes and reads one run's folder. `first`: of the processes of a run only this one writes."""

    def __init__(self, folder: Path, *, first: bool = True) -> None:
        self.folder, self.first = folder, first
        if first:
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise OutputError(f"{folder} cannot be made ({error.strerror}); choose another --out") from error

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the folder, so that no other run begins in it; raises `OutputError` where one is at work."""
        if not self.first:
            yield
            return
        with writing(self.folder / ".lock") as path:
            file = path.open("ab")
        with file:
            if not lock(file):
                raise OutputError(
                    f"{self.folder}: another mien train is at work in it; wait for its end, or give another --out"
                )
            yield

    def begin(self, recipe: Recipe, *, data: str, images: Mapping[str, int], command: str) -> None:
        """Write `run.json`, or check that the folder holds this run.

        A finished run may continue to more epochs, and one that its patience stopped with more patience too. A
        folder in which no step was saved holds no run yet. Raises `OptionError` naming every field in which the
        recipe or the data differ, `OutputError` for a folder that holds something else.
        """
        now: dict[str, Any] = {"recipe": recipe.to_dict(), "data": data}
        before = self._read_run()
        if before is None:
            self.check()
        elif changed := differences({key: before[key] for key in now}, now):
            state = self.last()
            history = state["history"] if state else []
            if state is None:
                log.info("%s: no step of another recipe was saved; the run starts over", self.folder)
                before = None
            elif _continues(before["recipe"], history, changed, recipe):
                log.info(
                    "%s: finished with %d epochs, continues to %d; the learning rate follows the longer schedule",
                    self.folder, len(history), recipe.epochs,
                )  # fmt: skip
                now["extended_from"] = [*before.get("extended_from", []), len(history)]
            else:
                listing = "\n  ".join(changed)
                done = f"{len(history)} of {before['recipe']['epochs']} epochs, step {state['step']}"
                raise OptionError(
                    f"{self.folder} holds another run ({done}):\n  {listing}\nUse the same recipe and data, or "
                    "another --out; a finished run continues with more epochs. To start over, delete the folder."
                )
        else:
            return
        about = before or {
            "mien": __version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
            "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
            "command": command,
            "images": dict(images),
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        self._write("run.json", json.dumps(about | now, indent=1, ensure_ascii=False))

    def timed(self, recipe: Recipe) -> Recipe | None:
        """The recipe with the epochs that an earlier start of this run found for its minutes; None without one."""
        before = self._read_run()
        if before is None or before["recipe"].get("minutes") != recipe.minutes or self.last() is None:
            return None
        return replace(recipe, epochs=before["recipe"]["epochs"], epoch_images=before["recipe"]["epoch_images"])

    def check(self) -> None:
        """Raise `OutputError` for a folder that holds something else than a run, or what a run starts with."""
        if self._read_run() is not None or not self.folder.is_dir():
            return
        names = (path.name for path in self.folder.iterdir())
        others = sorted(name for name in names if not name.startswith(".") and name != "teachers")
        if others:
            shown = ", ".join(others[:3]) + (f" and {len(others) - 3} more" if len(others) > 3 else "")
            raise OutputError(f"{self.folder} holds other files ({shown}); give --out a new folder")

    def save(self, state: Mapping[str, Any]) -> None:
        """`last.pt`, in one step."""
        if self.first:
            with writing(self.folder / "last.pt", RuntimeError) as path, atomic_open(path) as file:
                torch.save(dict(state), file)

    def last(self) -> dict[str, Any] | None:
        """What `save` wrote; None where the run has not saved yet."""
        path = self.folder / "last.pt"
        if not path.exists():
            return None
        try:
            if (damaged := damaged_entry(path)) is not None:
                raise ValueError(f"the checksum of {damaged} in it is another")
            return torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:
            raise InputError(f"{path} is damaged ({error}); delete it to start over") from error

    @contextmanager
    def left_clean(self, history: Sequence[object]) -> Iterator[None]:
        """Where an `OptionError` ends a run, nothing of its first epoch stays: other settings may use the folder.

        Later epochs stay; the message says which folder to use.
        """
        try:
            yield
        except OptionError as error:
            if history:
                raise OptionError(
                    f"{error}, and another --out: {self.folder} keeps what was good until epoch {len(history)}"
                ) from error
            if self.first:
                (self.folder / "last.pt").unlink(missing_ok=True)
            raise OptionError(f"{error}; the same --out may be used") from error

    def keep_best(self, state: Mapping[str, Tensor]) -> None:
        """`best.safetensors`, in one step."""
        if self.first:
            tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
            with writing(self.folder / "best.safetensors") as path:
                atomic_write(path, save(tensors))

    def metrics(self, history: list[dict[str, Any]]) -> None:
        """`metrics.jsonl` and TensorBoard's events, as the history stands."""
        if self.first:
            self._write("metrics.jsonl", "".join(json.dumps(line) + "\n" for line in history))
            self._tensorboard(history[-1])

    def _tensorboard(self, line: dict[str, Any]) -> None:
        try:
            from tensorboardX import SummaryWriter
        except ModuleNotFoundError:  # metrics.jsonl holds the same
            return
        with (
            writing(self.folder / "tensorboard") as path,
            SummaryWriter(str(path), write_to_disk=True) as writer,
        ):
            for name, value in _flat(line):
                if isinstance(value, (int, float)) and name != "epoch":
                    writer.add_scalar(name, value, line["epoch"])

    def _read_run(self) -> dict[str, Any] | None:
        path = self.folder / "run.json"
        if not path.exists():
            return None
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            values["recipe"].setdefault("cuda_graph", False)  # runs of earlier versions
            return {"recipe": values["recipe"], "data": values["data"]} | values
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{path} is damaged ({error}); choose another --out, or delete the folder") from error

    def _write(self, name: str, text: str) -> None:
        with writing(self.folder / name) as path:
            atomic_write(path, text.encode())


def _continues(
    before: Mapping[str, Any], history: Sequence[Mapping[str, Any]], changed: Sequence[str], recipe: Recipe
) -> bool:
    """Whether a run that ended may go on under a recipe of more epochs or more patience, and nothing else new."""
    ended = len(history) == before["epochs"] or (
        bool(history) and patience_ended(history, before["monitor"], before["patience"])
    )
    longer = all(sentence.startswith(("recipe.epochs ", "recipe.patience ")) for sentence in changed)
    more = recipe.epochs > len(history) and not patience_ended(history, recipe.monitor, recipe.patience)
    return ended and longer and more


def _flat(values: Mapping[str, Any], inside: str = "") -> Iterator[tuple[str, Any]]:
    """Nested values by names with slashes between: sources/ferplus/accuracy."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{inside}{name}/")
        else:
            yield f"{inside}{name}", value
