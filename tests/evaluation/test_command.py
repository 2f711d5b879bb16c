"""`mien evaluate` on tables of predictions: no network is loaded."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import mien
from mien.cli.app import run
from mien.cli.evaluate_print import print_evaluation
from mien.datasets import dataset_info
from mien.labels import LabelSet
from mien.pipeline.read import read_columns
from mien.pipeline.rows import SUFFIXES, TableRow
from mien.pipeline.table import schema, write_table
from mien.weights.manifest import load_manifest, write_manifest
from tests.datasets.distributions import images, text

LABELS = LabelSet("happiness sadness")


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    images(tmp_path / "set", "a.png", "b.png")
    text(tmp_path / "set/labels.csv", "path,label", "a.png,happy", "b.png,sad")
    return tmp_path


def predicted(folder: Path, name: str, *happiness: float) -> Path:
    rows: list[TableRow] = []
    for image, share in zip(("a.png", "b.png"), happiness, strict=True):
        empty: TableRow = dict.fromkeys(schema(LABELS).names)
        rows.append(
            empty | {"source": f"set/{image}", "frame": 0, "face": 0, "p_happiness": share, "p_sadness": 1 - share}
        )
    write_table(rows, LABELS, folder / name)
    return folder / name


def evaluate(folder: Path, *more: str | Path) -> int:
    return run(["evaluate", "csv", "--data", str(folder / "set"), "--quiet", *map(str, more)])


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".CSV"])
def test_every_form_of_table_is_evaluated(labelled: Path, suffix: str) -> None:
    table = predicted(labelled, f"predictions{suffix}", 0.9, 0.8)
    assert evaluate(labelled, "--predictions", table, "--json", labelled / "out.json") == 0
    result = json.loads((labelled / "out.json").read_text())
    assert result["metrics"]["accuracy"] == 0.5
    assert result["labels"] == ["happiness", "sadness"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_columns_that_the_user_added_do_not_matter(labelled: Path, suffix: str) -> None:
    pandas = pytest.importorskip("pandas")
    frame = read_columns(predicted(labelled, "predictions.parquet", 0.9, 0.8))[1].to_pandas()
    frame.insert(0, "person", ["Ada", "Bo"])
    path = labelled / f"mine{suffix}"
    write = {".csv": "to_csv", ".jsonl": "to_json", ".xlsx": "to_excel", ".parquet": "to_parquet"}[suffix]
    options = {"orient": "records", "lines": True} if suffix == ".jsonl" else {"index": False}
    getattr(pandas.DataFrame(frame), write)(path, **options)
    assert mien.evaluate("csv", labelled / "set", predictions=path).metrics.accuracy == 0.5


def test_a_probability_that_was_cleared_is_no_prediction(
    labelled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = predicted(labelled, "predictions.csv", 0.9, 0.8)
    table.write_text(table.read_text().replace("0.9", ""))
    assert evaluate(labelled, "--predictions", table) == 1
    assert "probability (p_ columns) that is empty" in capsys.readouterr().err


@pytest.mark.parametrize("option", [["--priors", "balanced"], ["--tta"], ["--no-detect"], ["--no-align"]])
def test_options_of_weights_are_refused_for_tables(
    labelled: Path, option: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    table = predicted(labelled, "predictions.csv", 0.9, 0.8)
    assert evaluate(labelled, "--predictions", table, *option) == 2
    assert "not with tables of predictions" in capsys.readouterr().err


def test_two_tables_are_compared(labelled: Path) -> None:
    tables = [predicted(labelled, "one.csv", 0.9, 0.8), predicted(labelled, "two.csv", 0.9, 0.1)]
    page = labelled / "page.html"
    assert evaluate(labelled, "--predictions", tables[0], "--compare", tables[1], "--html", page) == 0
    assert "Compared with" in page.read_text()
    comparison = mien.compare("csv", labelled / "set", *tables)
    assert (comparison.mcnemar.only_first, comparison.mcnemar.only_second) == (0, 1)
    assert comparison.accuracy.value == -0.5
    assert repr(comparison).startswith(
        f"Comparison({str(tables[0])!r} over {str(tables[1])!r}: accuracy -50.00 points"
    )


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", "no table"),
        ("a.csv", ""),
        ("a.jsonl", "5"),
        ("a.jsonl", '["p_anger"]'),
        ("a.csv", "p_fear,p_anger\n0"),
    ],
)
def test_what_is_no_table_is_refused_by_its_name(
    labelled: Path, name: str, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text(labelled / name, content)
    assert evaluate(labelled, "--predictions", labelled / name) == 1
    assert f"{name} is no complete table that mien predict wrote" in capsys.readouterr().err


def test_weights_that_were_trained_on_the_images_are_reported_with_caution(
    labelled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shipped = load_manifest("default")
    (labelled / "run").mkdir()
    for name in shipped.files:
        shutil.copy(shipped.folder / name, labelled / "run" / name)
    text(labelled / "set/labels.csv", "path,label,split", "a.png,happy,train", "b.png,sad,test")
    table = dataset_info("csv").samples(labelled / "set").fingerprint()
    for trained_on, split, caution in (
        (f"csv:{table}", "test", True),
        (f"csv:{table}/train", "train", True),
        (f"csv:{table}/train", "test", False),
        ("csv", "test", True),
        ("csv/train", "test", False),
        ("csv:another", "test", False),
    ):
        write_manifest(replace(shipped, trained_on=(trained_on,), folder=labelled / "run"))
        result = mien.evaluate("csv", labelled / "set", weights=labelled / "run", split=split)
        assert ("default trained on images of this set" in result.settings.get("caution", "")) == caution
        print_evaluation(result)
        assert ("\nCaution: default trained on images" in capsys.readouterr().out) == caution
