"""Seeds, splits, and a folder that can be left and taken up again."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from mien.cli.app import run
from mien.errors import InputError, MissingPackageError, OptionError, OutputError
from mien.synthetic import generate
from mien.synthetic.generate import RenderSettings, render_faces, split_of

SMALL = RenderSettings(identities=1, size_px=32, yaws=(-60, 30))


def needs_renderer() -> None:
    pytest.importorskip("pyvista", reason="rendering needs PyVista, which is large: pip install 'mien[render]'")


@pytest.fixture(scope="module")
def finished(model_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    needs_renderer()
    folder = tmp_path_factory.mktemp("rendered") / "set"
    assert render_faces(model_file, folder, SMALL) == len(SMALL) == 56
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "faces.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_of_every_five_identities_three_train_one_validates_one_tests() -> None:
    for seed in range(20):
        splits = [split_of(seed, identity) for identity in range(25)]
        for start in range(0, 25, 5):
            assert sorted(splits[start : start + 5]) == ["test", "train", "train", "train", "valid"]


def test_another_seed_splits_otherwise() -> None:
    assert len({tuple(split_of(seed, identity) for identity in range(25)) for seed in range(10)}) == 10


@pytest.mark.parametrize(
    "change",
    [
        {"identities": 0},
        {"seed": -1},
        {"size_px": 8},
        {"classes": 6},
        {"yaws": ()},
        {"yaws": (0, 0.0)},
        {"yaws": (120,)},
        {"yaws": (float("nan"),)},
        {"pitch_limit_deg": 80},
        {"yaw_jitter_deg": -1},
    ],
)
def test_settings_that_make_no_set_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(OptionError):
        RenderSettings(**change)  # type: ignore[arg-type]


def test_the_table_names_every_image_once_and_in_order(finished: Path) -> None:
    table = rows(finished)
    assert list(table[0]) == list(generate.COLUMNS)
    assert [row["file"] for row in table] == sorted({row["file"] for row in table}, key=[
        generate._file(face, yaw) for face in SMALL.faces() for yaw in SMALL.yaws
    ].index)  # fmt: skip
    assert {row["file"] for row in table} == {name for name in contents(finished) if name.startswith("images/")}
    assert not (finished / "faces.csv.part").exists()


def test_rows_hold_what_a_reader_needs(finished: Path) -> None:
    for row in rows(finished):
        assert row["split"] == split_of(0, 0)
        assert (row["intensity"] == "0") == (row["expression"] == "neutral") == (row["units"] == "")
        assert len(row["landmarks"].split()) == 136
        assert len(row["visible"]) == 68
        assert set(row["visible"]) <= {"0", "1"}
        assert float(row["yaw_deg"]) == float(row["yaw_class"])
        assert abs(float(row["pitch_deg"])) <= 30


def test_two_runs_with_other_numbers_of_processes_are_byte_equal(
    finished: Path, model_file: Path, tmp_path: Path
) -> None:
    render_faces(model_file, tmp_path / "again", SMALL, workers=2)
    assert contents(tmp_path / "again") == contents(finished)


def test_a_subset_has_the_same_images(finished: Path, model_file: Path, tmp_path: Path) -> None:
    render_faces(model_file, tmp_path, RenderSettings(identities=1, size_px=32, yaws=(30,)))
    whole = contents(finished)
    images = {name: data for name, data in contents(tmp_path).items() if name.endswith(".jpg")}
    assert len(images) == 28
    assert all(whole[name] == data for name, data in images.items())


def test_an_interrupted_set_goes_on_and_ends_the_same(finished: Path, model_file: Path, tmp_path: Path) -> None:
    whole = contents(finished)
    lines = whole["faces.csv"].splitlines(keepends=True)
    for name, data in whole.items():
        if name not in ("faces.csv", "images/0000/neutral_1_yaw-60.jpg"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(data)
    # Five faces of two views were written down, the sixth in part, and one image has been lost since.
    (tmp_path / "faces.csv.part").write_bytes(b"".join(lines[:12]) + lines[12][:40])
    counts: list[int] = []
    progress = lambda done, total: counts.append(done)  # noqa: E731
    assert render_faces(model_file, tmp_path, SMALL, progress=progress) == 56 - 8
    assert (counts[0], counts[-1]) == (8, 56)
    assert contents(tmp_path) == whole


def test_a_finished_set_is_left_alone(finished: Path, model_file: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in finished.rglob("*")}
    assert render_faces(model_file, finished, SMALL) == 0
    assert {path: path.stat().st_mtime_ns for path in finished.rglob("*")} == before


def test_other_settings_are_refused_and_said(finished: Path, model_file: Path) -> None:
    other = RenderSettings(identities=1, size_px=32, yaws=(-60, 30), seed=5)
    with pytest.raises(OutputError, match=r"seed was 0, now 5.*--overwrite"):
        render_faces(model_file, finished, other)


def test_overwrite_starts_over(model_file: Path, tmp_path: Path) -> None:
    needs_renderer()
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "left.jpg").write_bytes(b"")
    (tmp_path / "dataset.json").write_text(json.dumps({"made_by": "mien data render"}))
    only = RenderSettings(identities=1, size_px=32, yaws=(0,))
    assert render_faces(model_file, tmp_path, only, overwrite=True) == 28
    assert not (tmp_path / "images" / "left.jpg").exists()


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_with_other_things_is_not_touched(model_file: Path, tmp_path: Path, overwrite: bool) -> None:
    needs_renderer()
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(OutputError, match="not empty"):
        render_faces(model_file, tmp_path, SMALL, overwrite=overwrite)
    assert contents(tmp_path) == {"thesis.tex": b"mine"}


def test_a_damaged_record_is_refused(model_file: Path, tmp_path: Path) -> None:
    needs_renderer()
    (tmp_path / "dataset.json").write_text("{")
    with pytest.raises(OutputError, match="damaged"):
        render_faces(model_file, tmp_path, SMALL)


def test_without_pyvista_the_extra_is_named(
    model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generate, "find_spec", lambda _: None)
    with pytest.raises(MissingPackageError, match=r"\.\[render\]"):
        render_faces(model_file, tmp_path / "set", SMALL)
    assert not (tmp_path / "set").exists()


def test_a_wrong_model_leaves_no_folder(tmp_path: Path) -> None:
    needs_renderer()
    with pytest.raises(InputError, match="ICT-FaceKit"):
        render_faces(tmp_path / "none.npz", tmp_path / "set", SMALL)
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--yaws=a,b"], "angles with commas"),
        (["--yaws=-100"], "yaw is -100"),
        (["--workers=-2"], "greater than or equal to 0"),
        (["--classes", "9"], "classes is 9"),
    ],
)
def test_wrong_options_are_said(
    options: list[str], complaint: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    command = ["data", "render", "--model", "face.npz", "--out", str(tmp_path / "set"), *options]
    assert run(command) == 2
    assert complaint in capsys.readouterr().err
