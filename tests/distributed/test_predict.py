"""Collections by the engine of one process; the same parts are made by every engine."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

import mien
from mien.distributed import filesystems, storage
from mien.distributed.predict import CollectionResult, predict_collection
from mien.errors import InputError, OptionError, OutputError, UnknownNameError
from tests.media.videos import write_video

Rows = list[dict[str, Any]]


def predict(sources: Any, output: Any, **options: Any) -> CollectionResult:
    options = {"engine": "local", "detect": False, "images_per_part": 2} | options
    return predict_collection(sources, output, **options)


def rows_of(output: Path) -> Rows:
    rows: Rows = pq.read_table(output).to_pylist()
    return rows


def local_rows(recognizer: mien.Recognizer, *sources: Path) -> Rows:
    rows: Rows = recognizer.predict_many(sources, detect=False).to_pylist()
    return rows


def test_the_rows_are_those_of_a_local_run(recognizer: mien.Recognizer, folder: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    result = predict(folder, tmp_path / "out", progress=lambda done, total: seen.append((done, total)))
    assert rows_of(tmp_path / "out") == local_rows(recognizer, folder)
    assert (result.images, result.faces, result.errors, result.parts, result.made_now) == (6, 5, 1, 3, 3)
    assert seen == [(0, 6), (2, 6), (4, 6), (6, 6)]
    assert pq.read_table(tmp_path / "out").schema.names == recognizer.predict_many([], detect=False).schema.names


def test_every_image_once_however_often_it_is_named(folder: Path, tmp_path: Path) -> None:
    assert predict([folder, folder / "0.png", folder], tmp_path / "out").images == 6


def stop_after(parts: int) -> Callable[[int, int | None], None]:
    def progress(done: int, _total: int | None) -> None:
        if done >= 2 * parts:
            raise KeyboardInterrupt

    return progress


def test_the_same_command_makes_the_missing_parts(
    recognizer: mien.Recognizer, folder: Path, tmp_path: Path
) -> None:
    (folder / "bad.png").unlink()
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        predict(folder, out, progress=stop_after(1))
    first = (out / "part-000000.parquet").stat().st_mtime_ns
    (out / "part-000001.parquet").write_bytes(b"cut off")
    assert predict(folder, out).made_now == 2
    assert (out / "part-000000.parquet").stat().st_mtime_ns == first
    assert rows_of(out) == local_rows(recognizer, folder)
    assert predict(folder, out).made_now == 0


@pytest.mark.parametrize("name", ["plan.json", "complete.json", "part-000002.parquet", "part-000001.parquet"])
def test_a_kill_at_any_file_is_repaired(
    recognizer: mien.Recognizer, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    write = storage.Storage.write

    def killed(self: storage.Storage, file: str, content: bytes) -> None:
        if file.endswith(name):
            raise KeyboardInterrupt
        write(self, file, content)

    with monkeypatch.context() as patched:
        patched.setattr(storage.Storage, "write", killed)
        with pytest.raises(KeyboardInterrupt):
            predict(folder, tmp_path / "out")
    predict(folder, tmp_path / "out")
    assert rows_of(tmp_path / "out") == local_rows(recognizer, folder)


def test_a_complete_collection_takes_new_and_changed_images(
    recognizer: mien.Recognizer, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    predict(folder, out)
    Image.open(folder / "0.png").rotate(4).save(folder / "0.png")
    Image.open(folder / "1.png").rotate(4).save(folder / "new.png")
    (folder / "bad.png").write_bytes((folder / "1.png").read_bytes())
    write = storage.Storage.write

    def killed(self: storage.Storage, file: str, content: bytes) -> None:
        write(self, file, content)
        if file.endswith("plan.json"):
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(storage.Storage, "write", killed)
        with pytest.raises(KeyboardInterrupt):
            predict(folder, out)
    result = predict(folder, out)
    assert (result.images, result.errors, result.parts) == (7, 0, 4)
    assert sorted(rows_of(out), key=str) == sorted(local_rows(recognizer, folder), key=str)


def test_what_could_not_be_read_is_named_and_what_is_no_longer_named_is_counted(
    folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    result = predict(folder, out)
    reason = "is not an image although it is called .png; check the file"
    assert (result.others, result.unread) == (0, ((str(folder / "bad.png"), reason),))
    (folder / "0.png").unlink()
    (folder / "also bad.png").write_bytes(b"no image")
    result = predict(folder, out)
    assert (result.images, result.others) == (7, 1)
    assert [Path(name).name for name, _ in result.unread] == ["bad.png", "also bad.png"]


@pytest.mark.parametrize(
    "name", [pytest.param("9.png", id="a new name"), pytest.param("3.png", id="in the place of another")]
)
def test_a_renamed_image_counts_once(recognizer: mien.Recognizer, folder: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / "out"
    predict(folder, out)
    (folder / "0.png").rename(folder / name)
    Image.open(folder / "1.png").rotate(4).save(folder / "0.png")  # another image under the old name
    predict(folder, out)
    (folder / "0.png").rename(folder / "8.png")
    result = predict(folder, out)
    assert (result.images, result.others) == (len(list(folder.rglob("*.png"))), 0)
    assert sorted(rows_of(out), key=str) == sorted(local_rows(recognizer, folder), key=str)


def test_a_renamed_folder_counts_once(recognizer: mien.Recognizer, folder: Path, tmp_path: Path) -> None:
    predict(folder, tmp_path / "out")
    now = folder.rename(folder.with_name("renamed"))
    result = predict(now, tmp_path / "out")
    assert (result.images, result.parts, result.others) == (6, 3, 0)
    assert rows_of(tmp_path / "out") == local_rows(recognizer, now)


def test_a_file_under_two_names_is_not_counted_twice(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    predict(folder, out)
    monkeypatch.chdir(folder)
    with pytest.raises(OutputError, match=r"0\.png, which is given as \./.*0\.png now and would count twice"):
        predict(".", out)
    (folder.parent / "link").symlink_to(folder)
    with pytest.raises(OutputError, match="would count twice"):
        predict(folder.parent / "link", out)
    os.link(folder / "0.png", folder / "link.png")
    assert predict(folder, out).images == 7  # both names are given


def test_only_what_could_not_be_read_is_read_again(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    predict(folder, out, images_per_part=10)
    before = rows_of(out)
    (folder / "0.png").write_bytes(b"not looked at again")
    result = predict(folder / "bad.png", out)
    assert (result.images, result.errors, result.made_now) == (6, 1, 1)
    assert rows_of(out) == before


def test_a_bad_image_that_was_deleted_stays_an_error(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    predict(folder, out, images_per_part=10)
    (folder / "bad.png").unlink()
    assert predict(folder, out).errors == 1


def test_other_settings_are_refused(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    predict(folder, out)
    with pytest.raises(OutputError, match="begun with other weights or settings.*labels"):
        predict(folder, out, labels="raf-db")
    with pytest.raises(OutputError, match="detect"):
        predict(folder, out, detect=True)
    assert predict(folder, out, labels="raf-db", overwrite=True).made_now == 3
    assert "p_contempt" not in pq.read_table(out).column_names


def test_other_sources_are_refused_while_it_is_not_complete(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        predict(folder, tmp_path / "out", progress=stop_after(1))
    with pytest.raises(OutputError, match="begun for other sources.*finish it first"):
        predict(folder / "below", tmp_path / "out")


def test_folders_of_others_are_left_alone(folder: Path, tmp_path: Path) -> None:
    for overwrite in (False, True):
        with pytest.raises(OutputError, match="no collection of mien"):
            predict(folder, folder, overwrite=overwrite)
    with pytest.raises(OutputError, match="is a file"):
        predict(folder, folder / "0.png")
    with pytest.raises(OutputError, match="does not exist"):
        predict(folder, tmp_path / "no" / "such")


def test_a_full_disk_is_said_and_the_rest_is_kept(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: bytes) -> None:
        if path.name == "part-000001.parquet":
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, content)

    write = storage.atomic_write
    with monkeypatch.context() as patched:
        patched.setattr(storage, "atomic_write", full)
        with pytest.raises(OutputError, match="the disk is full; free some space"):
            predict(folder, tmp_path / "out")
    assert predict(folder, tmp_path / "out").made_now == 2 + 1  # and the part with the file that cannot be read


def test_lists_with_missing_entries(recognizer: mien.Recognizer, folder: Path, tmp_path: Path) -> None:
    entries = [str(folder / "0.png"), "", str(folder / "gone.png"), str(folder), f"file://{folder}/1.png"]
    entries += ["nowhere://x/y.png", str(folder / "0.png"), "s3://user:password@bucket/x.png"]
    (tmp_path / "list.txt").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(entries).encode())
    predict(tmp_path / "list.txt", tmp_path / "out")
    errors = {row["source"]: row["error"] for row in rows_of(tmp_path / "out")}
    assert list(errors.values())[:4] == [None, "no such file; check the path", "is a folder, not an image", None]
    assert "cannot be opened" in errors["nowhere://x/y.png"]
    assert "no passwords" in errors["s3://user:password@bucket/x.png"]
    assert rows_of(tmp_path / "out")[:1] == local_rows(recognizer, folder / "0.png")


def test_parquet_of_addresses(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "uris.parquet"
    addresses = [str(folder / "0.png"), None, str(folder / "1.png")]
    pq.write_table(pa.table({"id": [1, 2, 3], "uri": addresses, "note": ["a", "b", "c"]}), path)
    for column, hint in ((None, "say which column"), ("id", "no text column 'id'")):
        with pytest.raises(InputError, match=f"{hint}.*: uri, note"):
            predict(path, tmp_path / "out", column=column)
    predict(path, tmp_path / "out", column="uri")
    rows = rows_of(tmp_path / "out")
    assert [row["source"] for row in rows] == [addresses[0], f"{path}: row 2", addresses[2]]
    assert [row["error"] for row in rows] == [None, "has nothing in the column uri", None]
    (tmp_path / "no.parquet").write_bytes(b"no")
    with pytest.raises(InputError, match="is no Parquet"):
        predict(tmp_path / "no.parquet", tmp_path / "other")


def test_object_stores_hold_images_and_parts(
    recognizer: mien.Recognizer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filesystems, "_FIRST_WAIT_S", 0.0)
    store = fsspec.filesystem("memory")
    store.pipe({f"/in/a b#{i}%20.png": (folder / f"{i}.png").read_bytes() for i in range(3)})
    store.pipe({"/in/bad.png": b"no image", "/in/talk.mp4": b"", "/in/note.txt": b"", "/in/.hidden.png": b""})
    try:
        predict("memory://in", "memory://out")
        tables = [pq.read_table(pa.BufferReader(store.cat(f"/out/part-00000{i}.parquet"))) for i in range(3)]
        rows = pa.concat_tables(tables).to_pylist()
        assert [row["source"] for row in rows] == [
            *(f"memory://in/a b#{i}%20.png" for i in range(3)), "memory://in/bad.png", "memory://in/talk.mp4",
        ]  # fmt: skip
        here = local_rows(recognizer, *(folder / f"{i}.png" for i in range(3)))
        assert [row | {"source": ""} for row in rows[:3]] == [row | {"source": ""} for row in here]
        assert rows[3]["error"].startswith("is not an image although")
        assert "video" in rows[4]["error"]
        store.rm("/in/a b#0%20.png")
        predict("memory://in", "memory://out", overwrite=True)
        assert json.loads(store.cat("/out/_mien/complete.json"))["images"] == 4
    finally:
        store.rm("/in", recursive=True)
        store.rm("/out", recursive=True)


def test_what_cannot_be_reached_for_long_is_an_error_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filesystems, "_FIRST_WAIT_S", 0.0)
    calls = []

    def fails(*_: Any) -> bytes:
        calls.append(1)
        raise OSError("connection reset")

    monkeypatch.setattr(filesystems, "_content", fails)
    with pytest.raises(mien.ImageError, match=r"connection reset\), tried 3 times"):
        filesystems.fetch("memory://x/y.png", "y")
    assert len(calls) == 3


def test_a_machine_that_does_not_see_the_images_ends_the_run(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        predict(folder, tmp_path / "out", progress=stop_after(1))
    folder.rename(folder.with_name("unmounted"))
    with pytest.raises(InputError, match="does not see .*mount it on every machine"):
        predict(folder, tmp_path / "out")


def test_nonsense_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="engine"):
        predict(folder, tmp_path / "out", engine="spark")
    for options in ({"images_per_part": 0}, {"workers": -1}, {"threads": 4}):
        with pytest.raises(OptionError):
            predict(folder, tmp_path / "out", **options)
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(InputError, match="no image there"):
        predict(tmp_path / "empty.txt", tmp_path / "out")
    with pytest.raises(InputError, match="no such list"):
        predict(tmp_path / "none.txt", tmp_path / "out")


def test_a_video_is_a_part_with_the_rows_of_a_local_run(
    recognizer: mien.Recognizer, folder: Path, tmp_path: Path, astronaut: np.ndarray
) -> None:
    write_video(folder / "below" / "talk.mp4", [astronaut[:256, 100:356]] * 6)
    predict(folder, tmp_path / "out", images_per_part=100, detect=True, video={"every": 2})
    assert rows_of(tmp_path / "out") == recognizer.predict_many([folder], every=2).to_pylist()
    assert pq.read_metadata(tmp_path / "out" / "part-000001.parquet").num_rows == 3
    with pytest.raises(OutputError, match="every was 2, now 1"):
        predict(folder, tmp_path / "out", detect=True)
