from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien.cli.app import run
from mien.datasets.audit.summary import POSE_DEG, entropy_bits, summarize_samples
from mien.datasets.samples import Samples
from mien.draw.summary_plot import plot_summary
from mien.errors import MissingPackageError, OutputError
from mien.labels import FERPLUS
from tests.datasets.distributions import image, text
from tests.datasets.tables import table


def words(*values: str) -> np.ndarray:
    return np.array(values, dtype=object)


@pytest.fixture
def samples(tmp_path: Path) -> Samples:
    for seed, side in enumerate((40, 60, 80)):
        image(tmp_path / f"{seed}.png", seed=seed, side=side)
    (tmp_path / "3.png").write_bytes(b"")
    votes = np.zeros((4, 8))
    votes[0, 0] = 1
    votes[1, :2] = 0.5
    votes[2, :4] = (0.7, 0.1, 0.1, 0.1)
    made = table(
        tmp_path,
        [f"{i}.png" for i in range(4)],
        subject=words("a", "a", "b", ""),
        group=words("v", "v", "w", ""),
        votes=votes,
        yaw_deg=np.array([-90.0, 7.4, 7.6, np.nan]),
        pitch_deg=np.array([0.0, 200, -200, np.nan]),
    )
    made.label[:] = [0, -1, 0, 1]
    made.split[3] = "test"
    object.__setattr__(made, "labels", FERPLUS)
    return made


def test_entropy_is_zero_in_agreement_and_one_bit_in_a_draw() -> None:
    np.testing.assert_allclose(entropy_bits(np.array([[1.0, 0], [0.5, 0.5]])), [0, 1])
    np.testing.assert_allclose(entropy_bits(np.full((1, 8), 1 / 8)), 3)


def test_every_table_counts_what_is_known(samples: Samples) -> None:
    found = summarize_samples(samples, "some")
    assert found.groups == 2
    assert found.votes is not None
    assert found.votes.rows == 3  # nobody voted on the last
    assert (found.votes.unanimous, found.votes.majority) == (pytest.approx(1 / 3), pytest.approx(2 / 3))
    assert found.votes.agreement == (0, 0, 0, 0, 1, 0, 1, 0, 0, 1)
    assert found.subjects is not None
    assert (found.subjects.count, found.subjects.most, found.subjects.unnamed) == (2, 2, 1)
    assert found.subjects.per_split == {"train": 2, "test": 0}
    assert found.poses is not None
    yaw = dict(zip(POSE_DEG, found.poses.yaw, strict=True))
    assert {angle: count for angle, count in yaw.items() if count} == {-90: 1, 0: 1, 15: 1}
    pitch = dict(zip(POSE_DEG, found.poses.pitch, strict=True))
    assert {angle: count for angle, count in pitch.items() if count} == {-90: 1, 0: 1, 90: 1}
    assert found.sizes is not None
    assert (found.sizes.least, found.sizes.median, found.sizes.most) == ((40, 40), (60, 60), (80, 80))
    assert (found.sizes.opened, found.sizes.unreadable) == (4, 1)
    assert json.loads(json.dumps(found.to_dict()))["images"] == 4


def test_what_a_set_does_not_state_is_none(tmp_path: Path) -> None:
    found = summarize_samples(table(tmp_path, []), "empty")
    assert (found.votes, found.subjects, found.poses, found.sizes, found.groups) == (None,) * 5


def test_the_plot_is_an_image(samples: Samples, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    plot_summary(summarize_samples(samples, "some"), tmp_path / "plot.png", title="Some set")
    with Image.open(tmp_path / "plot.png") as image:
        assert image.width > 1000
        assert len(image.convert("RGB").getcolors(1 << 20)) > 50
    with pytest.raises(OutputError, match=r"cannot be saved as '.tx'; use .png"):
        plot_summary(summarize_samples(samples, "some"), tmp_path / "plot.tx", title="")


def test_without_matplotlib_the_error_says_what_to_install(
    samples: Samples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingPackageError, match=r"pip install '.\[plots\]'"):
        plot_summary(summarize_samples(samples, "some"), tmp_path / "plot.png", title="")


def test_the_command_prints_tables_and_writes_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    top = tmp_path / "set"
    text(top / "EmoLabel/list_patition_label.txt", "train_00001.jpg 5", "test_0001.jpg 4")
    for name in ("train_00001", "test_0001"):
        image(top / f"Image/aligned/{name}_aligned.jpg", side=100)
    plot, report = tmp_path / "s.svg", tmp_path / "s.json"
    assert run(["data", "summary", "raf-db", str(top), "--save", str(plot), "--json", str(report)]) == 0
    said = capsys.readouterr().out
    assert "Sizes: all 100x100 pixels, of 2 images opened" in said
    assert json.loads(report.read_text())["counts"]["train"]["sadness"] == 1
    assert plot.read_text().startswith("<?xml")


def test_an_empty_place_is_sent_to_the_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["data", "summary", "raf-db", str(tmp_path)]) == 1
    assert "`mien data check raf-db" in capsys.readouterr().err
