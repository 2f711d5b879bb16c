"""Several prepared sets in one run: shares, known classes, mixing, bias, validation by source."""

from __future__ import annotations

import json
import logging
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from lightning_fabric import Fabric
from safetensors.torch import load_file

from mien.augment.mixing import Mixup, mix
from mien.errors import OptionError, UnknownNameError
from mien.training.data import TrainingData
from mien.training.objective import ExpressionObjective, TrainingBatch
from mien.training.optim.losses import Loss
from mien.training.plan import make_plan
from mien.training.recipe import Optimizer, Recipe
from mien.training.sampling import Mixture, Shuffle
from mien.training.session import TrainingResult, build_objective, resolved_precision, run_plan
from mien.training.teachers import Teachers, cached_logits
from mien.weights.manifest import load_manifest
from tests.research.fabricated import prepared
from tests.training.made_up import small_network

TINY = Recipe(
    name="tiny", network="phanet", config_name="small", model_kwargs={"size_px": 32, "poses": 0}, size_px=32,
    epochs=2, batch=8, validation_fraction=0.3, protocol="cross", monitor="balanced_accuracy",
    augmentation="multi-source", sampler="power", shares={"*": 1.0}, mixup=0.3, mixup_share=0.5, ema_decay=0.9,
    loss=Loss(ce_weight=0.0, smoothed_ce_weight=1.0, label_smoothing=0.05), optimizer=Optimizer(lr=1e-3),
)  # fmt: skip


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """FER+ with votes, and RAF-DB, which has no contempt."""
    folders = []
    for name, variant in (("ferplus", ""), ("raf-db", "aligned")):
        folder = prepared(tmp_path_factory.mktemp(name), name, variant)
        folders.append(folder.rename(folder.parent / name))
    return folders


def trained(sets: list[Path], out: Path, recipe: Recipe = TINY, **options: Any) -> TrainingResult:
    return run_plan(make_plan(recipe, sets), out, fabric=Fabric(accelerator="cpu", devices=1), **options)


def test_an_unknown_class_is_not_pushed_down() -> None:
    logits = torch.randn(6, 4, requires_grad=True)
    known = torch.tensor([[True, True, False, True]]).repeat(6, 1)
    targets = torch.eye(4)[[0, 1, 3, 0, 1, 3]]
    loss = Loss(ce_weight=0.5, smoothed_ce_weight=0.5, label_smoothing=0.2)
    loss(logits, targets, known=known).backward()
    assert (logits.grad[:, 2] == 0).all()
    assert (logits.grad[:, [0, 1, 3]] != 0).all()
    within = logits.detach()[:, [0, 1, 3]]
    expected = loss(within, targets[:, [0, 1, 3]])
    torch.testing.assert_close(loss(logits, targets, known=known), expected)


def test_with_every_class_known_the_loss_is_the_usual_one() -> None:
    logits, targets = torch.randn(5, 3), torch.randn(5, 3).softmax(1)
    loss = Loss(smoothed_ce_weight=2, label_smoothing=0.2)
    torch.testing.assert_close(
        loss(logits, targets, known=torch.ones(5, 3, dtype=torch.bool)), loss(logits, targets)
    )


def test_a_fraction_for_validation_that_does_nothing_is_said(
    sets: list[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Of the two sets, FER+ has a validation part of its own."""
    with caplog.at_level(logging.INFO, logger="mien.training"):
        trained(sets, tmp_path / "stated")
        trained(sets, tmp_path / "default", replace(TINY, validation_fraction=0.1))
    said = [line for line in caplog.messages if "validation_fraction" in line]
    assert said == [f"  {sets[0]} has a validation part, so validation_fraction does nothing there"]


def test_the_weights_of_an_unknown_class_get_no_gradient_from_its_source(sets: list[Path]) -> None:
    plan = make_plan(replace(TINY, mixup=0.0), sets)
    data = TrainingData(plan)
    contempt = data.labels.index("contempt")
    assert data.known.tolist() == [[True] * 8, [label != "contempt" for label in data.labels]]
    positions = np.flatnonzero(np.isin(data.train_rows, data.sources[1].train))
    batch = data.training_batch(positions, torch.Generator().manual_seed(0), torch.device("cpu"))
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 32 * 32, 8))
    ExpressionObjective(network, plan.recipe.loss).loss(network, batch).backward()
    gradient = network[1].weight.grad
    assert (gradient[contempt] == 0).all()
    assert (gradient.abs().sum(dim=1) > 0).sum() == 7


def test_a_class_that_no_source_shows_is_pushed_down_by_all(tmp_path: Path) -> None:
    one = prepared(tmp_path / "a", "raf-db", "aligned")
    data = TrainingData(make_plan(replace(TINY, data="raf-db"), one))
    assert data.known.all()
    stated = replace(TINY, known_classes={"prepared": ("anger", "fear")})
    data = TrainingData(make_plan(stated, one))
    assert data.known.all()  # nobody else teaches the others


def test_known_classes_can_be_stated(sets: list[Path]) -> None:
    data = TrainingData(make_plan(replace(TINY, known_classes={"raf-db": ("anger", "fear")}), sets))
    known = dict(zip(data.labels, data.known[1], strict=True))
    assert [label for label, there in known.items() if there] == ["anger", "fear"]
    assert {str(data.labels[i]) for i in data.targets[data.sources[1].train].argmax(dim=1)} == {"anger", "fear"}
    with pytest.raises(UnknownNameError, match=r"class in known_classes.raf-db called 'angry'"):
        TrainingData(make_plan(replace(TINY, known_classes={"raf-db": ("angry",)}), sets))


def test_validation_is_over_the_classes_that_a_source_knows(sets: list[Path]) -> None:
    every = TrainingData(make_plan(TINY, sets))
    truth = every.store.label[every.sources[0].valid]
    left_out = every.labels[truth[0]]
    stated = tuple(label for label in every.labels if label != left_out)
    data = TrainingData(make_plan(replace(TINY, known_classes={"ferplus": stated}), sets))
    part = data.valid_parts()[0]
    assert part.classes.tolist() == [label != left_out for label in data.labels]
    _, labels = data.validation_batch(part.positions, torch.device("cpu"))
    assert sorted(labels) == sorted(truth[truth != truth[0]])
    assert len(data.valid_rows) == len(every.valid_rows) - (truth == truth[0]).sum()


def test_every_batch_has_its_shares() -> None:
    samplers = (Shuffle(count=50), Shuffle(count=7, seed=1), Shuffle(count=900, seed=2))
    mixture = Mixture(samplers=samplers, sizes=(50, 7, 900), shares=(0.6, 0.05, 0.35), batch=10, count=400, seed=3)
    rows = mixture.indices(2).reshape(-1, 10)
    owner = np.searchsorted([50, 57], rows, side="right")
    assert ((owner == 0).sum(axis=1) == 6).all()
    assert Counter(owner.ravel().tolist()) == {0: 240, 1: 20, 2: 140}
    assert set((owner == 1).sum(axis=1)) == {0, 1}
    np.testing.assert_array_equal(rows.ravel(), mixture.indices(2))
    assert (mixture.indices(2) != mixture.indices(3)).any()
    first = np.bincount(rows[owner == 0], minlength=50)
    assert first.max() - first.min() <= 1  # whole passes over the source


def test_images_are_mixed_within_their_source() -> None:
    groups = torch.tensor([0, 1, 1, 0, 2, 1, 0, 0, 1])
    seen = set()
    for seed in range(20):
        rng = torch.Generator().manual_seed(seed)
        _, how = mix(torch.rand(9, 3, 2, 2), rng, Mixup(alpha=1.0), groups=groups)
        assert (groups[how.partner] == groups).all()
        assert sorted(how.partner.tolist()) == list(range(9))
        seen.add(tuple(how.partner.tolist()))
    assert len(seen) > 10


def test_mixed_images_have_no_pose(sets: list[Path]) -> None:
    recipe = replace(TINY, poses="five-yaws", model_kwargs={"size_px": 32}, mixup_share=0.5)
    data = TrainingData(make_plan(recipe, sets))
    data.poses = replace(data.poses, label=np.full(len(data.store), 2))
    batch = data.training_batch(
        np.arange(len(data.train_rows)), torch.Generator().manual_seed(1), torch.device("cpu")
    )
    assert set(batch.poses.tolist()) == {-1, 2}
    with pytest.raises(OptionError, match="mixup_share below 1"):
        make_plan(replace(recipe, mixup_share=1.0), sets)


def test_the_classes_of_all_sets_are_joined_in_the_order_of_ferplus(sets: list[Path]) -> None:
    assert make_plan(TINY, sets[::-1]).store.labels == make_plan(TINY, sets).store.labels


def test_each_source_is_validated_and_the_mean_chooses(sets: list[Path], tmp_path: Path) -> None:
    result = trained(sets, tmp_path / "run")
    rows = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    for row in rows:
        assert set(row["sources"]) == {"ferplus", "raf-db"}
        mean = np.mean([of["balanced_accuracy"] for of in row["sources"].values()])
        assert row["balanced_accuracy"] == pytest.approx(mean, abs=1e-4)
    manifest = load_manifest(str(result.weights.parent))
    assert set(manifest.accuracies) == {
        "ferplus validation, chose the epoch",
        "raf-db validation, chose the epoch",
    }
    held_out = json.loads((result.weights.parent / "validation.json").read_text())["sets"]
    assert [one["set"] for one in held_out] == ["ferplus", "raf-db"]
    assert all(len(one["rows"]) for one in held_out)


def test_a_run_that_was_interrupted_ends_as_one_that_was_not(sets: list[Path], tmp_path: Path) -> None:
    recipe = replace(
        TINY, source_bias=True, teachers=("default",), cached_teachers=True, loss=Loss(distillation_weight=0.5)
    )
    whole = trained(sets, tmp_path / "whole", recipe)

    def stop(done: int, total: int | None) -> None:
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(sets, tmp_path / "killed", recipe, progress=stop)
    again = trained(sets, tmp_path / "killed", recipe)
    assert again.history == whole.history
    one, other = (load_file(tmp_path / name / "best.safetensors") for name in ("whole", "killed"))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert not any("source_bias" in name for name in one)
    bias = torch.load(tmp_path / "whole/last.pt")["network"]["source_bias.bias"]
    assert bias.shape == (2, 8)
    assert bias.abs().max() > 0


def test_a_bias_takes_up_what_differs_between_sources() -> None:
    torch.manual_seed(0)
    network = small_network().eval()
    known = torch.ones(2, 3, dtype=torch.bool)
    objective = ExpressionObjective(network, Loss(), biased_sources=known)
    network.requires_grad_(False)
    optimizer = torch.optim.Adam(objective.module.source_bias.parameters(), lr=0.1)
    images, sources = torch.randn(60, 3, 8, 8), torch.arange(60) % 2
    targets = torch.eye(3)[sources * 2]  # the first says class 0 of everything, the other class 2
    for _ in range(100):
        loss = objective.loss(objective.module, TrainingBatch(images=images, targets=targets, sources=sources))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.1
    bias = objective.module.source_bias(torch.tensor([0, 1]))
    torch.testing.assert_close(bias.sum(dim=0), torch.zeros(3))  # dropped at export: the mean of the sources
    assert objective.network_name("source_bias.bias") == "source_bias.bias"
    assert objective.network_name("network.0.weight") == "0.weight"


def test_cached_teachers_say_what_they_say_of_unchanged_images(sets: list[Path], tmp_path: Path) -> None:
    recipe = replace(TINY, teachers=("default",), loss=Loss(distillation_weight=1.0))
    plan = make_plan(recipe, sets)
    data = TrainingData(plan)
    teachers = Teachers([load_manifest("default")], inputs=plan.augmentation.inputs, labels=data.labels)
    (tmp_path / "00000000-00000000.npy").write_bytes(b"of other teachers")
    device = torch.device("cpu")
    logits = cached_logits(teachers, data, tmp_path, device=device)
    assert logits.shape == (len(data.train_rows), 8)
    x = data.unchanged_batch(np.arange(3), device)
    torch.testing.assert_close(logits[:3], (teachers(x) + teachers(x.flip(-1))) / 2, atol=1e-4, rtol=1e-4)
    assert len(list(tmp_path.glob("*.npy"))) == 1
    torch.testing.assert_close(cached_logits(teachers, data, tmp_path, device=device), logits)
    data.teacher_logits = logits
    batch = data.training_batch(np.arange(6), torch.Generator().manual_seed(0), device)
    assert batch.teacher.shape == (6, 8)


def test_teachers_of_mixed_images_are_mixed_as_distributions() -> None:
    logits = torch.tensor([[3.0, 0.0], [0.0, 3.0]])
    _, how = mix(torch.rand(2, 3, 2, 2), torch.Generator().manual_seed(5), Mixup(alpha=1.0))
    mixed = how.logits(logits, 2.0)
    expected = how.labels((logits / 2).softmax(1))
    torch.testing.assert_close((mixed / 2).softmax(1), expected)


def test_what_does_not_fit_says_why(sets: list[Path], tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"gives this source no share.*--set shares.raf-db=5"):
        TrainingData(make_plan(replace(TINY, shares={"ferplus": 1.0}), sets))
    with pytest.raises(OptionError, match="--data .* holds the same images"):
        make_plan(TINY, [sets[0], sets[0]])
    with pytest.raises(OptionError, match="folds, which belong to one set"):
        make_plan(replace(TINY, protocol="subject-folds"), sets)
    with pytest.raises(OptionError, match="source_bias is for several sets"):
        trained(sets[:1], tmp_path / "run", replace(TINY, source_bias=True))
    with pytest.raises(OptionError, match="epoch_images needs shares"):
        replace(TINY, shares={}, epoch_images=100)
    with pytest.raises(OptionError, match="shares.ferplus is -1"):
        replace(TINY, shares={"ferplus": -1.0})
    with pytest.raises(OptionError, match="cached_teachers needs teachers"):
        replace(TINY, cached_teachers=True)


def test_folders_of_one_name_go_by_the_folders_above(tmp_path: Path) -> None:
    plan = make_plan(TINY, [prepared(tmp_path / "a", "ferplus"), prepared(tmp_path / "b", "raf-db", "aligned")])
    assert [one.name for one in plan.sources] == ["a/prepared", "b/prepared"]


def test_an_epoch_may_be_shorter_than_the_sets(sets: list[Path]) -> None:
    data = TrainingData(make_plan(replace(TINY, epoch_images=10), sets))
    assert (data.epoch_size, len(data.order(0))) == (10, 10)


def test_whole_weights_start_only_a_run_of_their_classes(sets: list[Path]) -> None:
    recipe = replace(
        TINY, network="poster_v2", config_name="light", model_kwargs={}, size_px=96, pretrained={"": "poster_v2"}
    )
    plan = make_plan(recipe, sets[1:])
    with pytest.raises(OptionError, match="are for the classes neutral, .* in this order"):
        build_objective(plan)


def test_auto_precision_is_one_that_this_machine_has() -> None:
    assert resolved_precision("auto", "cpu") in ("32-true", "bf16-mixed")
    assert resolved_precision("16-mixed", "cpu") == "16-mixed"
