"""Pretrained initialisation: weights, or parts of them, into a network or parts of it."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from mien.errors import OptionError, WeightsError
from mien.labels import LabelSet
from mien.nn.mobilefacenet import THIRD_MAP, MobileFaceNet
from mien.training.recipe import Recipe
from mien.weights.fill import fill, read_tensors
from mien.weights.manifest import WeightsManifest, load_manifest, shipped_names


def initialize(network: nn.Module, recipe: Recipe, weights_folder: Path, *, labels: LabelSet | None = None) -> None:
    """Load the recipe's pretrained weights, and unfreeze what stays random: networks freeze parts as published.

    `labels`: the classes of the run. Raises `OptionError` for a part that the network lacks, and for whole weights
    of other classes or another order of them; `WeightsError` for weights that do not fit.
    """
    for part, source in recipe.pretrained.items():
        if labels is not None and not part and ":" not in source:
            _check_classes(pretrained_manifest(source, weights_folder), labels)
        load_pretrained(network, part, source, weights_folder)
    for name, parameter in network.named_parameters():
        if not any(name.startswith(part) for part in recipe.pretrained):
            parameter.requires_grad_(True)


def _check_classes(manifest: WeightsManifest, labels: LabelSet) -> None:
    """The last layer would otherwise start with the outputs of other classes."""
    if manifest.labels is not None and manifest.label_set != labels:
        raise OptionError(
            f"pretrained: the weights {manifest.name!r} are for the classes {', '.join(manifest.label_set)}, the "
            f"run has {', '.join(labels)}, in this order; start from parts of them, such as "
            f"pretrained={{'image_backbone': '{manifest.name}:image_backbone'}}"
        )


def pretrained_manifest(source: str, folder: Path) -> WeightsManifest:
    """The manifest of "name" or "name:part": shipped weights, or weights in the folder."""
    name = source.partition(":")[0]
    if name in shipped_names():
        return load_manifest(name)
    path = folder / name
    if not path.exists():
        of_run = path.name == "weights"
        how = "train that run first" if of_run else f"convert them by mien weights convert FILE --to {path}"
        raise WeightsError(
            f"{path}: these pretrained weights are not there. mien recipes show says where they come from; {how}, "
            "name their folder by --weights-folder, "
            "or train without any by --from-scratch (far less accurate: docs/reference/recipes.md)"
        )
    return load_manifest(str(path))


def load_pretrained(network: nn.Module, part: str, source: str, folder: Path) -> None:
    """Fill a part of the network ("" is all of it) from "name" or, for a part of these weights, "name:part"."""
    name, _, inner = source.partition(":")
    manifest = pretrained_manifest(source, folder)
    state = read_tensors(manifest)
    if inner:
        prefix = f"{inner}."
        state = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
        if not state:
            raise WeightsError(f"weights {name} have no part called {inner!r}")
    try:
        target = network.get_submodule(part)
    except AttributeError:
        raise OptionError(f"pretrained: {type(network).__name__} has no part called {part!r}") from None
    if manifest.network == "vit_small":  # blocks, tokens and positions of APViT, which are no module of their own
        state = target.state_dict() | state
    if isinstance(target, MobileFaceNet) and target.config.maps == 2:
        state = {key: value for key, value in state.items() if not key.startswith(THIRD_MAP)}
    fill(target, state, source=source)
