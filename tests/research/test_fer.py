"""The weights of the four networks: averaged, cut to eight outputs, calibrated on a made-up suite."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")

from research.fer import calibrate, suite
from research.fer.checkpoint import OUTPUTS, soup, votes_only
from research.fer.int8_accuracy import table_of
from research.fer.measure import Measured
from research.fer.reliability import right_by_probability
from research.int8 import calibrating
from safetensors.torch import save_file

from mien.labels import FERPLUS
from mien.weights.manifest import WeightsManifest


def test_checkpoints_are_averaged_under_their_names_of_today(tmp_path: Path) -> None:
    for name, value in (("a", 1.0), ("b", 3.0)):
        state = {"image_trunk.w": torch.full((2,), value).half(), "steps": torch.tensor(int(value))}
        save_file(state, tmp_path / f"{name}.safetensors")
    mean = soup({tmp_path / "a.safetensors": 0.25, tmp_path / "b.safetensors": 0.75})
    assert mean["image_backbone.w"].tolist() == [2.5, 2.5]
    assert mean["steps"].item() == 3
    with pytest.raises(ValueError, match="shares sum to"):
        soup({tmp_path / "a.safetensors": 0.5})


def test_heads_keep_their_first_eight_outputs_in_each_block() -> None:
    weight = torch.arange(2 * OUTPUTS * 3).view(2 * OUTPUTS, 3).float()
    cut = votes_only({"branches.weight": weight, "head.bias": torch.arange(OUTPUTS), "body.weight": weight})
    assert torch.equal(cut["branches.weight"], torch.cat([weight[:8], weight[15:23]]))
    assert cut["head.bias"].tolist() == list(range(8))
    assert torch.equal(cut["body.weight"], weight)


@pytest.fixture
def measured(tmp_path: Path) -> Measured:
    """Five sources and one that is only reported; noisy logits that know the truth."""
    rng, logits = np.random.default_rng(0), {}
    for name in (*suite.SUITE, "sfew-val"):
        classes = [FERPLUS.index(label) for label in suite.ENTRIES[name].labels]
        truth = np.repeat(classes, 30)
        faces = suite.Faces(
            images=np.zeros((len(truth), 1, 1, 3), np.uint8),
            truth=truth,
            clusters=np.array([f"{name} {i}" for i in range(len(truth))]),
            yaw_deg=np.zeros(len(truth)),
            detected=1.0,
        )
        np.savez(tmp_path / f"{name}.npz", **vars(faces))
        for way in ("one", "flipped"):
            logits[f"{name} {way}"] = 1.5 * np.eye(8)[truth] + rng.normal(size=(len(truth), 8))
    manifest = WeightsManifest(
        name="made-up", network="phanet", config={}, inputs=suite.INPUTS, files={"a.onnx": ""}, labels="ferplus",
        priors={"default": (0.0,) * 8}, licence="", source="",
    )  # fmt: skip
    return Measured(manifest=manifest, logits=logits, suite=tmp_path)


def test_everything_is_chosen_on_one_half_and_stated_per_source(measured: Measured) -> None:
    manifest = calibrate.calibrate(measured, tta=True)
    assert set(manifest.priors) == set(manifest.confidence_thresholds) == {"default", "natural", "balanced"}
    titles = {suite.ENTRIES[name].title for name in (*suite.SUITE, "sfew-val")}
    assert set(manifest.measured) - {"command"} == titles
    stated = manifest.confidence_thresholds["default"]
    assert set(stated.measured) - {"command"} == titles
    certain = [of["accuracy"] for title, of in stated.measured.items() if title != "command"]
    assert 0.85 < np.mean(certain) < 0.95
    assert 0.3 <= manifest.temperature < 0.8
    assert manifest.measured["SFEW 2.0, Val"].keys() >= {"accuracy", "balanced_accuracy", "recall", "interval_95"}
    assert "half that chose nothing" not in manifest.measured["SFEW 2.0, Val"]
    assert manifest.measured["CFEE, validation people"]["half that chose nothing"]["images"] < 210


def test_both_passes_are_better_than_one_and_rare_classes_are_left_out(measured: Measured) -> None:
    one, both = (
        (measured.labelled("cfee", tta=tta).restricted.argmax(axis=1) == measured.labelled("cfee", tta=tta).truth)
        for tta in (False, True)
    )
    assert both.mean() > one.mean()
    rows = np.load(measured.suite / "cfee.npz")
    thinned = dict(rows) | {"truth": np.where(np.arange(len(rows["truth"])) < 3, 5, rows["truth"] % 5)}
    np.savez(measured.suite / "cfee.npz", **thinned)
    assert set(measured.labelled("cfee", tta=False).truth.tolist()) == {0, 1, 2, 3, 4}


def test_int8_is_compared_on_faces_that_did_not_calibrate_it(measured: Measured) -> None:
    logits = {name: of.copy() for name, of in measured.logits.items()}
    calibrated = calibrating(len(logits["cfee one"]))
    logits["cfee one"][calibrated] *= -1  # what the faces of the ranges would tell does not count
    reversed_rows = np.setdiff1d(np.arange(len(logits["cfee one"])), calibrated)[:20]
    logits["cfee one"][reversed_rows] *= -1
    table = {row[0].partition(",")[0]: row for row in table_of(measured, replace(measured, logits=logits))}
    assert table["FER+ validation"][2:4] == table["FER+ validation"][4:6]
    assert table["FER+ validation"][-1] == "100.0"
    faces = len(logits["cfee one"]) - len(calibrated)
    assert table["CFEE"][1] == str(faces)
    assert float(table["CFEE"][-1]) == pytest.approx(100 * (1 - 20 / faces), abs=0.1)
    assert table["CFEE"][6].startswith("-")


def test_reliability_counts_each_face_of_the_other_half_in_its_bin(measured: Measured) -> None:
    cells = right_by_probability(measured, "sfew-val")
    counts = [int(cell.partition("(")[2].rstrip(")")) for cell in cells if cell]
    everything = measured.labelled("sfew-val", tta=False)
    assert len(everything) - suite.FEW * cells.count("") < sum(counts) <= len(everything)
    rates = [float(cell.partition(" ")[0]) for cell in cells if cell]
    assert rates[0] < rates[-1]
    half = [int(cell.partition("(")[2].rstrip(")")) for cell in right_by_probability(measured, "cfee") if cell]
    assert sum(half) < 0.6 * len(measured.labelled("cfee", tta=False))
