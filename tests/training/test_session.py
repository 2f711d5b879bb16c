"""From a recipe and a prepared set to a plan, and what a network starts from."""

from __future__ import annotations

import errno
import logging
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from lightning_fabric import Fabric
from safetensors.torch import save_file

from mien.errors import OptionError, OutputError, UnknownNameError
from mien.models.apvit import LIGHT as APVIT_LIGHT
from mien.models.apvit import APViT, APViTConfig
from mien.models.poster_v2 import LIGHT, PosterV2
from mien.prepared.store import PreparedStore
from mien.training.data import TrainingData
from mien.training.initialize import initialize, load_pretrained
from mien.training.origins import seen_before, trained_on
from mien.training.plan import make_plan
from mien.training.recipe import Recipe
from mien.training.run_folder import RunFolder
from mien.training.session import make_fabric, run_plan
from mien.weights.fill import load_network
from mien.weights.manifest import load_manifest, write_manifest
from mien.weights.official.apvit import vit_small_shapes
from tests.research.fabricated import prepared

TINY = Recipe(
    name="tiny", network="phanet", config_name="small", model_kwargs={"size_px": 32, "poses": 0}, size_px=32,
    epochs=1, batch=2, validation_fraction=0.4,
)  # fmt: skip


def test_across_sets_everything_learns_or_chooses(tmp_path: Path) -> None:
    recipe = replace(TINY, data="kdef", protocol="cross")
    fold = make_plan(recipe, prepared(tmp_path, "kdef")).fold
    assert len(fold.test) == 0
    assert sorted([*fold.train, *fold.valid]) == list(range(21))


def test_the_test_part_of_a_fold_is_evaluated_at_the_end(tmp_path: Path) -> None:
    recipe = replace(TINY, data="jaffe", protocol="leave-one-subject-out")
    chosen = make_plan(recipe, prepared(tmp_path, "jaffe"), fold=1)
    run_plan(chosen, tmp_path / "run", fabric=Fabric(accelerator="cpu", devices=1))
    measured = load_manifest(str(tmp_path / "run/weights")).measured
    assert [name.partition(" (")[0] for name in measured] == ["validation", "test"]
    assert 0 <= measured["test (without person 1)"]["accuracy"] <= 1


def test_a_finished_run_that_is_repeated_keeps_its_calibration(tmp_path: Path) -> None:
    chosen = make_plan(replace(TINY, data="jaffe", protocol="cross"), prepared(tmp_path, "jaffe"))
    fabric = Fabric(accelerator="cpu", devices=1)
    weights = run_plan(chosen, tmp_path / "run", fabric=fabric).weights
    calibrated = write_manifest(replace(load_manifest(str(weights)), temperature=0.7))
    run_plan(chosen, tmp_path / "run", fabric=fabric)
    assert load_manifest(str(weights)) == calibrated
    (tmp_path / "run/weights/weights.safetensors").write_bytes(b"")
    run_plan(chosen, tmp_path / "run", fabric=fabric)
    assert load_manifest(str(weights)).temperature == 1
    load_network(weights)


HOLD = "import sys; from pathlib import Path; from mien.training.run_folder import RunFolder\n"
HOLD += "with RunFolder(Path(sys.argv[1])).alone(): print('held', flush=True); sys.stdin.read()"


def test_two_runs_that_begin_in_one_folder_are_noticed(tmp_path: Path) -> None:
    chosen = make_plan(replace(TINY, data="jaffe", protocol="cross"), prepared(tmp_path, "jaffe"))
    fabric, out = Fabric(accelerator="cpu", devices=1), tmp_path / "run"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(out)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(OutputError, match="another mien train is at work in it; wait for its end, or give"):
            run_plan(chosen, out, fabric=fabric)
        assert [path.name for path in out.iterdir()] == [".lock"]
        with RunFolder(out, first=False).alone():  # a further process of the same run
            pass
        other.communicate("")
    assert run_plan(chosen, out, fabric=fabric).weights.is_file()


def test_only_the_hint_to_compute_less_precisely_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    make_fabric(TINY, devices=1, nodes=1, accelerator="cpu")
    lightning = logging.getLogger("lightning_fabric.utilities.rank_zero")
    with caplog.at_level(logging.INFO, logger=lightning.name):
        lightning.info("You are using a CUDA device ('one') that has Tensor Cores. To properly utilize them, ...")
        lightning.info("Using bfloat16 Automatic Mixed Precision (AMP)")
    assert caplog.messages == ["Using bfloat16 Automatic Mixed Precision (AMP)"]


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    run = RunFolder(tmp_path / "run")
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OutputError, match=r"best\.safetensors cannot be written .*No space left"):
        run.keep_best({"weight": torch.zeros(2)})
    with pytest.raises(OutputError, match=r"last\.pt cannot be written"):
        run.save({"step": 1})


def test_votes_teach_unless_the_recipe_wants_labels(tmp_path: Path) -> None:
    recipe = replace(TINY, data="ferplus")
    chosen = make_plan(recipe, prepared(tmp_path, "ferplus"))

    def targets(votes: bool) -> np.ndarray:
        images = TrainingData(replace(chosen, recipe=replace(recipe, soft_labels=votes)))
        return images.targets.numpy()[chosen.fold.train]

    np.testing.assert_allclose(targets(True).max(axis=1), 0.825)
    np.testing.assert_array_equal(targets(False), np.eye(8))


def test_a_part_starts_from_a_part_of_shipped_weights() -> None:
    network = PosterV2(LIGHT)
    recipe = replace(TINY, pretrained={"landmark_backbone": "landmarks68:backbone"})
    initialize(network, recipe, Path("weights"))
    wanted = load_network("landmarks68").backbone.state_dict()
    assert all(torch.equal(value, wanted[name]) for name, value in network.landmark_backbone.state_dict().items())
    assert not any(parameter.requires_grad for parameter in network.landmark_backbone.parameters())


def test_a_frozen_part_without_a_start_learns() -> None:
    network = PosterV2(LIGHT)
    initialize(network, TINY, Path("weights"))
    assert all(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.slow
def test_apvit_starts_from_a_file_of_its_transformer(tmp_path: Path) -> None:
    state = {name: torch.full(value.shape, 0.5) for name, value in vit_small_shapes().items()}
    save_file(state, tmp_path / "vit_small.safetensors")
    manifest = replace(
        load_manifest("landmarks68"), name="vit_small", network="vit_small", config={}, golden=None, labels=None,
        files={"vit_small.safetensors": ""}, folder=tmp_path, filename="vit_small.json",
    )  # fmt: skip
    write_manifest(manifest)
    network = APViT(APViTConfig())
    before = network.embed.weight.clone()
    load_pretrained(network, "", "vit_small.safetensors", tmp_path)
    assert all(torch.equal(network.state_dict()[name], value) for name, value in state.items())
    assert torch.equal(network.embed.weight, before)


def test_a_backbone_of_two_maps_starts_from_one_of_three() -> None:
    network, whole = APViT(APVIT_LIGHT), load_network("default")
    load_pretrained(network, "image_backbone", "default:image_backbone", Path("weights"))
    for name, value in network.image_backbone.state_dict().items():
        assert torch.equal(value, whole.image_backbone.state_dict()[name])


def test_weights_that_saw_the_validation_images_are_named(tmp_path: Path) -> None:
    recipe = Recipe(
        name="tuned", network="bare_backbone", config_name="light", validation_fraction=0.4,
        pretrained={"image_backbone": "default:image_backbone"},
    )  # fmt: skip
    faces = make_plan(replace(recipe, protocol="cross"), prepared(tmp_path / "kdef", "kdef"))
    (said,) = seen_before(faces)
    assert said.startswith("default, which the run starts or learns from, learned from images of kdef that the run")
    votes = make_plan(recipe, prepared(tmp_path / "ferplus", "ferplus"))
    assert seen_before(votes) == []  # its validation part trained nothing
    table = f"ferplus:{PreparedStore(tmp_path / 'ferplus/prepared').header.samples}"
    assert trained_on(votes) == (f"{table}/train", f"{table}/valid", *load_manifest("default").trained_on)


def test_a_run_that_starts_from_a_run_says_where_other_images_are_held_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data, recipe = prepared(tmp_path, "jaffe"), replace(TINY, data="jaffe", protocol="cross")
    fabric = Fabric(accelerator="cpu", devices=1)
    first = run_plan(make_plan(recipe, data), tmp_path / "first", fabric=fabric).weights
    assert load_manifest(str(first)).trained_on == (f"jaffe:{PreparedStore(data).header.samples}",)
    tuned = replace(recipe, pretrained={"": "first/weights"})
    same, other = (make_plan(replace(tuned, seed=i), data, weights_folder=tmp_path) for i in (0, 1))
    assert seen_before(same) == []
    weights = run_plan(other, tmp_path / "second", fabric=fabric).weights
    assert load_manifest(str(weights)).notes == tuple(seen_before(other))
    assert f"leak: {seen_before(other)[0]}" in caplog.messages


def test_further_sets_teach_but_neither_choose_nor_test(tmp_path: Path) -> None:
    first, second = prepared(tmp_path / "a", "ferplus"), prepared(tmp_path / "b", "raf-db")
    alone, both = (make_plan(replace(TINY, data="ferplus"), first, extra_data=also) for also in ((), (second,)))
    assert set(alone.fold.train) < set(both.fold.train)
    added = sorted(set(both.fold.train) - set(alone.fold.train))
    assert added == [24 + row for row in range(7)]  # the train part of RAF-DB
    np.testing.assert_array_equal(both.fold.valid, alone.fold.valid)
    run_plan(both, tmp_path / "run", fabric=Fabric(accelerator="cpu", devices=1))
    assert load_manifest(str(tmp_path / "run/weights")).source.endswith("on ferplus and raf-db")


def test_a_further_set_must_hold_other_images(tmp_path: Path) -> None:
    first, again = prepared(tmp_path / "a", "ferplus"), prepared(tmp_path / "b", "ferplus")
    for also in ((first,), (again,)):
        with pytest.raises(OptionError, match="holds the same images"):
            make_plan(replace(TINY, data="ferplus"), first, extra_data=also)


@pytest.mark.parametrize("change", [{"network": "posterr"}, {"config_name": "lite"}])
def test_a_network_that_is_not_known_is_refused_with_the_plan(tmp_path: Path, change: dict[str, str]) -> None:
    with pytest.raises(UnknownNameError):
        make_plan(replace(TINY, data="ferplus", **change), prepared(tmp_path / "a", "ferplus"))
