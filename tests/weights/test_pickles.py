"""Pickles are read without running anything in them."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import sys
import warnings
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mien.errors import InputError, WeightsError
from mien.training.run_folder import RunFolder
from mien.weights.manifest import load_manifest
from mien.weights.official import convert_file
from mien.weights.official.pickles import Unread, read


class Recorder:
    """What POSTER++'s script pickles beside its weights."""

    def __init__(self) -> None:
        self.losses = np.zeros((3, 2), dtype=np.float32)
        self.best = np.float64(92.2)


class Malice:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.mark}",)


@pytest.fixture
def in_main(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Pickle `Recorder` as a class of a script, as the official file has it."""
    main = sys.modules["__main__"]
    monkeypatch.setattr(Recorder, "__module__", "__main__")
    monkeypatch.setattr(main, "Recorder", Recorder, raising=False)
    return main


@pytest.mark.parametrize("zipped", [True, False])
def test_recorders_of_the_training_script_are_left_unread(
    zipped: bool, tmp_path: Path, in_main: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "checkpoint.pth"
    saved = {
        "epoch": 7,
        "state_dict": {"module.weight": torch.arange(4.0)},
        "best_acc": torch.tensor(92.2),
        "recorder": Recorder(),
        "history": [1, 2.5, None, "words", (True, {"a": 1})],
    }
    torch.save(saved, file, _use_new_zipfile_serialization=zipped)
    monkeypatch.delattr(in_main, "Recorder")
    found = read(file)
    assert type(found["recorder"]) is Unread
    assert vars(found["recorder"]) == {}
    assert found["state_dict"]["module.weight"].tolist() == [0, 1, 2, 3]
    assert found["best_acc"] == torch.tensor(92.2)
    assert (found["epoch"], found["history"]) == (7, saved["history"])


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_that_would_run_a_command_is_refused(zipped: bool, tmp_path: Path) -> None:
    file, mark = tmp_path / "evil.pth", tmp_path / "mark"
    saved = {"state_dict": {"weight": torch.zeros(2)}, "hook": Malice(mark)}
    torch.save(saved, file, _use_new_zipfile_serialization=zipped)
    with pytest.raises(WeightsError, match=rf"evil\.pth is refused: reading it would run {os.name}\.system"):
        convert_file(file)
    assert not mark.exists()


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_bare_pickle_that_would_run_a_command_is_refused(protocol: int, tmp_path: Path) -> None:
    file, mark = tmp_path / "evil.pkl", tmp_path / "mark"
    file.write_bytes(pickle.dumps(Malice(mark), protocol=protocol))
    with pytest.raises(WeightsError, match="evil"):
        read(file)
    assert not mark.exists()


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04 broken", b"<html>Not found</html>", b"\x80\x02}q\x00.", bytes(1000)]
)
@pytest.mark.filterwarnings("ignore")
def test_a_broken_file_is_reported_by_its_name(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "broken.pth"
    file.write_bytes(content)
    with pytest.raises(WeightsError, match=r"broken\.pth"):
        read(file)


def test_a_file_cut_short_is_reported_by_its_name(tmp_path: Path) -> None:
    file = tmp_path / "short.pth"
    for zipped in (True, False):
        torch.save({"weight": torch.zeros(1000)}, file, _use_new_zipfile_serialization=zipped)
        file.write_bytes(file.read_bytes()[:-2000])
        with pytest.raises(WeightsError, match=r"short\.pth"):
            read(file)


@pytest.mark.parametrize("place", [b"PK\x01\x02", b"_rebuild"], ids=["the directory", "the pickle"])
def test_a_file_with_damage_inside_is_reported_by_its_name(place: bytes, tmp_path: Path) -> None:
    file = tmp_path / "damaged.pth"
    torch.save({"weight": torch.zeros(1000)}, file)
    content = bytearray(file.read_bytes())
    content[content.index(place)] ^= 1
    file.write_bytes(content)
    with pytest.raises(WeightsError, match=r"damaged\.pth cannot be read as a torch checkpoint: .*again"):
        read(file)


def flip_a_byte_of_a_tensor(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[content.index(torch.arange(99.0).numpy().tobytes()) + 50] ^= 1
    file.write_bytes(content)


def test_another_byte_in_a_tensor_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / "weights.pth"
    torch.save({"weight": torch.arange(99.0)}, file)
    assert read(file)["weight"].tolist() == list(range(99))
    flip_a_byte_of_a_tensor(file)
    with pytest.raises(
        WeightsError, match=r"weights\.pth is damaged: the checksum of weights/data/0 .* download it again"
    ):
        convert_file(file)


def test_a_file_that_was_saved_without_checksums_is_read(tmp_path: Path) -> None:
    torch.serialization.set_crc32_options(False)
    try:
        torch.save({"weight": torch.arange(99.0)}, tmp_path / "weights.pth")
    finally:
        torch.serialization.set_crc32_options(True)
    assert read(tmp_path / "weights.pth")["weight"].tolist() == list(range(99))
    torch.save({"weight": torch.arange(99.0)}, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert read(tmp_path / "old.pth")["weight"].tolist() == list(range(99))


def test_a_run_does_not_resume_from_a_damaged_state(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.save({"weight": torch.arange(99.0)})
    assert run.last() is not None
    flip_a_byte_of_a_tensor(tmp_path / "last.pt")
    with pytest.raises(InputError, match=r"last\.pt is damaged .*delete it to start over"):
        run.last()


def test_a_whole_module_instead_of_its_tensors_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "module.pth"
    torch.save(torch.nn.Linear(2, 2), file)
    with pytest.raises(WeightsError, match=r"a whole pickled network \(Linear, "):
        read(file)


def test_an_absent_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no such file"):
        read(tmp_path / "absent.pth")


def zipped_weights() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("best.pth", b"weights")
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "is a Git LFS pointer"),
        (b"\n<!DOCTYPE html><html><title>Virus scan warning</title></html>", "is a web page, not the weights"),
        (b"", "is empty"),
        (b"PK\x03\x04" + bytes(300), "is incomplete"),
        (gzip.compress(b"weights" * 99), "is a gzip archive; unpack it and give the file"),
        (bytes(257) + b"ustar" + bytes(300), "is a tar archive"),
        (zipped_weights(), "is a zip archive"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",  # archives hold the time they were made
)
def test_what_a_download_leaves_instead_is_named(content: bytes, said: str, tmp_path: Path) -> None:
    for name in ("weights.pth", "weights.safetensors"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(WeightsError, match=said):
            load_manifest(str(tmp_path / name))
    with pytest.raises(WeightsError, match=said):
        read(tmp_path / "weights.pth")


@pytest.mark.parametrize("zipped", [True, False])
def test_a_whole_network_is_refused_and_the_way_out_said(zipped: bool, tmp_path: Path) -> None:
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Linear(4, 7))
    torch.save({"model": network, "epoch": 3}, tmp_path / "x.pth", _use_new_zipfile_serialization=zipped)
    with pytest.raises(WeightsError, match=r"a whole pickled network \(Conv2d, Linear, .*network\.state_dict\(\)"):
        read(tmp_path / "x.pth")


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_a_plain_pickle_is_refused_without_warnings_of_torch(protocol: int, tmp_path: Path) -> None:
    file = tmp_path / "plain.pkl"
    file.write_bytes(pickle.dumps({"accuracy": 1, "names": ["a"]}, protocol=protocol))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(WeightsError, match=r"plain\.pkl"):
            read(file)
