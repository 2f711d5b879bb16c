from __future__ import annotations

import csv
import errno
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import mien.prepared.build as module
import mien.prepared.parts as parts
from mien.cli.app import run as run_command
from mien.datasets import dataset_info
from mien.datasets.samples import Samples
from mien.errors import DataError, OptionError, OutputError
from mien.prepared.build import PreparationReport, prepare, prepare_samples
from mien.prepared.face_canvas import CanvasSettings
from mien.prepared.store import PreparedStore
from tests.conftest import EXAMPLES
from tests.datasets.distributions import image, text
from tests.waiting import eventually

SETTINGS = CanvasSettings(detect=False, canvas_px=64)
RAF = dataset_info("raf-db")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """PreparedStore of eight images, parts of three."""
    monkeypatch.setattr(module, "SHARD_ROWS", 8)
    monkeypatch.setattr(module, "PART_ROWS", 3)


def raf_db(folder: Path, count: int, *, unreadable: int = 11, faceless: int = 4) -> Path:
    """RAF-DB with one real face in all sizes, one image that is none, one damaged file."""
    face = Image.open(EXAMPLES / "astronaut.jpg").crop((150, 30, 320, 200))
    lines = []
    for i in range(count):
        stem = f"{'test' if i % 4 == 3 else 'train'}_{i:05d}"
        lines.append(f"{stem}.jpg {i % 7 + 1}")
        path = folder / f"Image/aligned/{stem}_aligned.jpg"
        if i == faceless:
            image(path, seed=i, side=100)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            face.resize((80 + i % 40,) * 2).save(path)
        if i == unreadable:
            path.write_bytes(path.read_bytes()[:200])
    text(folder / "EmoLabel/list_patition_label.txt", *lines)
    return folder


@pytest.fixture
def samples(tmp_path: Path, small: None) -> Samples:
    return RAF.samples(raf_db(tmp_path / "raf", 20))


def files_of(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


def run(samples: Samples, out: Path, **options: object) -> PreparationReport:
    return prepare_samples(RAF, samples, out, SETTINGS, **options)


def test_a_set_becomes_shards_with_its_rows_in_order(tmp_path: Path, samples: Samples) -> None:
    report = run(samples, tmp_path / "out")
    assert (report.before, report.now) == (0, 20)
    shards = PreparedStore(tmp_path / "out")
    shards.verify()
    assert [shard.rows for shard in shards.header.shards] == [8, 7, 4]
    kept = np.delete(np.arange(20), 11)
    assert shards.column("row").tolist() == kept.tolist()
    assert shards.label.tolist() == samples.label[kept].tolist()
    assert shards.column("path").tolist() == samples.path[kept].tolist()
    assert np.flatnonzero(~shards.detected).tolist() == [4]
    assert shards.header.counts["train"]["surprise"] == int(
        ((samples.split == "train") & (samples.label == 0) & (np.arange(20) != 11)).sum()
    )
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "prepared.json", "problems.csv", *(f"0000{i}{end}" for i in range(3) for end in (".npy", ".parquet")),
    }  # fmt: skip


def test_the_report_names_every_face_not_found_and_every_unreadable_image(tmp_path: Path, samples: Samples) -> None:
    report = run(samples, tmp_path / "out")
    with (tmp_path / "out/problems.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(Path(row["path"]).name[:11], row["action"]) for row in rows] == [
        ("train_00004", "the whole image was used"),
        ("test_00011_", "left out"),
    ]
    assert "ends early" in rows[1]["reason"]
    assert (report.header.undetected, report.header.unreadable) == (1, 1)


def test_a_face_too_small_for_a_crop_is_not_called_undetected(tmp_path: Path, small: None) -> None:
    people = tmp_path / "people"
    photo = Image.open(EXAMPLES / "astronaut.jpg")
    for i in range(10):
        canvas = Image.new("RGB", (700, 700), "grey")
        canvas.paste(
            photo.crop((140, 20, 330, 240)) if i in (2, 9) else photo.crop((140, 20, 330, 240)).resize((690, 690))
        )
        if i == 5:
            canvas = Image.new("RGB", (90, 90), "grey")
        path = people / ("happy" if i % 2 else "bored") / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        canvas.save(path)
    report = prepare("folder", people, tmp_path / "out", canvas_px=64)
    assert (report.header.undetected, report.header.rejected, report.left_out) == (1, 2, 0)
    with (tmp_path / "out/problems.csv").open() as file:
        reasons = {Path(row["path"]).name: row["reason"] for row in csv.DictReader(file)}
    assert reasons["5.png"] == "no face detected"
    assert all("detected, but too small for a crop" in reasons[name] for name in ("2.png", "9.png"))
    assert len(reasons) == 3
    again = prepare("folder", people, tmp_path / "out", canvas_px=64)
    assert (again.now, again.header.rejected) == (0, 2)


def test_several_processes_write_the_same_bytes_as_one(tmp_path: Path, samples: Samples) -> None:
    run(samples, tmp_path / "one")
    run(samples, tmp_path / "two", workers=2)
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")


def test_stopped_anywhere_and_taken_up_again_it_is_the_same_and_nothing_is_done_twice(
    tmp_path: Path, samples: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(samples, tmp_path / "whole")
    made: list[Path] = []
    real = parts.write_part
    monkeypatch.setattr(
        parts,
        "write_part",
        lambda files, decode, maker, part: (made.append(part[0]), real(files, decode, maker, part)),
    )

    class Kill(BaseException):
        pass

    renames = 0
    limit = 0
    real_replace = Path.replace

    def dying(self: Path, target: Path) -> Path:
        nonlocal renames
        renames += 1
        if renames > limit:
            raise Kill
        return real_replace(self, target)

    monkeypatch.setattr(Path, "replace", dying)
    out = tmp_path / "out"
    kills = 0
    while kills < 60:  # each run is cut off just before its fourth file appears
        renames, limit = 0, 3
        try:
            run(samples, out)
            break
        except Kill:
            kills += 1
    assert 5 < kills < 60
    assert files_of(out) == files_of(tmp_path / "whole")
    assert len(made) - len(set(made)) <= kills  # only what was being done when it was cut off


def test_a_finished_folder_is_left_alone(tmp_path: Path, samples: Samples) -> None:
    run(samples, tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    report = run(samples, tmp_path / "out")
    assert (report.before, report.now) == (20, 0)
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}


def test_a_damaged_shard_alone_is_made_again(tmp_path: Path, samples: Samples) -> None:
    out = tmp_path / "out"
    run(samples, out)
    whole = files_of(out)
    (out / "00001.npy").write_bytes(b"cut")
    assert run(samples, out).now == 8
    assert files_of(out) == whole


@pytest.mark.parametrize("finished", [True, False])
def test_other_settings_or_data_are_refused_until_started_over(
    tmp_path: Path, samples: Samples, finished: bool
) -> None:
    out = tmp_path / "out"
    run(samples, out)
    if not finished:
        (out / "prepared.json").rename(tmp_path / "kept")
        module.atomic_write(out / "preparing.json", (tmp_path / "kept").read_bytes())
    with pytest.raises(OutputError, match=r"settings.canvas_px was 64, now 66.*Use --overwrite"):
        prepare_samples(RAF, samples, out, replace(SETTINGS, canvas_px=66))
    fewer = samples.take(np.arange(5))
    with pytest.raises(OutputError, match=r"samples was \w+, now \w+. Use --overwrite"):
        run(fewer, out)
    assert run(fewer, out, overwrite=True).now == 5
    assert len(PreparedStore(out)) == 5


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path, samples: Samples) -> None:
    text(tmp_path / "out/thesis.txt", "years of work")
    with pytest.raises(OutputError, match="holds other files; give --out a new folder"):
        run(samples, tmp_path / "out")
    run(samples, tmp_path / "out2")
    text(tmp_path / "out2/thesis.txt", "years of work")
    run(samples, tmp_path / "out2", overwrite=True)
    assert (tmp_path / "out2/thesis.txt").exists()


def test_a_full_disk_is_one_line_and_what_is_finished_stays(
    tmp_path: Path, samples: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, left = parts.atomic_write, 3

    def full(path: Path, data: bytes) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(path, data)

    monkeypatch.setattr(parts, "atomic_write", full)
    with pytest.raises(OutputError, match="the disk is full; free some space and run this again"):
        run(samples, tmp_path / "out")
    monkeypatch.undo()
    monkeypatch.setattr(module, "SHARD_ROWS", 8)
    monkeypatch.setattr(module, "PART_ROWS", 3)
    assert run(samples, tmp_path / "out").before == 8


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path, samples: Samples) -> None:
    text(tmp_path / "file", "not a folder")
    with pytest.raises(OutputError, match="cannot be written"):
        run(samples, tmp_path / "file" / "out")


def test_fewer_than_no_processes_are_refused(tmp_path: Path, samples: Samples) -> None:
    with pytest.raises(OptionError, match="must be 1 to"):
        run(samples, tmp_path / "out", workers=-1)


def test_a_set_that_cannot_travel_to_processes_says_what_to_do(tmp_path: Path, samples: Samples) -> None:
    own = replace(samples, decode=lambda files, path: np.zeros((48, 48, 3), np.uint8))
    with pytest.raises(OptionError, match="use 1 worker"):
        run(own, tmp_path / "out", workers=2)
    assert run(own, tmp_path / "out", workers=1).header.undetected == 20


def test_broken_rows_are_left_out_counted_and_listed_or_refused(tmp_path: Path, small: None) -> None:
    raf, out = raf_db(tmp_path / "raf", 9, unreadable=-1), tmp_path / "out"
    with (raf / "EmoLabel/list_patition_label.txt").open("a") as file:
        file.write("train_00099.jpg 3\n")
    with pytest.raises(DataError, match=r"train_00099_aligned.jpg is not there"):
        prepare("raf-db", raf, out, skip_broken=False)
    assert not out.exists()
    steps: list[tuple[int, int | None]] = []
    report = prepare("raf-db", raf, out, canvas_px=64, progress=lambda done, total: steps.append((done, total)))
    assert (report.now, report.left_out, report.header.broken) == (9, 1, 1)
    assert (steps[0], steps[-1]) == ((0, 9), (9, 9))
    assert "train_00099_aligned.jpg is not there,left out" in (out / "problems.csv").read_text()


def test_classes_of_ones_own_reach_the_store(tmp_path: Path) -> None:
    for i, name in enumerate(("train/bored/1.png", "train/happy/2.png", "test/bored/3.png")):
        image(tmp_path / "set" / name, seed=i)
    prepare("folder", tmp_path / "set", tmp_path / "out", canvas_px=64)
    store = PreparedStore(tmp_path / "out")
    assert store.labels == ("happiness", "bored")
    assert store.of("train").label.tolist() == [1, 0]
    assert store.header.counts["test"] == {"happiness": 0, "bored": 1, "no label": 0}
    canvas, target = store[1]
    assert (canvas.shape, target.tolist()) == ((64, 64, 3), [0, 1])


def arguments(raf: Path, out: Path, *more: str) -> list[str]:
    return ["data", "prepare", "raf-db", str(raf), "--out", str(out), *more]


def command(raf: Path, out: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "mien", *arguments(raf, out, *more)]


@pytest.mark.slow
def test_killed_for_real_it_goes_on_and_leaves_no_process_behind(tmp_path: Path) -> None:
    raf, out = raf_db(tmp_path / "raf", 200), tmp_path / "out"
    subprocess.run(command(raf, tmp_path / "whole", "--workers", "2"), check=False, capture_output=True)
    process = subprocess.Popen(
        command(raf, out, "--workers", "2"), stderr=subprocess.DEVNULL, start_new_session=True
    )
    eventually(lambda: list(out.glob("parts/*.npz")))
    process.kill()
    process.wait()
    eventually(lambda: not _group_lives(process.pid))
    done = subprocess.run(command(raf, out, "--workers", "2"), capture_output=True, text=True, check=False)
    assert "before" in done.stderr
    assert files_of(out) == files_of(tmp_path / "whole")


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_command_reports_in_a_few_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raf, out = raf_db(tmp_path / "raf", 14), tmp_path / "out"
    assert run_command(arguments(raf, out, "--workers", "1", "--size", "64")) == 1
    done = capsys.readouterr().err
    assert "13 faces of RAF-DB, basic expressions in 1 shard," in done
    assert "no face was detected in 1 (7.7%)" in done
    assert "1 image could not be read" in done
    run_command(arguments(raf, out, "--size", "64"))
    assert "was finished already: 13 faces" in capsys.readouterr().err
    run_command(arguments(raf, out, "--size", "96"))
    other = capsys.readouterr().err
    assert other.count("\n") == 1
    assert "settings.canvas_px was 64, now 96" in other


def test_an_empty_set_says_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(arguments(tmp_path, tmp_path / "out")) == 1
    assert "list_patition_label.txt is not there" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
