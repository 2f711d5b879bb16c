"""Frozen parts, training mode and the optimizer, as a recipe states them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mien.errors import OptionError
from mien.training.objective import Objective
from mien.training.recipe import Recipe


def freeze(objective: Objective, recipe: Recipe) -> None:
    """Freeze the parameters that the recipe names.

    Raises `OptionError` for a prefix of nothing: a misspelt one would freeze nothing in silence.
    """
    for prefix in recipe.frozen:
        fitting = [parameter for name, parameter in _parameters(objective) if name.startswith(prefix)]
        if not fitting:
            raise OptionError(f"frozen: no parameter of {recipe.network} begins with {prefix!r}")
        for parameter in fitting:
            parameter.requires_grad_(False)


def set_training(objective: Objective, recipe: Recipe) -> None:
    """Training mode, but for the batch norms whose statistics the recipe freezes. Raises as `freeze`."""
    objective.module.train()
    modules = [(objective.network_name(name), module) for name, module in objective.module.named_modules()]
    for prefix in recipe.frozen_statistics:
        norms = [module for name, module in modules if name.startswith(prefix) and isinstance(module, _BatchNorm)]
        if not norms:
            raise OptionError(f"frozen_statistics: no batch norm of {recipe.network} begins with {prefix!r}")
        for norm in norms:
            norm.eval()


def build_optimizer(objective: Objective, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimizer over what is trained, in groups of one learning rate and weight decay each."""
    config = recipe.optimizer
    names = [name for name, _ in _parameters(objective)]
    for prefix in config.lr_multipliers:
        if not any(name.startswith(prefix) for name in names):
            raise OptionError(f"optimizer.lr_multipliers: no parameter of {recipe.network} begins with {prefix!r}")
    groups: dict[tuple[float, float], list[Tensor]] = {}
    for full, parameter in objective.module.named_parameters():
        if not parameter.requires_grad:
            continue
        name = objective.network_name(full)
        fits = [prefix for prefix in config.lr_multipliers if name.startswith(prefix)]
        rate = config.lr * (config.lr_multipliers[max(fits, key=len)] if fits else 1.0)
        decayed = config.decay_norm_and_bias or decays(objective.module, full, parameter)
        groups.setdefault((rate, config.weight_decay if decayed else 0.0), []).append(parameter)
    if not groups:
        raise OptionError(f"the recipe freezes all of {recipe.network}")
    parameters: list[dict[str, Any]] = [
        {"params": members, "lr": rate, "weight_decay": decay} for (rate, decay), members in groups.items()
    ]
    if config.name == "sgd":
        return torch.optim.SGD(parameters, lr=config.lr, momentum=config.momentum, nesterov=config.nesterov)
    kind = torch.optim.AdamW if config.name == "adamw" else torch.optim.Adam
    return kind(parameters, lr=config.lr)


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
    return [(objective.network_name(name), parameter) for name, parameter in objective.module.named_parameters()]
