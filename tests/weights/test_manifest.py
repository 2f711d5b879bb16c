from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from mien.cli.app import run
from mien.errors import OptionError, UnknownNameError, WeightsError
from mien.labels import LabelSet, label_set
from mien.preprocess import TEMPLATES
from mien.weights.manifest import (
    SHIPPED,
    ConfidenceThreshold,
    load_manifest,
    read_manifest,
    shipped_names,
    stated_labels,
    write_manifest,
)


@pytest.mark.parametrize("name", shipped_names())
def test_every_shipped_record_is_complete(name: str) -> None:
    manifest = load_manifest(name)
    for file in manifest.files:
        assert manifest.file(file).is_file()
    assert manifest.licence
    assert manifest.source
    assert manifest.inputs.template in TEMPLATES
    if manifest.labels is not None:
        assert {"default", "natural", "balanced"} <= set(manifest.priors)
        assert all(len(bias) == len(label_set(manifest.labels)) for bias in manifest.priors.values())
        assert manifest.temperature > 0
        assert set(manifest.confidence_thresholds) == set(manifest.priors)  # research/fer/calibrate.py --manifest
        assert manifest.saw("ferplus", ["train"])  # research/fer/export.py: TRAINED_ON
        assert not manifest.saw("ferplus", ["valid"])
        assert not manifest.saw("sfew", ["test"])
        assert manifest.saw("affectnet", ["test"])  # of which an unnamed table of the training looks like a part


def test_shipped_files_are_there_and_stay_small() -> None:
    assert shipped_names() == [
        "apvit",
        "default",
        "landmarks68",
        "phanet",
        "poster",
        "poster_v2",
        "roll",
        "yunet-slim",
        "yunet-slim-robust",
    ]
    assert sum(file.stat().st_size for file in SHIPPED.rglob("*")) < 60_000_000


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    shutil.copytree(SHIPPED / "landmarks68", tmp_path / "own")
    return tmp_path / "own"


def test_a_folder_of_ones_own_is_loaded_by_path(copied: Path) -> None:
    manifest = load_manifest(str(copied))
    assert manifest.file(".onnx") == copied / "landmarks68.onnx"


def test_an_altered_file_is_refused(copied: Path) -> None:
    with (copied / "landmarks68.onnx").open("ab") as file:
        file.write(b"x")
    with pytest.raises(WeightsError, match="is damaged"):
        load_manifest(str(copied)).file(".onnx")


def test_a_missing_file_or_kind_is_named(copied: Path) -> None:
    (copied / "landmarks68.onnx").unlink()
    with pytest.raises(WeightsError, match="is missing"):
        load_manifest(str(copied)).file(".onnx")
    with pytest.raises(WeightsError, match=r"have no \.pth file"):
        load_manifest(str(copied)).file(".pth")


def test_a_record_reads_back_as_written(copied: Path) -> None:
    manifest = load_manifest(str(copied))
    assert write_manifest(manifest) == manifest
    assert load_manifest(str(copied)) == manifest


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"name": 3}'])
def test_what_is_no_record_is_refused(copied: Path, text: str) -> None:
    (copied / "manifest.json").write_text(text)
    with pytest.raises(WeightsError, match="is no weights manifest"):
        read_manifest(copied / "manifest.json")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("network", None),
        ("labels", ["anger", "anger"]),
        ("labels", 3),
        ("config", None),
        ("files", {}),
        ("files", ["default.onnx"]),
        ("files", {"../default.onnx": "0"}),
        ("tta", "yes"),
        ("temperature", 0),
        ("temperature", float("nan")),
        ("temperature", "1"),
        ("priors", {"default": [float("inf")] * 8}),
        ("golden", {"outputs": [0.0], "tolerance": float("inf")}),
    ],
)
def test_a_value_that_cannot_be_is_refused(field: str, value: object, copied: Path) -> None:
    path = copied / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {field: value}))
    with pytest.raises(WeightsError, match=r"manifest\.json is no weights manifest"):
        load_manifest(str(copied))


def test_an_unknown_field_is_refused(copied: Path) -> None:
    values = json.loads((copied / "manifest.json").read_text()) | {"colour": "bgr"}
    (copied / "manifest.json").write_text(json.dumps(values))
    with pytest.raises(WeightsError, match="colour"):
        read_manifest(copied / "manifest.json")


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'default'"):
        load_manifest("defaults")


def test_a_network_without_classes_says_so() -> None:
    with pytest.raises(OptionError, match="read no expressions"):
        _ = load_manifest("landmarks68").label_set


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    """One weights file with its manifest beside it, as a conversion writes them."""
    manifest = load_manifest("landmarks68")
    shutil.copy(manifest.file(".safetensors"), tmp_path / "mine.safetensors")
    write_manifest(replace(manifest, files={"mine.safetensors": ""}, folder=tmp_path, filename="mine.json"))
    return tmp_path / "mine.safetensors"


def test_a_file_is_loaded_by_itself_by_its_record_and_in_a_folder(beside: Path, copied: Path) -> None:
    assert load_manifest(str(beside)) == load_manifest(str(beside.with_suffix(".json")))
    assert load_manifest(str(beside)).file(".safetensors") == beside
    assert load_manifest(str(copied / "landmarks68.safetensors")) == load_manifest(str(copied))


def test_a_file_cut_short_is_refused(beside: Path) -> None:
    beside.write_bytes(beside.read_bytes()[:-100])
    with pytest.raises(WeightsError, match=r"mine\.safetensors is damaged.*or convert the official file again"):
        load_manifest(str(beside)).file(".safetensors")


def test_a_file_without_its_record_is_refused(beside: Path) -> None:
    renamed = beside.rename(beside.with_name("other.safetensors"))
    with pytest.raises(WeightsError, match=r"other\.safetensors has no manifest: other\.json.*Copy both together"):
        load_manifest(str(renamed))
    beside.with_suffix(".json").rename(beside.with_name("other.json"))  # a manifest of mine.safetensors
    with pytest.raises(WeightsError, match="is not beside it or is of another file"):
        load_manifest(str(renamed))


def test_a_pickle_is_answered_with_how_to_convert_it(tmp_path: Path) -> None:
    (tmp_path / "best.pth.tar").write_bytes(b"PK")
    with pytest.raises(WeightsError, match=r"mien weights convert .*best\.pth\.tar --to best\.safetensors"):
        load_manifest(str(tmp_path / "best.pth.tar"))


@pytest.mark.parametrize("name", ["best.safetensors", "last.pt"])
def test_files_of_a_run_are_answered_with_the_weights_beside_them(tmp_path: Path, name: str) -> None:
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "manifest.json").write_text("{}")
    (tmp_path / name).write_bytes(b"PK")
    with pytest.raises(WeightsError, match=rf"{name} is a training run's own; name its weights.*/weights$"):
        load_manifest(str(tmp_path / name))


@pytest.mark.parametrize(
    ("path", "reason"), [("absent.safetensors", "no such file"), ("", "holds no manifest.json")]
)
def test_a_path_that_leads_nowhere_is_said(path: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=reason):
        load_manifest(str(tmp_path / path))


@pytest.mark.parametrize(("key", "value"), [("template", "ears"), ("channels", "grb")])
def test_inputs_that_cannot_be_are_refused(key: str, value: str, copied: Path) -> None:
    values = json.loads((copied / "manifest.json").read_text())
    values["inputs"][key] = value
    (copied / "manifest.json").write_text(json.dumps(values))
    with pytest.raises(WeightsError, match=value):
        load_manifest(str(copied))


def test_labels_of_another_number_than_the_outputs_are_refused() -> None:
    with pytest.raises(WeightsError, match="'raf-db' are 7 classes, config or priors have 8; make them agree"):
        _ = replace(load_manifest("default"), labels="raf-db").label_set


def test_a_threshold_of_certainty_survives_writing(tmp_path: Path) -> None:
    shutil.copytree(SHIPPED / "default", tmp_path / "own")
    stated = ConfidenceThreshold(
        threshold=0.6, rule="by hand", measured={"images": {"coverage": 0.9, "accuracy": 0.9}}
    )
    write_manifest(replace(load_manifest(str(tmp_path / "own")), confidence_thresholds={"default": stated}))
    assert load_manifest(str(tmp_path / "own")).confidence_thresholds == {"default": stated}


def test_a_record_from_before_there_were_thresholds_states_none(copied: Path) -> None:
    values = json.loads((copied / "manifest.json").read_text())
    values.pop("confidence_thresholds", None)
    (copied / "manifest.json").write_text(json.dumps(values))
    assert load_manifest(str(copied)).confidence_thresholds == {}


@pytest.mark.parametrize(
    ("stated", "reason"),
    [
        (
            {"nobody": {"threshold": 0.5, "rule": "", "measured": {}}},
            "nobody, which it lacks",
        ),
        ({"default": {"threshold": 1.5, "rule": "", "measured": {}}}, "threshold: must be `float` <= 1.0"),
        ({"default": {"threshold": "half", "rule": "", "measured": {}}}, "is no weights manifest"),
        ({"default": 0.5}, "is no weights manifest"),
    ],
)
def test_thresholds_that_cannot_be_are_refused(stated: object, reason: str, tmp_path: Path) -> None:
    shutil.copytree(SHIPPED / "default", tmp_path / "own")
    values = json.loads((tmp_path / "own" / "manifest.json").read_text())
    (tmp_path / "own" / "manifest.json").write_text(json.dumps(values | {"confidence_thresholds": stated}))
    with pytest.raises(WeightsError, match=reason):
        load_manifest(str(tmp_path / "own"))


def test_own_classes_travel_in_the_manifest(tmp_path: Path) -> None:
    shutil.copytree(SHIPPED / "default", tmp_path / "own")
    own = ("bored", "confused", "pain", "neutral", "happiness", "fear", "anger", "contempt")
    write_manifest(replace(load_manifest(str(tmp_path / "own")), labels=own))
    assert load_manifest(str(tmp_path / "own")).labels == own
    assert load_manifest(str(tmp_path / "own")).label_set == LabelSet(own)
    assert stated_labels(LabelSet(own)) == own
    assert stated_labels(label_set("ferplus")) == "ferplus"


def test_one_identity_for_all_files_of_a_manifest(copied: Path) -> None:
    before = load_manifest(str(copied))
    assert len(before.identity) == 12
    assert before.identity == load_manifest("landmarks68").identity
    assert replace(before, files=dict(reversed(before.files.items()))).identity == before.identity
    (copied / "landmarks68.onnx").write_bytes(b"other")
    assert write_manifest(before).identity != before.identity


def test_the_list_has_the_figures_of_every_data_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["weights", "list"]) == 0
    shipped = capsys.readouterr().out
    assert "FER+" in shipped
    assert "%" in shipped
    shutil.copytree(SHIPPED / "default", tmp_path / "runs/mine/weights")
    manifest = load_manifest(str(tmp_path / "runs/mine"))
    figures = {
        "wild7 valid, ours": {"accuracy": 0.612, "balanced_accuracy": 0.601},
        "sfew, ours": {"accuracy": 0.5},
    }
    write_manifest(replace(manifest, measured=figures))
    for path in (tmp_path / "runs", tmp_path / "runs/mine"):
        assert run(["weights", "list", str(path)]) == 0
        own = capsys.readouterr().out
        assert all(word in own for word in ("61.2%", "60.1%", "50.0%", "sfew"))
    assert run(["weights", "list", str(tmp_path)]) == 1
    assert "holds no manifest.json" in capsys.readouterr().err


def test_a_wrong_name_suggests_weights_that_read_expressions() -> None:
    with pytest.raises(UnknownNameError) as caught:
        load_manifest("typo")
    assert "yunet" not in str(caught.value)
    assert "default" in str(caught.value)
    with pytest.raises(UnknownNameError, match="Did you mean 'landmarks68'"):
        load_manifest("landmark68")


def test_only_images_as_their_set_has_them_state_where_faces_lie(copied: Path) -> None:
    before = (copied / "manifest.json").read_bytes()
    manifest = load_manifest(str(copied))
    write_manifest(manifest)
    assert json.loads((copied / "manifest.json").read_bytes())["inputs"] == json.loads(before)["inputs"]
    points = ((0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.35, 0.8), (0.65, 0.8))
    framed = replace(manifest, inputs=replace(manifest.inputs, template="image", points=points, aspect=0.8))
    assert write_manifest(framed) == framed
    assert load_manifest(str(copied)) == framed


@pytest.mark.parametrize(
    ("key", "value"), [("points", [[0.1, 0.2]]), ("points", "five"), ("aspect", -1), ("aspect", "wide")]
)
def test_points_and_aspects_that_cannot_be_are_refused(key: str, value: object, copied: Path) -> None:
    values = json.loads((copied / "manifest.json").read_text())
    values["inputs"] |= {"template": "image", key: value}
    (copied / "manifest.json").write_text(json.dumps(values))
    with pytest.raises(WeightsError, match=key):
        load_manifest(str(copied))
