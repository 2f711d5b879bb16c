"""A training run as one frozen value. `mien recipes show NAME` prints its fields with these comments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from mien.errors import OptionError
from mien.training.optim.losses import Loss
from mien.training.optim.sam import SAMConfig
from mien.training.optim.schedule import Schedule
from mien.training.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Optimizer(Settings):
    """The optimizer and its groups of parameters."""

    name: Literal["adamw", "adam", "sgd"] = "adamw"  # of torch.optim
    lr: float = 1e-3  # learning rate
    weight_decay: float = 0.02  # not on norms, biases, tokens and positions, unless decay_norm_and_bias
    decay_norm_and_bias: bool = False  # weight decay on all parameters, as in the published APViT run
    momentum: float = 0.9  # of SGD
    nesterov: bool = False  # of SGD
    grad_clip: float | None = None  # largest Euclidean norm of the gradient; null: not clipped
    lr_multipliers: Mapping[str, float] = field(default_factory=dict)  # prefix of parameter names -> factor of lr

    def __post_init__(self) -> None:
        super().__post_init__()
        self._at_least(0, "lr", "weight_decay", "momentum", "grad_clip")
        if self.grad_clip == 0:
            raise OptionError("Optimizer.grad_clip is 0, so nothing would be trained; null switches clipping off")
        if wrong := [name for name, factor in self.lr_multipliers.items() if factor < 0]:
            raise OptionError(
                f"optimizer.lr_multipliers.{wrong[0]} is {self.lr_multipliers[wrong[0]]}; it must not be below 0"
            )


@dataclass(frozen=True, kw_only=True)
class Recipe(Settings):
    """What is trained, on what, how, and what came of it. All of it is written into the run's folder."""

    # what
    name: str  # of the run and of its weights
    network: str  # a name that mien.build knows, or the import path of a config, mypkg.net:Config
    config_name: str = "published"  # which config of the network: published (its defaults), light or small
    model_kwargs: Mapping[str, Any] = field(default_factory=dict)  # other fields of that config; not classes
    pretrained: Mapping[str, str] = field(default_factory=dict)  # part of the network ("": all) -> weights
    # on what
    data: str = ""  # the prepared data set's name; "": any
    variant: str = ""  # of that data set; "": any
    protocol: str = "official"  # official, cross, subject-folds, group-folds, ..., or the import path of a class
    folds: int = 0  # of protocols with folds; 0: the protocol's own number
    validation_fraction: float = 0.1  # of the training set, where the data set has no validation part
    shares: Mapping[str, float] = field(
        default_factory=dict
    )  # of a batch, by source ("*": others); {}: as they are
    known_classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by source; else those that occur
    source_bias: bool = False  # learn a bias per source, which is left out of the weights
    soft_labels: bool = True  # train on the annotators' votes where the set has them
    sampler: Literal["shuffle", "balanced", "repeat-factor", "power"] = "shuffle"  # order of an epoch
    sampler_strength: float = 0.5  # threshold of repeat-factor, exponent of power
    augmentation: str = "light"  # a preset's name, or the import path of an Augmentation, mypkg.aug:STRONG
    size_px: int = 0  # side of the network's input; 0: the preset's
    poses: str = ""  # pose classes of PhaNet: bu-3dfe, multi-pie, kdef or five-yaws
    # how
    epochs: int = 30  # passes over the training set
    epoch_images: int = 0  # images of an epoch where shares are stated; 0: as many as the training set has
    minutes: float = 0.0  # the run is to take: epochs (with shares also epoch_images) follow; 0: as they stand
    batch: int = 64  # images per step, over all processes
    micro_batch: int = 0  # images in one forward pass, which share batch norms; 0: all of a process
    seed: int = 0  # of everything random
    optimizer: Optimizer = Optimizer()  # its fields: --set optimizer.lr=1e-4
    schedule: Schedule = Schedule()  # its fields: --set schedule.name=constant
    loss: Loss = Loss()  # its fields: --set loss.smoothed_ce_weight=0.5
    sam: SAMConfig | None = None  # sharpness-aware minimisation; null: off
    sam_second_pass_statistics: bool = False  # batch norms also follow SAM's second pass, as published
    mixup: float = 0.0  # alpha of the Beta distribution; 0: off. Within a source where there are several
    mixup_share: float = 1.0  # of the images that are mixed
    ema_decay: float = 0.0  # of the exponential moving average of the weights, which is kept; 0: off
    frozen: tuple[str, ...] = ()  # prefixes of parameter names that are not trained
    frozen_statistics: tuple[str, ...] = ()  # prefixes of modules whose batch norms stay in eval mode
    teachers: tuple[str, ...] = ()  # weights to distil from; see loss.distillation_weight
    cached_teachers: bool = False  # they predict each image once, unchanged, and not every augmented batch
    precision: Literal["32-true", "bf16-mixed", "16-mixed", "auto"] = "32-true"  # auto: bf16 where it is faster
    cuda_graph: bool = False  # on a GPU the whole step is one CUDA graph, where it has one micro-batch and no SAM
    monitor: Literal["accuracy", "balanced_accuracy", "macro_f1", "last"] = "accuracy"  # mean over the sources
    patience: int = 0  # epochs without improvement before stopping; 0: never
    # what came of it
    paper: str = ""  # where paper_accuracy is published
    paper_accuracy: float | None = None  # 0..1
    hardware: str = ""  # and time
    measured: str = "not measured: data set not at hand"  # our result

    def __post_init__(self) -> None:
        super().__post_init__()
        self._at_least(1, "epochs", "batch")
        self._at_least(
            0, "micro_batch", "size_px", "mixup", "minutes", "epoch_images", "seed", "patience", "folds",
            "sampler_strength",
        )  # fmt: skip
        if self.seed >= 2**63:
            raise OptionError(f"seed is {self.seed}; it must be below 2**63")
        if self.micro_batch and self.batch % self.micro_batch:
            raise OptionError(f"batch {self.batch} must be a multiple of micro_batch {self.micro_batch}")
        if bool(self.teachers) != bool(self.loss.distillation_weight):
            raise OptionError("teachers and loss.distillation_weight belong together: give both or none")
        if self.monitor == "last" and self.patience:
            raise OptionError("monitor is 'last', so patience would end the run too early; set it to 0")
        if not 0 <= self.ema_decay < 1:
            raise OptionError(f"ema_decay is {self.ema_decay}; it must be at least 0 and below 1")
        if not 0 <= self.mixup_share <= 1:
            raise OptionError(f"mixup_share is {self.mixup_share}; it must lie in 0..1")
        if wrong := [name for name, share in self.shares.items() if not share >= 0]:
            raise OptionError(f"shares.{wrong[0]} is {self.shares[wrong[0]]}; it must not be below 0")
        if self.epoch_images and not self.shares:
            raise OptionError("epoch_images needs shares; without them an epoch is a pass over the training set")
        if self.cached_teachers and not self.teachers:
            raise OptionError("cached_teachers needs teachers")

    def to_dict(self) -> dict[str, Any]:
        """Plain values, nested; settings of a class of the user's own have its name as "class"."""
        values = asdict(self)
        for name, value in vars(self).items():
            if isinstance(value, Settings) and not type(value).__module__.startswith("mien."):
                values[name]["class"] = type(value).__qualname__
        return values
