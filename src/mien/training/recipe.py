"""A training run as one frozen value. A recipe file is a Python file that holds one as `RECIPE`."""

from __future__ import annotations

import runpy
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

from mien.errors import InputError, MienError, OptionError
from mien.training.fields import check_fields
from mien.training.losses import Loss
from mien.training.sam import SAMConfig
from mien.training.schedule import Schedule


@dataclass(frozen=True, kw_only=True)
class Optimizer:
    """The optimizer and what it may touch."""

    name: Literal["adamw", "adam", "sgd"] = "adamw"
    lr: float = 1e-3
    weight_decay: float = 0.02  # weight decay; not on norms, biases and other vectors unless `decay_norm_and_bias`
    decay_norm_and_bias: bool = False  # as the published APViT run does
    momentum: float = 0.9  # of SGD
    nesterov: bool = False
    grad_clip: float | None = None  # largest Euclidean norm of the gradient
    lr_multipliers: Mapping[str, float] = field(
        default_factory=dict
    )  # start of a parameter's name -> part of the rate


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What is trained, on what, how, and what came of it. All of it stands in the run's folder."""

    # what
    name: str
    network: str  # for `mien.build`
    config_name: str = "published"
    model_kwargs: Mapping[str, Any] = field(default_factory=dict)  # fields of the network's config, classes apart
    pretrained: Mapping[str, str] = field(
        default_factory=dict
    )  # part of the network ("" = all) -> weights, "name:part"
    """Names of shipped weights, or files that lie in the command line's --weights-folder."""
    # on what
    data: str = ""  # a data set's name; the folder is given on the command line, prepared
    variant: str = ""
    protocol: str = "official"  # where the validation part comes from
    folds: int = 0  # of protocols with folds; 0: as they have it
    validation_fraction: float = 0.1  # part of train held out for validation where the set has no validation split
    soft_labels: bool = True  # learn from the annotators' votes where a set has them; False: from its labels alone
    sampler: Literal["shuffle", "balanced", "repeat-factor", "power"] = "shuffle"
    sampler_strength: float = 0.5  # threshold of repeat-factor, exponent of power
    augmentation: str = "light"  # a preset's name
    size_px: int = 0  # side of the network's input; 0: as the augmentation has it
    poses: str = ""  # pose classes that PhaNet learns: "bu-3dfe", "multi-pie", "kdef", "five-yaws"
    # how
    epochs: int = 30
    batch: int = 64  # images per step over all processes
    micro_batch: int = 0  # images of a batch that pass through the network together; 0: as many as a process has
    seed: int = 0
    optimizer: Optimizer = Optimizer()
    schedule: Schedule = Schedule()
    loss: Loss = Loss()
    sam: SAMConfig | None = None
    sam_second_pass_statistics: bool = (
        False  # batch norms also learn from the second pass of SAM, as in the published code
    )
    mixup: float = 0.0  # alpha of the Beta distribution; 0: off
    cutmix: float = 0.0
    ema_decay: float = 0.0  # decay of the exponential moving average of the weights; 0: off
    frozen: tuple[str, ...] = ()  # starts of parameters' names that do not learn
    frozen_statistics: tuple[str, ...] = ()  # modules whose batch norms stay as they are
    teachers: tuple[
        str, ...
    ] = ()  # weights to learn from beside the labels, named as in `pretrained`; see Loss.distil
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    monitor: Literal["accuracy", "balanced_accuracy", "macro_f1", "last"] = "accuracy"
    """What keeps an epoch: a figure on validation, or being the last; then validation chooses nothing."""
    patience: int = 0  # epochs without a better one before stopping; 0: never
    # what came of it
    paper: str = ""
    paper_accuracy: float | None = None  # accuracy in the paper, 0..1
    hardware: str = ""
    measured: str = "not measured: data set not at hand"

    def __post_init__(self) -> None:
        check_fields(self)
        if self.epochs < 1 or self.batch < 1 or self.micro_batch < 0:
            raise OptionError(
                f"epochs {self.epochs} and batch {self.batch} must be at least 1, micro_batch at least 0"
            )
        if self.micro_batch and self.batch % self.micro_batch:
            raise OptionError(f"a batch of {self.batch} does not fall into parts of {self.micro_batch}")
        if bool(self.teachers) != bool(self.loss.distillation_weight):
            raise OptionError(
                "teachers and loss.distillation_weight (the weight of what they say): give both or none"
            )
        if self.monitor == "last" and self.patience:
            raise OptionError("monitor is 'last': patience would end the run before; set it to 0")
        if not 0 <= self.ema_decay < 1:
            raise OptionError(f"ema_decay is {self.ema_decay}; a decay is at least 0 and below 1")
        if self.size_px < 0 or self.mixup < 0 or self.cutmix < 0 or self.optimizer.lr < 0:
            raise OptionError("size_px, mixup, cutmix and the optimizer's lr must not be below 0")

    def to_dict(self) -> dict[str, Any]:
        """Plain values, nested."""
        return asdict(self)


def read_recipe(path: Path, changes: Mapping[str, str] | None = None) -> Recipe:
    """The `RECIPE` of a Python file, which is run, with some fields changed. It may import its neighbours.

    `changes`: {"epochs": "5", "optimizer.lr": "1e-4"}. Raises `InputError` where the file holds no recipe,
    `OptionError` for a change that does not fit.
    """
    if not path.is_file():
        raise InputError(f"{path} is no file; recipes are Python files, such as poster_v2/ferplus")
    with _importing_from(path.resolve().parent):
        try:
            found = runpy.run_path(str(path)).get("RECIPE")
        except MienError as error:
            raise InputError(f"{path}{_line(error, path)}: {error}") from error
        except (Exception, SystemExit) as error:
            raise InputError(f"{path}{_line(error, path)} stops with {type(error).__name__}: {error}") from error
    if not isinstance(found, Recipe):
        raise InputError(f"{path} holds no RECIPE; it must end in RECIPE = Recipe(...)")
    for name, text in (changes or {}).items():
        found = changed(found, name.split("."), text)
    return found


@contextmanager
def _importing_from(folder: Path) -> Iterator[None]:
    """Files of a folder can be imported, as `python FILE` lets them; afterwards nothing of it is left."""
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            if Path(getattr(sys.modules[name], "__file__", None) or "").parent == folder:
                del sys.modules[name]


def _line(error: BaseException, path: Path) -> str:
    """Where in the file it happened."""
    lines = [at.lineno for at in traceback.extract_tb(error.__traceback__) if at.filename == str(path)]
    return f", line {lines[-1]}" if lines else ""


def changed(value: Any, path: list[str], text: str) -> Any:
    """A frozen value with one field, or a field of a field, read from text."""
    name, *deeper = path
    known = [one.name for one in fields(value)]
    if name not in known:
        raise OptionError(f"{type(value).__name__} has no {name!r}; it has {', '.join(known)}")
    before = getattr(value, name)
    if deeper:
        if before is None or not hasattr(before, "__dataclass_fields__"):
            raise OptionError(f"{name} has no fields of its own here; change it in the recipe")
        return replace(value, **{name: changed(before, deeper, text)})
    return replace(value, **{name: _read(name, before, text)})


def _read(name: str, before: Any, text: str) -> Any:
    """Text as the type that the field has now."""
    if isinstance(before, bool):
        if text.lower() not in ("true", "false"):
            raise OptionError(f"{name} is true or false, not {text!r}")
        return text.lower() == "true"
    for kind in (int, float):
        if isinstance(before, kind) or (before is None and kind is float):
            try:
                return kind(text)
            except ValueError:
                raise OptionError(f"{name} is a number, not {text!r}") from None
    if isinstance(before, str):
        return text
    raise OptionError(f"{name} cannot be given on the command line; change it in a copy of the recipe")
