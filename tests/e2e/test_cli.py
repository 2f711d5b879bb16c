"""The command as a person or a script meets it."""

from __future__ import annotations

import inspect
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image, ImageFilter

import mien
from mien.cli.app import run
from mien.cli.predict import predict
from mien.results import ImageResult
from mien.weights.manifest import shipped_names
from tests.conftest import EXAMPLES

PHOTO = str(EXAMPLES / "astronaut.jpg")
Command = Callable[..., "Done"]


@dataclass(frozen=True)
class Done:
    """What a command has left."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def mien_command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs a command in this process, which has loaded its networks already."""

    def command(*arguments: str) -> Done:
        capsys.readouterr()
        code = run([*arguments])
        return Done(code, *capsys.readouterr())

    return command


def process(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "mien", *arguments], capture_output=True, text=True)


def test_a_photo_gives_a_table_and_success() -> None:
    done = process("predict", PHOTO)
    assert done.returncode == 0
    assert "happiness" in done.stdout
    assert done.stderr == ""


def test_a_process_ends_with_the_code_of_its_command(tmp_path: Path) -> None:
    done = process("predict", str(tmp_path / "absent.jpg"))
    assert (done.returncode, done.stdout) == (1, "")
    assert "absent.jpg: no such file" in done.stderr
    assert process("nonsense").returncode == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux")
@pytest.mark.parametrize("command", ["--version", "doctor"])
def test_a_full_disk_below_the_output_is_one_line(command: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "mien", command], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 1
    assert done.stderr.startswith("mien: the output cannot be written: the disk is full")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("width", [60, 80, 120, None])
def test_the_terminal_has_one_line_per_face_and_each_path_once(
    mien_command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: int | None
) -> None:
    folder = tmp_path / "holiday by the sea"
    folder.mkdir()
    photo = Image.open(PHOTO)
    two = Image.new("RGB", (2 * photo.width, photo.height))
    two.paste(photo, (0, 0))
    two.paste(photo, (photo.width, 0))
    two.save(folder / "two of them.png")
    Image.new("RGB", (64, 64)).save(folder / "none.png")
    monkeypatch.delenv("COLUMNS", raising=False)
    if width is not None:
        monkeypatch.setenv("COLUMNS", str(width))
    lines = mien_command("predict", str(folder), "--min-confidence", "1").stdout.splitlines()
    if width is not None:  # too narrow for whole paths: the folder once, in one piece
        assert lines.pop(0) == f"in {folder}/"
    assert len(lines) == 1 + 1 + 2
    assert "none.png" in lines[1]
    assert "no face detected" in lines[1]
    assert "them.png" in lines[2]
    assert "them.png" not in lines[3]
    assert all("happiness 9" in line and "uncertain: below 100%" in line for line in lines[2:])
    if width is None:
        assert str(folder / "two of them.png") in lines[2]
    else:
        assert max(map(len, lines)) <= width


def test_json_lines_go_to_stdout_and_nothing_else(mien_command: Command) -> None:
    done = mien_command("predict", PHOTO, str(EXAMPLES / "grace_hopper.jpg"), "--json", "--quiet")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [Path(row["source"]).name for row in rows] == ["astronaut.jpg", "grace_hopper.jpg"]
    assert done.stderr == ""


def test_uncertain_answers_and_faces_that_are_hard_to_see_are_said(
    mien_command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    Image.open(PHOTO).filter(ImageFilter.GaussianBlur(6)).save(tmp_path / "soft.png")
    done = mien_command("predict", str(tmp_path / "soft.png"), PHOTO, "--min-confidence", "1")
    assert [line.split("uncertain: ")[1].strip() for line in done.stdout.splitlines()[1:]] == [
        "too blurred",
        "below 100%",
    ]
    assert "2 uncertain, 1 of them flagged" in done.stderr
    done = mien_command("predict", PHOTO, "--min-confidence", "0", "--json")
    assert json.loads(done.stdout)["certain"] is True
    assert mien_command("predict", PHOTO, "--min-confidence", "60").returncode == 2


def test_the_command_has_the_options_of_the_library_with_the_same_defaults() -> None:
    command, load, once = (inspect.signature(one).parameters for one in (predict, mien.load, mien.predict))
    options = {*load} - {"threads"}
    batch = {name.removesuffix("_s") for name in mien.BatchOptions.__annotations__} - {"workers", "progress"}
    assert options | batch <= {*command}
    assert options == {*once} - {"source", "detect", "boxes"}
    assert all(command[name].default == load[name].default == once[name].default for name in options)


def test_images_of_one_face_each_and_the_flip_can_be_chosen(mien_command: Command) -> None:
    done = mien_command("predict", PHOTO, "--no-detect", "--no-tta", "--labels", "raf-db", "--json")
    (row,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert (row["detection"], row["left"], row["right"]) == (None, 0, 512)
    (face,) = mien.predict(PHOTO, detect=False, tta=False, labels="raf-db")
    assert face.expression is not None
    assert row["p_fear"] == pytest.approx(face.expression["fear"], abs=1e-6)
    assert "p_contempt" not in row


def test_bad_files_are_named_on_stderr_and_the_code_is_one(mien_command: Command, tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"")
    done = mien_command("predict", str(tmp_path / "broken.jpg"), str(tmp_path / "absent.jpg"), PHOTO)
    assert done.returncode == 1
    assert f"{tmp_path / 'broken.jpg'}: the file is empty" in done.stderr
    assert f"{tmp_path / 'absent.jpg'}: no such file" in done.stderr
    assert "happiness" in done.stdout
    assert "Traceback" not in done.stderr


def test_every_frame_is_predicted_and_what_is_skipped_is_said(mien_command: Command, tmp_path: Path) -> None:
    photo = Image.open(PHOTO)
    photo.save(tmp_path / "moving.gif", save_all=True, append_images=[photo.rotate(5)])
    (tmp_path / "clip.mp4").write_bytes(b"")
    done = mien_command("predict", str(tmp_path), "-o", str(tmp_path / "t.csv"))
    assert done.returncode == 1
    assert f"{tmp_path / 'clip.mp4'}: the file is empty" in done.stderr
    assert "1 could not be read" in done.stderr
    rows = (tmp_path / "t.csv").read_text().splitlines()[1:]
    assert [row.split(",")[:2] for row in rows if "moving.gif" in row] == [
        [str(tmp_path / "moving.gif"), "0"],
        [str(tmp_path / "moving.gif"), "1"],
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ["predict"],
        ["predict", "--treshold", "0.5", PHOTO],
        ["nonsense"],
        ["predict", PHOTO, "--threshold", "much"],
    ],
)
def test_wrong_usage_has_code_two_and_no_traceback(mien_command: Command, arguments: list[str]) -> None:
    done = mien_command(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--output", "t.ods"], "tables are written as"),
        (["--labels", "rafdb"], "Did you mean 'raf-db'?"),
        (["--weights", "defalt"], "Did you mean 'default'?"),
        (["--weights", "landmarks68"], "read no expressions"),
        (["--threshold", "3"], "between 0 and 1"),
    ],
)
def test_wrong_values_are_one_line_and_code_two(mien_command: Command, arguments: list[str], reason: str) -> None:
    done = mien_command("predict", PHOTO, *arguments)
    assert done.returncode == 2
    assert reason in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_missing_output_folder_is_said_before_anything_is_read(mien_command: Command) -> None:
    done = mien_command("predict", PHOTO, "--output", "absent/t.csv")
    assert done.returncode == 1
    assert "does not exist; make it first" in done.stderr


def test_names_are_printed_plain_and_on_one_line(mien_command: Command, tmp_path: Path) -> None:
    for name in ("[red]a[bold].jpg", "new\nline.jpg"):
        (tmp_path / name).write_bytes(Path(PHOTO).read_bytes())
    (tmp_path / "bad\nname.jpg").write_bytes(b"")
    done = mien_command("predict", str(tmp_path))
    assert done.returncode == 1
    assert "[red]a[bold].jpg" in done.stdout.replace("\n", "").replace(" ", "")
    assert "bad\\nname.jpg: the file is empty" in done.stderr


def test_an_empty_folder_is_said(mien_command: Command, tmp_path: Path) -> None:
    done = mien_command("predict", str(tmp_path), "-o", str(tmp_path / "t.csv"))
    assert done.returncode == 1
    assert "no image or video there" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_folder_is_written_and_saved(mien_command: Command, tmp_path: Path) -> None:
    done = mien_command("predict", str(EXAMPLES), "-o", str(tmp_path / "t.csv"), "--save", str(tmp_path / "marked"))
    assert done.returncode == 0
    assert "2 faces in 2 images" in done.stderr
    assert len((tmp_path / "t.csv").read_text().splitlines()) == 3
    faces = json.loads((tmp_path / "marked" / "astronaut.jpg.json").read_text())["faces"]
    assert mien.Face.from_dict(faces[0]).expression is not None
    marked, plain = mien.read_image(tmp_path / "marked" / "astronaut.jpg"), mien.read_image(PHOTO)
    assert marked.shape == plain.shape
    assert (abs(marked.astype(int) - plain) > 60).any()


def test_version_and_weights_are_shown(mien_command: Command) -> None:
    assert mien_command("--version").stdout == f"mien {mien.__version__}\n"
    assert "landmarks68" in mien_command("weights", "list").stdout
    assert json.loads(mien_command("weights", "show").stdout)["labels"] == "ferplus"


def test_the_doctor_says_what_runs_where_and_checks_the_weights(mien_command: Command) -> None:
    done = mien_command("doctor")
    assert done.returncode == 0
    assert f"mien {mien.__version__}, Python {platform.python_version()}" in done.stdout
    assert "CPUExecutionProvider; its telemetry is off" in done.stdout
    assert done.stdout.count(" checks passed") == len(shipped_names())


def test_the_shell_completes_commands() -> None:
    environment = os.environ | {"_MIEN_COMPLETE": "complete_bash", "COMP_WORDS": "mien pre", "COMP_CWORD": "1"}
    code = "import sys; sys.argv = ['mien']; from mien.cli import main; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.stdout.split() == ["predict"]


def test_the_start_script_ends_with_how_to_go_on() -> None:
    last = (EXAMPLES.parent / "scripts" / "start").read_text().splitlines()[-1]
    assert "/bin/activate" in last
    assert "mien predict" in last


def test_one_face_is_one_face() -> None:
    from mien.cli.run_summary import RunSummary

    summary = RunSummary(0)
    assert summary.sentence(None) == "0 faces in 0 images"
    summary.faces = summary.images = 1
    assert summary.sentence(None) == "1 face in 1 image"


def test_an_extended_table_says_how_many_of_its_files_are_gone(tmp_path: Path) -> None:
    from mien.cli.run_summary import RunSummary

    said = RunSummary(0).sentence(tmp_path / "t.csv", others=[str(PHOTO), str(tmp_path / "gone.jpg")])
    assert said.endswith("t.csv, with 2 sources of earlier runs (1 not found now)")


def test_a_folder_ends_with_the_counts_of_each_expression(recognizer: mien.Recognizer) -> None:
    from mien.cli.run_summary import RunSummary

    summary = RunSummary(2)
    assert summary.expressions() == []
    faces = tuple(recognizer.predict(EXAMPLES / "astronaut.jpg"))
    for name in "ab":
        summary.add(ImageResult(name, faces))
    assert [line.split() for line in summary.expressions()] == [
        ["expression", "faces", "certain"], ["happiness", "2", "2"],
    ]  # fmt: skip
