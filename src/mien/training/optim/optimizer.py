"""Frozen parts, training mode and the optimizer, as a recipe states them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mien.errors import OptionError
from mien.training.objective import Objective
from mien.training.recipe import Recipe

HOW = ("lr", "fused", "foreach", "capturable")  # of a group: not what is computed, and the rate of the step


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


def build_optimizer(objective: Objective, recipe: Recipe, *, fused: bool = False) -> torch.optim.Optimizer:
    """The recipe's optimizer over what is trained, in groups of one learning rate and weight decay each.

    `fused`: all parameters in a few kernels, for a GPU.
    """
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
    in_one = True if fused else None  # None: as torch chooses
    if config.name == "sgd":
        return torch.optim.SGD(
            parameters, lr=config.lr, momentum=config.momentum, nesterov=config.nesterov, fused=in_one
        )
    kind = torch.optim.AdamW if config.name == "adamw" else torch.optim.Adam
    return kind(parameters, lr=config.lr, fused=in_one)


def fusible(recipe: Recipe, device: torch.device) -> bool:
    """Whether the optimizer may run in a few kernels here; float16 scales gradients between its parts."""
    return device.type == "cuda" and recipe.precision != "16-mixed"


def set_rates(optimizer: torch.optim.Optimizer, rates: Sequence[float]) -> None:
    """The learning rate of each group; one that is a tensor keeps its place, as a recorded step reads it there."""
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def load_state(optimizer: torch.optim.Optimizer, state: Mapping[str, Any]) -> None:
    """What a run saved, perhaps on another device: how the optimizer computes stays as it is here."""
    here = [{name: group[name] for name in HOW if name in group} for group in optimizer.param_groups]
    groups = [saved | how for saved, how in zip(state["param_groups"], here, strict=True)]
    optimizer.load_state_dict({**state, "param_groups": groups})


def decays(network: nn.Module, name: str, parameter: Tensor) -> bool:
    """Whether weight decay is for this parameter: not for norms, biases, class tokens and positions."""
    owner = network.get_submodule(name.rpartition(".")[0])
    undecayed = name.endswith(("bias", "cls_token", "pos_embed", "relative_position_bias_table"))
    return parameter.dim() > 1 and "Norm" not in type(owner).__name__ and not undecayed


def _parameters(objective: Objective) -> list[tuple[str, Tensor]]:
    """Everything that is trained, as recipes call it."""
    return [(objective.network_name(name), parameter) for name, parameter in objective.module.named_parameters()]
