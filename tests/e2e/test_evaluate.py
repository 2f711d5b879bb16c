from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

pytest.importorskip("sklearn", reason="mien evaluate needs scikit-learn: pip install 'mien[evaluate]'")

import mien
from mien.cli.app import run

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two photos in folders of their class, and one that shows nobody."""
    for label, name in (("happiness", "astronaut.jpg"), ("neutral", "grace_hopper.jpg")):
        folder = tmp_path / "photos/test" / label
        folder.mkdir(parents=True)
        shutil.copy(EXAMPLES / name, folder)
    return tmp_path / "photos"


def metrics(path: Path) -> dict[str, object]:
    return json.loads(path.read_text(encoding="utf-8"))["metrics"]


def test_weights_and_their_table_of_predictions_are_evaluated_alike(photos: Path, tmp_path: Path) -> None:
    common = ["evaluate", "folder", "--data", str(photos), "--quiet"]
    direct, table, again = (tmp_path / name for name in ("direct.json", "table.csv", "again.json"))
    assert run([*common, "--detect", "--json", str(direct)]) == 0
    precise = ["--precision", "float32"]  # in which evaluation computes
    assert run(["predict", str(photos), "--output", str(table), "--quiet", *precise]) == 0
    assert run([*common, "--predictions", str(table), "--json", str(again)]) == 0
    one, other = metrics(direct), metrics(again)
    assert one["images"] == one["predicted"] == 2
    assert one["confusion"] == other["confusion"]
    assert one["log_loss"] == pytest.approx(other["log_loss"], abs=1e-4)


def test_the_page_and_the_comparison_are_written(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    pytest.importorskip("matplotlib", reason="the page needs matplotlib: pip install 'mien[evaluate]'")
    page = tmp_path / "page.html"
    arguments = ["--data", str(photos), "--detect", "--compare", "default", "--html", str(page), "--quiet"]
    assert run(["evaluate", "folder", *arguments]) == 0
    text = page.read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert "Compared with default" in text
    assert "McNemar p = 1" in " ".join(capsys.readouterr().out.split())


def test_the_same_images_are_evaluated_under_corruptions(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    pytest.importorskip("matplotlib", reason="the page needs matplotlib: pip install 'mien[evaluate]'")
    out, page = tmp_path / "out.json", tmp_path / "page.html"
    arguments = ["--data", str(photos), "--detect", "--corruptions", "patch,resolution", "--compare", "default"]
    assert run(["evaluate", "folder", *arguments, "--json", str(out), "--html", str(page), "--quiet"]) == 0
    result = json.loads(out.read_text(encoding="utf-8"))
    assert result["metrics"]["predicted"] == 2
    corruptions = result["robustness"]["corruptions"]
    assert [one["corruption"] for one in corruptions] == ["patch"] * 3 + ["resolution"] * 5
    assert all(one["accuracy_gain"]["value"] == 0 for one in corruptions)
    assert [one["altered"] for one in corruptions] == [2] * 8
    assert result["robustness"]["yaw_bins"][0]["images"] == 2
    assert "Robustness" in page.read_text(encoding="utf-8")
    assert "16 px" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["--split", "train"], "has no 'train' split; it has test"),
        (["--weights", "defualt"], "Did you mean 'default'"),
        (["--predictions", "absent.csv"], "absent.csv does not exist; name a table that mien predict wrote"),
        (["--corruptions", "blurr"], "No corruption called 'blurr'. Did you mean 'blur'"),
        (
            ["--corruptions", "blur", "--predictions", "some.csv"],
            "corruptions need weights, not tables of predictions",
        ),
        (["--corruptions", "blur", "--compare", "some.csv"], "corruptions need weights, not tables of predictions"),
        (["--json", "absent/metrics.json"], "absent/metrics.json: the folder absent does not exist"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    photos: Path, changes: list[str], message: str, capsys: pytest.CaptureFixture
) -> None:
    assert run(["evaluate", "folder", "--data", str(photos), "--quiet", *changes]) in (1, 2)
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_the_library_gives_the_same_result_as_the_command(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    assert run(["evaluate", "folder", "--data", str(photos), "--detect", "--json", str(out), "--quiet"]) == 0
    seen: list[tuple[int, int | None]] = []
    result = mien.evaluate("folder", photos, detect=True, progress=lambda done, total: seen.append((done, total)))
    written = json.loads(out.read_text(encoding="utf-8"))
    assert written["settings"].pop("command").startswith("mien ")
    assert json.loads(json.dumps(result.to_dict())) == written
    assert seen == [(1, 2), (2, 2)]
    assert len(result.predictions) == 2


def test_a_set_without_a_test_split_asks_for_one(photos: Path, capsys: pytest.CaptureFixture) -> None:
    (photos / "test").rename(photos / "train")
    assert run(["evaluate", "folder", "--data", str(photos)]) == 2
    assert "no test split here; choose one with split: train" in capsys.readouterr().err
