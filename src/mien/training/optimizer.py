"""What a recipe says of the network and the optimizer, carried out."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mien.errors import OptionError
from mien.training.objective import Objective
from mien.training.recipe import Recipe


def freeze(objective: Objective, recipe: Recipe) -> None:
    """Take the gradient from what the recipe freezes.

    Raises `OptionError` for a name that fits nothing: a misspelt one would freeze nothing in silence.
    """
    for start in recipe.frozen:
        fitting = [parameter for name, parameter in _parameters(objective) if name.startswith(start)]
        if not fitting:
            raise OptionError(f"frozen: no parameter of {recipe.network} begins with {start!r}")
        for parameter in fitting:
            parameter.requires_grad_(False)


def set_training(objective: Objective, recipe: Recipe) -> None:
    """Training mode, but for the batch norms whose statistics the recipe freezes. Raises as `freeze`."""
    objective.module.train()
    modules = [(objective.called(name), module) for name, module in objective.module.named_modules()]
    for start in recipe.frozen_statistics:
        norms = [module for name, module in modules if name.startswith(start) and isinstance(module, _BatchNorm)]
        if not norms:
            raise OptionError(f"frozen_statistics: no batch norm of {recipe.network} begins with {start!r}")
        for norm in norms:
            norm.eval()


def build_optimizer(objective: Objective, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimizer over what learns, in groups of one rate and decay each."""
    how = recipe.optimizer
    names = [name for name, _ in _parameters(objective)]
    for start in how.lr_multipliers:
        if not any(name.startswith(start) for name in names):
            raise OptionError(f"optimizer.lr_multipliers: no parameter of {recipe.network} begins with {start!r}")
    groups: dict[tuple[float, float], list[Tensor]] = {}
    for full, parameter in objective.module.named_parameters():
        if not parameter.requires_grad:
            continue
        name = objective.called(full)
        fits = [start for start in how.lr_multipliers if name.startswith(start)]
        rate = how.lr * (how.lr_multipliers[max(fits, key=len)] if fits else 1.0)
        decay = how.weight_decay if how.decay_norm_and_bias or decays(objective.module, full, parameter) else 0.0
        groups.setdefault((rate, decay), []).append(parameter)
    if not groups:
        raise OptionError(f"the recipe freezes all of {recipe.network}")
    parameters: list[dict[str, Any]] = [
        {"params": members, "lr": rate, "weight_decay": decay} for (rate, decay), members in groups.items()
    ]
    if how.name == "sgd":
        return torch.optim.SGD(parameters, lr=how.lr, momentum=how.momentum, nesterov=how.nesterov)
    kinds = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}
    if how.name not in kinds:
        raise OptionError(f"no optimizer called {how.name!r}; there are adamw, adam and sgd")
    return kinds[how.name](parameters, lr=how.lr)


def decays(network: nn.Module, name: str, parameter: Tensor) -> bool:
    """Whether weight decay is for this parameter: not for norms, biases, class tokens and positions."""
    owner = network.get_submodule(name.rpartition(".")[0])
    last = name.rpartition(".")[2]
    return (
        parameter.dim() > 1
        and "Norm" not in type(owner).__name__
        and last not in ("bias", "cls_token", "pos_embed")
    )


def _parameters(objective: Objective) -> list[tuple[str, Tensor]]:
    """Everything that is trained, as recipes call it."""
    return [(objective.called(name), parameter) for name, parameter in objective.module.named_parameters()]
