"""Names in a recipe are the network's own, whatever it is trained inside of."""

from __future__ import annotations

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

import mien
from mien.errors import OptionError
from mien.training.objective import ExpressionObjective, JointObjective, Objective
from mien.training.optim.losses import Loss
from mien.training.optim.optimizer import build_optimizer, decays, freeze, set_training
from mien.training.recipe import Optimizer, Recipe

BIAS_TABLE = "relative_position_bias_table"
RECIPE = Recipe(name="named", network="phanet", frozen=("image_backbone.",), frozen_statistics=("image_backbone",))


def objectives() -> list[Objective]:
    network = mien.build("phanet", config_name="small", size_px=32)
    return [JointObjective(network), ExpressionObjective(network, Loss())]


@pytest.fixture(params=[0, 1], ids=["joint", "expression"])
def objective(request: pytest.FixtureRequest) -> Objective:
    return objectives()[request.param]


def first_part(objective: Objective) -> str:
    """A part of the network with weights of its own, image_backbone apart."""
    names = {name.partition(".")[0] for name, _ in objective.network.named_parameters()}
    return sorted(names - {"image_backbone"})[0]


def test_parts_are_frozen_by_the_networks_names(objective: Objective) -> None:
    freeze(objective, RECIPE)
    frozen = {name for name, p in objective.network.named_parameters() if not p.requires_grad}
    assert frozen == {
        name for name, _ in objective.network.named_parameters() if name.startswith("image_backbone.")
    }
    set_training(objective, RECIPE)
    assert not any(
        m.training for m in objective.network.image_backbone.modules() if "BatchNorm" in type(m).__name__
    )
    assert objective.network.training


def test_parts_learn_at_a_share_of_the_rate_by_the_networks_names(objective: Objective) -> None:
    part = first_part(objective)
    recipe = replace(RECIPE, optimizer=Optimizer(lr=0.01, lr_multipliers={part: 0.1}))
    slow = {
        id(parameter)
        for group in build_optimizer(objective, recipe).param_groups
        if group["lr"] == pytest.approx(0.001)
        for parameter in group["params"]
    }
    assert slow == {id(p) for name, p in objective.network.named_parameters() if name.startswith(part)}


def test_the_weights_of_the_joint_loss_have_a_name_too() -> None:
    joint = objectives()[0]
    freeze(joint, replace(RECIPE, frozen=("joint_loss.",)))
    frozen = [name for name, p in joint.module.named_parameters() if not p.requires_grad]
    assert frozen
    assert all(name.startswith("joint_loss.") for name in frozen)


@pytest.mark.parametrize("name", ["network.image_backbone", "backbone"])
def test_a_name_that_fits_nothing_is_refused(objective: Objective, name: str) -> None:
    with pytest.raises(OptionError, match="no parameter of phanet begins with"):
        freeze(objective, replace(RECIPE, frozen=(name,)))
    with pytest.raises(OptionError, match="no batch norm of phanet begins with"):
        set_training(objective, replace(RECIPE, frozen_statistics=(name,)))
    with pytest.raises(OptionError, match="no parameter of phanet begins with"):
        build_optimizer(objective, replace(RECIPE, optimizer=Optimizer(lr_multipliers={name: 0.5})))


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("poster", {"pos_embed"}),
        ("poster_v2", {"cls_token", "pos_embed", *(f"levels.{i}.attention.{BIAS_TABLE}" for i in range(3))}),
        ("apvit", {"cls_token", "cls_pos_embed", "patch_pos_embed"}),
        ("phanet", set()),
        ("bare_backbone", set()),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_tokens_and_positions_of_every_network_are_not_decayed(name: str, kept: set[str]) -> None:
    network = mien.build(name, config_name="light", classes=8)
    undecayed = {key for key, p in network.named_parameters() if p.dim() > 1 and not decays(network, key, p)}
    assert {key for key in undecayed if not key.endswith(".bias") and ".norm" not in key} == kept
