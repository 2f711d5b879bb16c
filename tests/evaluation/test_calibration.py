"""Calibration where the right answer is known, and `mien calibrate` on prepared faces."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")

import mien
from mien.cli.app import run
from mien.errors import InputError
from mien.evaluation.calibration import (
    LabelledLogits,
    best_temperature,
    calibrate_logits,
    first_half,
    lowest_threshold,
    operating_points,
    prior,
    selective_metrics,
)
from mien.evaluation.validation_rows import ValidationRows, ValidationSets
from mien.prepared.store import PreparedStore
from mien.weights.manifest import SHIPPED, load_manifest, write_manifest
from tests.e2e.faces import write_crop


def labelled(
    logits: np.ndarray, *, seed: int = 0, title: str = "made up", classes: np.ndarray | None = None
) -> LabelledLogits:
    """Labels drawn from the softmax of the logits: calibrated, so that the right temperature is 1."""
    rng = np.random.default_rng(seed)
    powers = np.exp(logits if classes is None else np.where(classes, logits, -np.inf))
    truth = (rng.random((len(logits), 1)) > (powers / powers.sum(1, keepdims=True)).cumsum(1)).sum(1)
    clusters = np.array([f"{title} {i}" for i in range(len(logits))])
    return LabelledLogits(title=title, logits=logits, truth=truth, clusters=clusters, classes=classes)


def normal(count: int, classes: int = 4, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1.5, (count, classes))


def two_classes(confidence: list[float]) -> np.ndarray:
    """Probabilities (N, 2) that predict class 0."""
    return np.array([[value, 1 - value] for value in confidence])


def test_the_temperature_that_the_logits_were_multiplied_by_is_found() -> None:
    calibrated = labelled(normal(4000))
    for factor in (0.5, 1.0, 2.0):
        hot = replace(calibrated, logits=calibrated.logits * factor)
        assert best_temperature([hot], np.zeros(4)) == pytest.approx(factor, rel=0.06)


def test_a_prior_that_was_multiplied_in_is_divided_out() -> None:
    frequencies = np.array([0.7, 0.2, 0.07, 0.03])
    even = labelled(normal(6000))
    biased = replace(even, logits=even.logits + np.log(frequencies))
    assert operating_points([biased], frequencies)["natural"] == pytest.approx(1.0, abs=0.16)
    assert operating_points([even], frequencies)["natural"] == pytest.approx(0.0, abs=0.16)


def test_of_equal_operating_points_the_one_without_a_prior_is_taken() -> None:
    sure = LabelledLogits(
        title="sure",
        logits=np.eye(2)[[0, 1] * 30] * 50,
        truth=np.array([0, 1] * 30),
        clusters=np.arange(60).astype(str),
    )
    assert operating_points([sure], np.array([0.9, 0.1])) == {"default": 0.0, "natural": 0.0, "balanced": 0.0}


def test_an_absent_class_does_not_make_the_prior_infinite() -> None:
    assert np.isfinite(prior(np.array([1, 0, 3]), 1.0)).all()


def test_classes_that_a_set_lacks_are_left_out_of_its_probabilities() -> None:
    known = np.array([True, True, False, True])
    one = labelled(normal(200), classes=known)
    probabilities = one.probabilities(1.3, np.zeros(4))
    assert (probabilities[:, 2] == 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)


def test_sets_weigh_the_same_however_large_they_are() -> None:
    right = LabelledLogits(
        title="right", logits=np.tile([[1.0, 0.0]], (1000, 1)), truth=np.zeros(1000, int),
        clusters=np.array([f"r{i}" for i in range(1000)]),
    )  # fmt: skip
    wrong = LabelledLogits(
        title="wrong", logits=np.tile([[0.8, 0.0]], (100, 1)), truth=np.ones(100, int),
        clusters=np.array([f"w{i}" for i in range(100)]),
    )  # fmt: skip
    result = calibrate_logits([right, wrong], np.array([0.5, 0.5]))
    threshold = result.thresholds["default"]
    assert threshold.measured["wrong, other half"]["coverage"] == 0.0  # by images alone 94 % would be right
    assert threshold.measured["right, other half"]["coverage"] == 1.0
    assert "right and wrong" in threshold.rule


def test_calibration_measures_what_did_not_choose() -> None:
    one = labelled(normal(2000) * 1.0)
    result = calibrate_logits([replace(one, logits=one.logits * 3)], np.full(4, 0.25), command="mien calibrate x")
    half = int((~first_half(one.clusters)).sum())
    assert result.after["made up"]["images"] == half
    assert result.after["made up"]["ece"] < result.before["made up"]["ece"] / 2
    stated = result.thresholds["default"]
    assert stated.measured["command"] == "mien calibrate x"
    assert stated.measured["made up, other half"]["accuracy"] == pytest.approx(0.9, abs=0.06)
    curve = np.array(stated.measured["made up, other half"]["risk_coverage"])
    assert curve.shape[1] == 3
    assert (np.diff(curve[:, 1]) <= 0).all()


def test_too_few_images_and_broken_logits_are_refused() -> None:
    with pytest.raises(InputError, match="made up: 30 labelled images"):
        calibrate_logits([labelled(normal(30))], np.full(4, 0.25))
    with pytest.raises(InputError, match="not finite"):
        labelled(np.array([[np.nan, 0.0]]))


def test_the_threshold_is_the_lowest_with_enough_accuracy() -> None:
    probabilities = two_classes([0.55, 0.65, 0.75, 0.85, 0.95])
    truth = np.array([1, 1, 0, 0, 0])
    assert lowest_threshold(probabilities, truth, 0.6) == 0.0
    assert lowest_threshold(probabilities, truth, 0.75) == 0.56
    assert lowest_threshold(probabilities, truth, 0.9) == 0.66
    assert lowest_threshold(probabilities, np.ones(5, dtype=int), 0.5) == 1.0
    assert lowest_threshold(probabilities, truth, 0.6, weight=np.array([9, 1, 1, 1, 1])) == 0.56


def test_coverage_and_accuracy_of_a_threshold_are_counted() -> None:
    probabilities, truth = two_classes([0.55, 0.65, 0.75, 0.85]), np.array([1, 0, 1, 0])
    people = np.array(["a", "b", "c", "d"])
    metrics = selective_metrics(0.7, probabilities, truth, people)
    assert metrics["images"] == 4
    assert [metrics[name] for name in ("coverage", "accuracy", "accuracy_below_threshold")] == [0.5, 0.5, 0.5]
    assert metrics["risk_coverage"][0] == [0.0, 1.0, 0.5]
    everything = selective_metrics(0.0, probabilities, truth, people)
    assert everything["accuracy_below_threshold"] is None
    assert everything["interval_95"]["coverage"] == [1.0, 1.0]
    nothing = selective_metrics(0.9, probabilities, truth, people)
    assert (nothing["coverage"], nothing["accuracy"]) == (0.0, None)


def test_halves_are_the_same_everywhere_and_keep_people_together() -> None:
    people = np.array([f"person {i // 3}" for i in range(3000)])
    half = first_half(people)
    assert 0.45 < half.mean() < 0.55
    assert (half.reshape(-1, 3).std(axis=1) == 0).all()
    assert first_half(np.array(["Tony_Blair"])).tolist() == [True]


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 crops of one face, labelled at random."""
    folder = tmp_path_factory.mktemp("faces")
    rng, lines = np.random.default_rng(0), ["path,label,split,subject"]
    for i in range(120):
        if i < 12:
            write_crop(folder / f"{i}.png", seed=i)
        else:
            shutil.copy(folder / f"{i % 12}.png", folder / f"{i}.png")
        label = rng.choice(["neutral", "happy", "sad"], p=[0.8, 0.1, 0.1])
        lines.append(f"{i}.png,{label},{'valid' if i < 80 else 'train'},person {i}")
    (folder / "labels.csv").write_text("\n".join(lines))
    mien.prepare("csv", folder, folder / "prepared", canvas_px=96)
    return folder / "prepared"


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """The package's weights as if a run had made them, uncalibrated."""
    shutil.copytree(SHIPPED / "default", tmp_path / "mine")
    manifest = replace(
        load_manifest(str(tmp_path / "mine")), name="mine", temperature=1.0, priors={"default": (0.0,) * 8},
        confidence_thresholds={}, measured={"FER+": {"accuracy": 0.5}}, tta=False,
    )  # fmt: skip
    write_manifest(manifest)
    return tmp_path / "mine"


def test_the_command_writes_the_manifest_and_prediction_uses_it(
    faces: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["calibrate", str(weights), "--data", str(faces), "--json", str(tmp_path / "chosen.json")]
    assert run(words) == 0
    text = capsys.readouterr().out
    assert "temperature" in text
    assert "valid split" in text
    manifest = load_manifest(str(weights))
    chosen = json.loads((tmp_path / "chosen.json").read_text())
    assert manifest.temperature == chosen["temperature"]
    assert set(manifest.priors) == set(manifest.confidence_thresholds) == {"default", "natural", "balanced"}
    assert next(iter(manifest.accuracies)) == "prepared, half of the valid split"
    assert "FER+" in manifest.accuracies
    assert mien.load(str(weights), threads=1).predict(Path("examples/astronaut.jpg"))[0].expression is not None
    before = manifest.priors
    assert run(words) == 0  # once more gives the same
    assert load_manifest(str(weights)).priors == before


def test_the_images_that_a_run_held_out_are_taken(faces: Path, weights: Path) -> None:
    header = PreparedStore(faces).header
    rows = tuple(range(60))
    ValidationSets(sets=(ValidationRows(set=header.set, samples=header.samples, rows=rows),)).write(weights)
    result = mien.calibrate(weights, faces)
    assert list(result.images.values()) == ["validation images of the run"]
    assert result.calibration.after["prepared"]["images"] < 60


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["default"], "are in the package; copy their folder"),
        (["{weights}", "--accuracy", "1.5"], "--accuracy 1.5 must lie between 0 and 1"),
        (["{weights}", "--split", "dev"], "has no 'dev' split; it has train, valid"),
        (["{weights}", "--split", "train"], "calibration needs 25 of each"),
        (["{weights}", "--data", "{faces}"], "is given twice"),
        (["{weights}", "--data", "nothing"], "holds no prepared.json"),
        (["landmarks68"], "are in the package"),
    ],
)
def test_what_cannot_be_calibrated_says_why(
    faces: Path, weights: Path, capsys: pytest.CaptureFixture[str], words: list[str], answer: str
) -> None:
    before = (weights / "manifest.json").read_bytes()
    words = [word.format(weights=weights, faces=faces) for word in words]
    assert run(["calibrate", *words, "--data", str(faces)]) in (1, 2)
    assert answer in capsys.readouterr().err
    assert (weights / "manifest.json").read_bytes() == before


def test_another_framing_is_refused(faces: Path, weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = load_manifest(str(weights))
    write_manifest(replace(manifest, inputs=replace(manifest.inputs, template="arcface")))
    assert run(["calibrate", str(weights), "--data", str(faces)]) == 2
    assert "mien data prepare --template arcface" in capsys.readouterr().err
