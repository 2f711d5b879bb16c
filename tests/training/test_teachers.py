"""Learning from trained networks beside the labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from lightning_fabric import Fabric

from mien.errors import OptionError, WeightsError
from mien.labels import FERPLUS, RAF_DB
from mien.training.optim.losses import Loss
from mien.training.plan import make_plan
from mien.training.recipe import Recipe
from mien.training.session import run_plan
from mien.training.teachers import Teachers
from mien.weights.fill import load_network
from mien.weights.manifest import WeightsManifest, load_manifest
from tests.research.fabricated import prepared

STUDENT = Recipe(
    name="student", network="poster_v2", config_name="light", model_kwargs={"size_px": 64, "windows": (4, 4, 4)},
    size_px=64, epochs=1, batch=8, data="ferplus", validation_fraction=0.4, teachers=("default",),
    loss=Loss(ce_weight=0.0, distillation_weight=1.0),
)  # fmt: skip


def test_the_mean_of_what_each_says_of_images_in_its_own_size() -> None:
    manifest = load_manifest("default")
    small = replace(manifest, inputs=replace(manifest.inputs, size_px=64))
    x = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    both = Teachers([manifest, manifest], inputs=manifest.inputs, labels=FERPLUS)(x)
    torch.testing.assert_close(both, load_network("default")(x))
    shrunk = torch.nn.functional.interpolate(x, size=(64, 64), mode="bilinear", antialias=True)
    alone = Teachers([manifest], inputs=small.inputs, labels=FERPLUS)(shrunk)
    again = torch.nn.functional.interpolate(shrunk, size=(96, 96), mode="bilinear", antialias=True)
    torch.testing.assert_close(alone, load_network("default")(again))
    assert not alone.requires_grad


def test_a_teacher_of_other_classes_or_images_is_refused() -> None:
    manifest = load_manifest("default")
    with pytest.raises(OptionError, match=r"teacher 'default' has the classes ferplus.*the same classes"):
        Teachers([manifest], inputs=manifest.inputs, labels=RAF_DB)
    with pytest.raises(OptionError, match="nothing but size_px may differ"):
        Teachers([manifest], inputs=replace(manifest.inputs, channels="bgr"), labels=FERPLUS)


def test_a_student_learns_from_its_teachers_alone(tmp_path: Path) -> None:
    chosen = make_plan(STUDENT, prepared(tmp_path, "ferplus"))
    run_plan(chosen, tmp_path / "run", fabric=Fabric(accelerator="cpu", devices=1))
    assert load_manifest(str(tmp_path / "run/weights")).network == "poster_v2"


def test_teachers_come_with_a_weight_and_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="give both or none"):
        replace(STUDENT, loss=Loss())
    with pytest.raises(OptionError, match="give both or none"):
        replace(STUDENT, teachers=())
    store = prepared(tmp_path, "ferplus")
    with pytest.raises(WeightsError, match="not there"):
        make_plan(replace(STUDENT, teachers=("absent.safetensors",)), store, weights_folder=tmp_path)


def test_phanet_learns_from_teachers_too(tmp_path: Path) -> None:
    recipe = replace(STUDENT, network="phanet", model_kwargs={"size_px": 64, "poses": 0})
    run_plan(
        make_plan(recipe, prepared(tmp_path, "ferplus")),
        tmp_path / "run",
        fabric=Fabric(accelerator="cpu", devices=1),
    )
    assert load_manifest(str(tmp_path / "run/weights")).network == "phanet"


POINTS = ((0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.35, 0.8), (0.65, 0.8))


def of_images(manifest: WeightsManifest, points: tuple[tuple[float, float], ...] | None) -> WeightsManifest:
    return replace(manifest, inputs=replace(manifest.inputs, template="image", points=points))


def test_a_teacher_of_another_template_says_how_to_prepare_the_set() -> None:
    manifest = load_manifest("default")
    inputs = of_images(manifest, POINTS).inputs
    with pytest.raises(
        OptionError, match="'default' sees faces of the template 'face'.*of 'image'.*--template face"
    ):
        Teachers([manifest], inputs=inputs, labels=FERPLUS)


def test_a_teacher_of_images_framed_alike_is_taken_and_of_others_refused() -> None:
    manifest = load_manifest("default")
    inputs = of_images(manifest, POINTS).inputs
    for points in (POINTS, tuple((x + 0.01, y) for x, y in POINTS), None):
        Teachers([of_images(manifest, points)], inputs=inputs, labels=FERPLUS)
    small = tuple((0.25 + x / 2, 0.25 + y / 2) for x, y in POINTS)
    with pytest.raises(OptionError, match=r"frame faces otherwise: .* 71% of the side"):
        Teachers([of_images(manifest, small)], inputs=inputs, labels=FERPLUS)
