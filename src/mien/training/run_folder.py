"""The folder of a run. Everything a reader needs to believe or repeat it, and what the run needs to go on.

run.json             recipe, versions, data fingerprint, seed, machine, times
metrics.jsonl        one line per epoch
tensorboard/         the same for TensorBoard
last.pt              where to go on
best.safetensors     the weights of the epoch that was best on validation, or of the last (recipe: best)
weights/             the same with its manifest, for `mien predict --weights` and `mien evaluate`
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from mien._version import __version__
from mien.errors import InputError, OptionError, OutputError
from mien.media.atomic import atomic_write
from mien.training.recipe import Recipe


class RunFolder:
    """Writes and reads one run's folder. `first`: only one process of a run writes."""

    def __init__(self, folder: Path, *, first: bool = True) -> None:
        self.folder, self.first = folder, first
        if first:
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise OutputError(f"{folder} cannot be made ({error.strerror}); choose another --out") from error

    def begin(self, recipe: Recipe, *, data: str, rows: Mapping[str, int], command: str) -> None:
        """Write `run.json`, or check that this is the run that stands there already.

        Raises `OptionError` naming every field in which the recipe or the data differ.
        """
        path = self.folder / "run.json"
        now = {"recipe": _plain(recipe.to_dict()), "data": data}
        if path.exists():
            before = json.loads(path.read_text(encoding="utf-8"))
            if differences := _differences({k: before[k] for k in now}, now):
                listing = "\n  ".join(differences)
                raise OptionError(
                    f"{self.folder} holds another run:\n  {listing}\nUse the same recipe and data or another --out."
                )
            return
        about = {
            "mien": __version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
            "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
            "command": command,
            "rows": dict(rows),
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        self._write("run.json", json.dumps(now | about, indent=1, ensure_ascii=False))

    def save(self, state: Mapping[str, Any]) -> None:
        """`last.pt`, whole or not at all."""
        if self.first:
            half = self.folder / "last.pt.half"
            try:
                torch.save(dict(state), half)
                half.replace(self.folder / "last.pt")
            except (OSError, RuntimeError) as error:
                half.unlink(missing_ok=True)
                raise OutputError(
                    f"{self.folder}/last.pt cannot be written ({error}); free some space, the same command goes on"
                ) from error

    def last(self) -> dict[str, Any] | None:
        """What `save` wrote; None where the run has not saved yet."""
        path = self.folder / "last.pt"
        if not path.exists():
            return None
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:
            raise InputError(f"{path} is damaged ({error}); delete it to begin anew") from error

    def keep_best(self, state: Mapping[str, Tensor]) -> None:
        """`best.safetensors`, whole or not at all."""
        if self.first:
            half = self.folder / "best.safetensors.half"
            save_file({name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}, half)
            half.replace(self.folder / "best.safetensors")

    def metrics(self, history: list[dict[str, Any]]) -> None:
        """`metrics.jsonl` and TensorBoard's events, as the history stands."""
        if self.first:
            self._write("metrics.jsonl", "".join(json.dumps(line) + "\n" for line in history))
            self._tensorboard(history[-1])

    def _tensorboard(self, line: dict[str, Any]) -> None:
        try:
            from tensorboardX import SummaryWriter
        except ModuleNotFoundError:  # the text says the same
            return
        with SummaryWriter(str(self.folder / "tensorboard"), write_to_disk=True) as writer:
            for name, value in line.items():
                if isinstance(value, (int, float)) and name != "epoch":
                    writer.add_scalar(name, value, line["epoch"])

    def _write(self, name: str, text: str) -> None:
        if self.first:
            atomic_write(self.folder / name, text.encode())


def _plain(value: Any) -> Any:
    """As JSON gives it back."""
    return json.loads(json.dumps(value))


def _differences(before: Any, now: Any, name: str = "") -> list[str]:
    """One line for each value that differs."""
    if isinstance(before, dict) and isinstance(now, dict):
        keys = [*before, *(key for key in now if key not in before)]
        return [line for key in keys for line in _differences(before.get(key), now.get(key), f"{name}.{key}")]
    return [] if before == now else [f"{name[1:]}: {before!r} there, {now!r} now"]
