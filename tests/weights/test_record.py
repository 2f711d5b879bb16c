from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from mien.errors import OptionError, UnknownName, WeightsError
from mien.labels import label_set
from mien.preprocess import TEMPLATES
from mien.weights.record import SHIPPED, load_record, read_record, shipped_names, write_record


@pytest.mark.parametrize("name", shipped_names())
def test_every_shipped_record_is_complete(name: str) -> None:
    record = load_record(name)
    for file in record.files:
        assert record.file(file).is_file()
    assert record.licence
    assert record.source
    assert record.inputs.template in TEMPLATES
    if record.labels is not None:
        assert {"default", "natural", "balanced"} <= set(record.priors)
        assert all(len(bias) == len(label_set(record.labels)) for bias in record.priors.values())
        assert record.temperature > 0


def test_shipped_files_are_there_and_stay_small() -> None:
    assert shipped_names() == ["default", "landmarks68"]
    assert sum(file.stat().st_size for file in SHIPPED.rglob("*")) < 40_000_000


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    shutil.copytree(SHIPPED / "landmarks68", tmp_path / "own")
    return tmp_path / "own"


def test_a_folder_of_ones_own_is_loaded_by_path(copied: Path) -> None:
    record = load_record(str(copied))
    assert record.file(".onnx") == copied / "landmarks68.onnx"


def test_an_altered_file_is_refused(copied: Path) -> None:
    with (copied / "landmarks68.onnx").open("ab") as file:
        file.write(b"x")
    with pytest.raises(WeightsError, match="is damaged"):
        read_record(copied).file(".onnx")


def test_a_missing_file_or_kind_is_named(copied: Path) -> None:
    (copied / "landmarks68.onnx").unlink()
    with pytest.raises(WeightsError, match="is missing"):
        read_record(copied).file(".onnx")
    with pytest.raises(WeightsError, match=r"have no \.pth file"):
        read_record(copied).file(".pth")


def test_a_record_reads_back_as_written(copied: Path) -> None:
    record = read_record(copied)
    write_record(record)
    assert read_record(copied) == record


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"name": 3}'])
def test_what_is_no_record_is_refused(copied: Path, text: str) -> None:
    (copied / "record.json").write_text(text)
    with pytest.raises(WeightsError, match="is no weights record"):
        read_record(copied)


def test_an_unknown_field_is_refused(copied: Path) -> None:
    values = json.loads((copied / "record.json").read_text()) | {"colour": "bgr"}
    (copied / "record.json").write_text(json.dumps(values))
    with pytest.raises(WeightsError, match="colour"):
        read_record(copied)


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'default'"):
        load_record("defaults")


def test_a_network_without_classes_says_so() -> None:
    with pytest.raises(OptionError, match="read no expressions"):
        _ = load_record("landmarks68").label_set
