from __future__ import annotations

import json
import pickle
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

import mien.prepared.store as module
from mien.datasets.samples import Samples
from mien.errors import DataError
from mien.prepared.store import PreparedStore
from tests.prepared.fabricated import samples_in, store


@pytest.fixture
def samples(tmp_path: Path) -> Samples:
    return samples_in(tmp_path / "set", count=30)


@pytest.fixture
def canvases(tmp_path: Path, samples: Samples) -> np.ndarray:
    return store(tmp_path / "out", samples)


@pytest.fixture
def shards(tmp_path: Path, canvases: np.ndarray) -> PreparedStore:
    return PreparedStore(tmp_path / "out")


def test_images_come_in_the_order_asked_for_from_any_shard(shards: PreparedStore, canvases: np.ndarray) -> None:
    rows = np.array([29, 0, 8, 7, 8, -1, 15])
    assert np.array_equal(shards.images(rows), canvases[rows])
    assert shards.images([]).shape == (0, 48, 48, 3)


def test_a_set_of_ones_own_is_called_like_its_folder(tmp_path: Path, samples: Samples) -> None:
    for name, title in (("csv", "mine"), ("folder", "mine"), ("kdef", "kdef")):
        store(tmp_path / name / "mine", samples, name=name)
        assert PreparedStore(tmp_path / name / "mine").title == title


def test_every_column_comes_back_as_it_was(shards: PreparedStore, samples: Samples) -> None:
    back = shards.samples
    assert back.fingerprint() == samples.fingerprint()
    assert back.box.shape == (30, 4)
    assert back.points.shape == (30, 5, 2)
    assert back.extra["intensity"].tolist() == samples.extra["intensity"].tolist()
    assert shards.landmarks.shape == (30, 68, 2)
    assert shards.column("group") is None
    assert np.isnan(shards.column("detection")[4])
    assert not shards.detected[4]


def test_its_samples_show_the_canvases(shards: PreparedStore, canvases: np.ndarray) -> None:
    samples = shards.of("test").samples
    assert np.array_equal(samples.image(1), canvases[7])


def test_targets_are_votes_or_the_label_or_nothing(shards: PreparedStore, samples: Samples) -> None:
    np.testing.assert_allclose(shards.targets[1], samples.votes[1], rtol=1e-6)
    assert shards.targets[2].tolist() == [0, 0, 1, 0, 0, 0, 0]
    assert shards.targets[6].sum() == 0


def test_views_are_rows_of_the_whole(shards: PreparedStore, canvases: np.ndarray) -> None:
    view = shards.of("train").take([2, 0])
    assert len(view) == 2
    assert np.array_equal(view.images([0, 1]), canvases[[2, 0]])
    assert view.label.tolist() == [2, 0]
    assert view.targets.shape == (2, 7)
    assert shards.take(shards.label == 3).label.tolist() == [3] * 4


def test_a_view_without_that_split_is_refused(shards: PreparedStore) -> None:
    with pytest.raises(DataError, match="no 'valid' split; it has test, train"):
        shards.of("valid")


def test_the_fingerprint_follows_rows_and_their_order(shards: PreparedStore) -> None:
    assert shards.fingerprint == PreparedStore(shards.folder).fingerprint
    assert shards.take([0, 1]).fingerprint != shards.take([1, 0]).fingerprint
    assert shards.take([0, 1]).fingerprint == pickle.loads(pickle.dumps(shards.take([0, 1]))).fingerprint


def test_a_grey_store_takes_a_third_and_grey_shards_fill_colour_ones(tmp_path: Path, samples: Samples) -> None:
    grey = store(tmp_path / "grey", samples, grey=9)
    assert PreparedStore(tmp_path / "grey").images([3, 29]).shape == (2, 48, 48, 1)
    assert np.array_equal(PreparedStore(tmp_path / "grey").images([3])[0, ..., 0], grey[3, ..., 0])
    mixed = store(tmp_path / "mixed", samples, grey=1)
    assert np.array_equal(PreparedStore(tmp_path / "mixed").images([3, 29]), mixed[[3, 29]])


def test_it_travels_to_other_processes(shards: PreparedStore, canvases: np.ndarray) -> None:
    shards.images([0])
    with get_context("spawn").Pool(1) as pool:
        assert np.array_equal(pool.apply(shards.images, ([5, 20],)), canvases[[5, 20]])


def test_few_files_stay_open(shards: PreparedStore, canvases: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OPEN_SHARDS", 2)
    assert np.array_equal(shards.images(np.arange(30)), canvases)
    assert len(shards._maps) == 2


@pytest.mark.parametrize("name", ["00002.npy", "00001.parquet"])
def test_a_truncated_file_is_named_when_the_store_is_opened(shards: PreparedStore, name: str) -> None:
    path = shards.folder / name
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(DataError, match=rf"{name} has [\d,]+ bytes, not [\d,]+: it is truncated or altered; run"):
        PreparedStore(shards.folder)
    path.unlink()
    with pytest.raises(DataError, match=f"{name} cannot be opened"):
        PreparedStore(shards.folder)


def test_a_file_cut_after_opening_is_named(shards: PreparedStore) -> None:
    path = shards.folder / "00003.npy"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(DataError, match=r"00003.npy has 500 bytes"):
        shards.images([29])


def test_an_altered_image_is_found_by_verifying(shards: PreparedStore) -> None:
    shards.verify()
    path = shards.folder / "00001.npy"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(DataError, match=r"00001.npy was altered \(its hash differs\)"):
        PreparedStore(shards.folder).verify()


def test_an_altered_table_is_found_as_it_is_read(shards: PreparedStore) -> None:
    path = shards.folder / "00001.parquet"
    data = bytearray(path.read_bytes())
    data[30:60] = bytes(30)
    path.write_bytes(bytes(data))
    with pytest.raises(DataError, match=r"00001.parquet is damaged"):
        PreparedStore(shards.folder).column("row")


def test_an_altered_record_is_refused(shards: PreparedStore) -> None:
    path = shards.folder / "prepared.json"
    values = json.loads(path.read_text())
    values["shards"][0]["images_sha256"] = "0"
    path.write_text(json.dumps(values))
    with pytest.raises(DataError, match=r"prepared.json was altered"):
        PreparedStore(shards.folder)
    path.write_text("{}")
    with pytest.raises(DataError, match=r"prepared.json is damaged.*in a new folder"):
        PreparedStore(shards.folder)


def test_an_unfinished_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no prepared.json; make it with mien data prepare"):
        PreparedStore(tmp_path)


def test_a_row_that_is_not_there_is_an_index_error(shards: PreparedStore) -> None:
    with pytest.raises(IndexError):
        shards.images([30])


def test_a_dataloader_takes_it_as_a_map_style_dataset(shards: PreparedStore) -> None:
    data = pytest.importorskip("torch.utils.data")
    batches = list(data.DataLoader(shards.of("train"), batch_size=16, shuffle=True))
    assert [tuple(faces.shape) for faces, _ in batches] == [(16, 48, 48, 3), (7, 48, 48, 3)]
    assert [tuple(targets.shape) for _, targets in batches] == [(16, 7), (7, 7)]
    assert all(str(faces.dtype) == "torch.uint8" for faces, _ in batches)
