"""Fields of a recipe: checked where they are set, read from text, explained."""

from __future__ import annotations

from typing import Any

import pytest

from mien.errors import OptionError
from mien.training.recipe import Optimizer, Recipe
from mien.training.recipe_source import read_recipe, shipped_recipes
from mien.training.settings import changed, field_docs, flat

RECIPE = Recipe(name="small", network="phanet")


def test_every_field_is_explained() -> None:
    docs = field_docs(Recipe)
    assert all(docs.values()), [name for name, text in docs.items() if not text]
    assert set(flat(RECIPE)) <= set(docs)


def test_lists_become_tuples_and_whole_numbers_floats() -> None:
    assert Recipe(name="small", network="phanet", frozen=["head."]).frozen == ("head.",)  # type: ignore[arg-type]
    assert repr(Optimizer(lr=1).lr) == "1.0"


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("epochs", "5", 5),
        ("soft_labels", "false", False),
        ("variant", "7", "7"),
        ("paper_accuracy", "null", None),
        ("optimizer.grad_clip", "2", 2.0),
        ("frozen", "a.,b.", ("a.", "b.")),
        ("frozen", "[]", ()),
        ("pretrained", '{"": "default"}', {"": "default"}),
        ("pretrained.image_backbone.conv", "a:b", {"image_backbone.conv": "a:b"}),
        ("model_kwargs.windows", "[4, 4, 4]", {"windows": [4, 4, 4]}),
        ("model_kwargs.attention", "False", {"attention": False}),
        ("model_kwargs.backbone", "densenet", {"backbone": "densenet"}),
        ("sam.rho", "0.1", 0.1),
        ("batch", 8, 8),
    ],
)
def test_a_text_is_read_as_the_field_wants_it(name: str, text: Any, value: Any) -> None:
    values = flat(changed(RECIPE, {name: text}))
    assert values.get(name, values.get(name.partition(".")[0])) == value


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("epoch", "5", "No field of Recipe called 'epoch'. Did you mean 'epochs'?"),
        ("optimizer.rate", "1", "No field of Optimizer called 'rate'"),
        ("epochs.all", "1", "epochs has no fields of its own"),
        ("epochs", "1.5", "Recipe.epochs is '1.5'; it must be int"),
        ("optimizer.lr", "nan", "Optimizer.lr is nan; it must be float"),
        ("monitor", "loss", "Recipe.monitor is 'loss'; it must be one of 'accuracy', 'balanced_accuracy'"),
        ("optimizer.lr_multipliers.head", "fast", "must be Mapping[str, float]"),
        ("optimizer.lr_multipliers.head", "-1", "optimizer.lr_multipliers.head is -1.0; it must not be below 0"),
        ("optimizer.weight_decay", "-1", "Optimizer.weight_decay is -1.0; it must be at least 0"),
        ("optimizer.grad_clip", "0", "nothing would be trained"),
        ("schedule.warmup_epochs", "-4", "Schedule.warmup_epochs is -4.0; it must be at least 0"),
        ("loss.temperature", "0", "Loss.temperature is 0.0; it must be above 0"),
        ("batch", "0", "Recipe.batch is 0; it must be at least 1"),
        ("seed", "-1", "Recipe.seed is -1; it must be at least 0"),
        ("seed", str(2**63), "must be below 2**63"),
    ],
)
def test_what_does_not_fit_is_refused(name: str, text: str, message: str) -> None:
    with pytest.raises(OptionError) as caught:
        changed(RECIPE, {name: text})
    assert message in str(caught.value)


def test_from_scratch_keeps_what_is_asked_for_beside_it() -> None:
    recipe = read_recipe("poster_v2/light", {"frozen": "head."}, from_scratch=True)
    assert (recipe.pretrained, recipe.frozen, recipe.frozen_statistics) == ({}, ("head.",), ())
    with pytest.raises(OptionError, match="from_scratch means no pretrained weights"):
        read_recipe("poster_v2/light", {"pretrained.image_backbone": "default:image_backbone"}, from_scratch=True)


def test_another_network_leaves_the_settings_of_the_first_behind() -> None:
    recipe = read_recipe("poster_v2/ferplus_muxspace_stage2", {"network": "apvit", "config_name": "light"})
    assert (recipe.network, recipe.config_name) == ("apvit", "light")
    assert recipe.pretrained == recipe.model_kwargs == recipe.optimizer.lr_multipliers == {}
    assert recipe.frozen == recipe.frozen_statistics == ()
    assert "poster_v2/ferplus_muxspace_stage2" in shipped_recipes()


@pytest.mark.parametrize(
    ("changes", "needs"),
    [
        ({"minutes": "9", "epochs": "5"}, "no minutes"),
        ({"minutes": "9", "epoch_images": "64"}, "no minutes"),
        ({"folds": "5"}, "a protocol with folds"),
        ({"sampler": "shuffle", "sampler_strength": "1"}, "sampler=power"),
        ({"mixup": "0", "mixup_share": "1"}, "mixup above 0"),
        ({"sam_second_pass_statistics": "true"}, "sam, such as"),
        ({"optimizer.momentum": "0.8"}, "optimizer.name=sgd"),
        ({"optimizer.nesterov": "true"}, "optimizer.name=sgd"),
        ({"schedule.gamma": "0.9"}, "schedule.name=exponential"),
        ({"schedule.name": "constant", "schedule.floor": "0.1"}, "schedule.name=cosine"),
        ({"loss.smoothed_ce_weight": "0", "loss.label_smoothing": "0.2"}, "loss.smoothed_ce_weight above 0"),
        ({"loss.temperature": "4"}, "teachers and loss.distillation_weight"),
    ],
)
def test_a_change_without_effect_is_refused(changes: dict[str, str], needs: str) -> None:
    with pytest.raises(OptionError, match=f"{list(changes)[-1]} has no effect here: it needs {needs}"):
        read_recipe("multi_source/bare_backbone", changes)


def test_a_change_that_the_others_make_work_is_taken() -> None:
    changes = {"optimizer.momentum": "0.8", "optimizer.name": "sgd", "schedule.floor": "0.1", "mixup_share": "0.4"}
    recipe = read_recipe("multi_source/bare_backbone", changes)
    assert (recipe.optimizer.momentum, recipe.schedule.floor, recipe.mixup_share) == (0.8, 0.1, 0.4)


def test_fields_that_belong_together_are_changed_together() -> None:
    both = changed(RECIPE, {"teachers": "default", "loss.distillation_weight": "0.5", "loss.temperature": "3"})
    assert (both.teachers, both.loss.distillation_weight, both.loss.temperature) == (("default",), 0.5, 3.0)
