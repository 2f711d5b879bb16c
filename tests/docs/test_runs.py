"""What README and how-tos show runs as written, on fabricated copies of the data sets."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from types import CodeType

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")
pytest.importorskip("av")

import mien
from mien.cli.app import run
from mien.distributed.part import PartWorker
from mien.labels import FERPLUS
from mien.media.encode import VideoWriter
from mien.media.frames import Frame
from mien.media.live import LiveStream
from mien.models.poster import PosterConfig
from tests.conftest import EXAMPLES
from tests.datasets.distributions import image, text
from tests.docs.commands import ROOT, Code, runnable
from tests.e2e.test_official_files import save_official
from tests.prepared.cut_faces import faces

PAGES = ["README.md", "docs/start.md", *(f"docs/how-to/{name}.md" for name in (
    "check-data", "prepare-data", "train", "ablation", "evaluate", "summaries", "study", "report",
    "video", "annotate",
)), "docs/concepts/quality.md"]  # in this order  # fmt: skip
GUIDES = ("photo", "explain", "folder", "groups", "own-classes", "fine-tune", "data-loader", "export",
          "cite")  # in this order  # fmt: skip
SPLITS = ("train", "train", "test")
SHORTER = {  # what a test adds, so that it ends soon
    "train": ("--set", "epochs=1", "--set", "batch=4", "--accelerator", "cpu", "--devices", "1"),
    "evaluate": ("--limit", "2"),
}
NOT_RUN = {  # a word of a command -> why it stays out
    "rafdb_best.pth": "an official file",
    "poster.safetensors": "an official file",
    "poster/raf_db": "starts from official files",
    "runs/poster-raf-db/weights": "the same",
    "broken/": "its result is what the page shows",
    "recipe.py": "ten trainings",
    "runs/fold{fold}/weights": "ten trainings",
    "runs/before/weights": "an earlier training of the reader's",
    **dict.fromkeys(("muxspace.zip", "cfee.zip", "sfew.zip", "wild7.zip"), "data of the reader's"),
    "multi_source/poster_v2": "needs them; tests/e2e/test_multi_source.py trains on several data sets",
    "runs/multi_source-poster_v2": "the same",
    "calibrate": "needs fifty validation images",
    "serve": "it runs until it is stopped; tests/service",
    "--install-completion": "it changes the shell of whoever runs the tests",
    "2:0-4.5": "the video shows one person",
    "1:30": "the video is shorter",
    "country": "a column of the reader's",
    "condition": "a column of the reader's",
    "parts.csv": "a table of the reader's",
    "before.csv": "an earlier table of the reader's",
}


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    """A folder with what the pages point at."""
    top = tmp_path / "documents"
    for name in ("photo.jpg", "crowd.jpg", "holiday/a.jpg", "holiday/b.jpg", "crops/a.jpg",
                 *(f"study/{group}/{i}.jpg" for group in ("control", "treatment") for i in range(2))):  # fmt: skip
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(EXAMPLES / "astronaut.jpg", top / name)
    pixels = np.asarray(Image.open(EXAMPLES / "astronaut.jpg"))[:320, :320]
    with VideoWriter(top / "talk.mp4", (320, 320), fps=10) as video:
        for i in range(25):
            video.write(pixels, i / 10)
    (top / "sessions").mkdir()
    segments = ["source,from_s,to_s,track,participant,condition"]
    for name in ("p01", "p02"):
        shutil.copy(top / "talk.mp4", top / f"sessions/{name}.mp4")
        segments += [f"{name}.mp4,0,1,0,{name},rest", f"{name}.mp4,1,2.5,0,{name},film"]
    text(top / "segments.csv", *segments)
    (top / "interviews").mkdir()
    shutil.copy(top / "talk.mp4", top / "interviews/a.mp4")
    raf_db(top / "DIR")
    shutil.copytree(top / "DIR", top / "RAF-DB")
    ferplus(top / "FER")
    shutil.make_archive(str(top / "ferplus"), "zip", top / "FER")
    mine = [(f"{split}/{label}/{i}.png", label, split) for label in FERPLUS for i, split in enumerate(SPLITS)]
    for seed, (name, _, _) in enumerate(mine):
        image(top / "my-faces" / name, seed=seed)
    text(top / "my-faces/labels.csv", "path,label,split", *map(",".join, mine))
    return top


def raf_db(top: Path) -> None:
    """Every class three times in train and once in test."""
    names = [f"{split}_{i:05d}" for split, count in (("train", 21), ("test", 7)) for i in range(1, count + 1)]
    text(top / "EmoLabel/list_patition_label.txt", *(f"{name}.jpg {i % 7 + 1}" for i, name in enumerate(names)))
    for seed, name in enumerate(names):
        image(top / f"Image/aligned/{name}_aligned.jpg", seed=seed, side=100)


def ferplus(top: Path) -> None:
    """Every class once in each split."""
    rows = ["Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"]
    parts = (("Training", "Train"), ("PublicTest", "Valid"), ("PrivateTest", "Test"))
    for i, (usage, folder) in enumerate(parts):
        for k in range(len(FERPLUS)):
            name = f"fer{10 * i + k:07d}.png"
            rows.append(f"{usage},{name},{','.join(map(str, (10 * np.eye(8, dtype=int))[k]))},0,0")
            image(top / f"data/FER2013{folder}/{name}", seed=10 * i + k, grey=True)
    text(top / "fer2013new.csv", *rows)


IN_PYTHON = {  # what a test changes in a page's Python -> by what: a folder of its own, and an early end
    '"runs/mine", changes={"epochs": 5})': '"runs/python", changes={"epochs": 1, "batch": 4}, accelerator="cpu")',
    'mien.load("runs/mine/weights")': 'mien.load("runs/python/weights")',
}


@pytest.fixture
def camera(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cameras and streams that show a photo six times."""
    pixels = np.asarray(Image.open(EXAMPLES / "astronaut.jpg"))[:320, :320]
    monkeypatch.setattr(LiveStream, "__iter__", lambda _: (Frame(i, i / 10, pixels) for i in range(6)))


def run_page(page: Path, done: set[tuple[str, ...]]) -> None:
    """Its commands and its Python, in their order; not a command that is done already."""
    names: dict[str, object] = {"mien": mien, "recognizer": mien.load(threads=1)}
    for one in runnable(page):
        if isinstance(one, Code):
            exec(compiled(one, IN_PYTHON), names)
            continue
        same = tuple("DIR" if word == "RAF-DB" else word for word in one.words)  # two copies of one set
        if set(one.words) & set(NOT_RUN) or same in done:
            continue
        code = run([*one.words, *SHORTER.get(one.words[0], ())])
        assert code == (1 if one.words[:2] == ("data", "check") else 0), str(one)  # counts are not published
        done.add(same)


def compiled(code: Code, changes: dict[str, str]) -> CodeType:
    """With other words for some."""
    text = code.text
    for old, new in changes.items():
        text = text.replace(old, new)
    return replace(code, text=text).compiled()


@pytest.mark.slow
@pytest.mark.usefixtures("camera")
@pytest.mark.filterwarnings("ignore")  # of torch's exporter
def test_what_the_pages_show_runs(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workplace)
    done = set[tuple[str, ...]]()
    for page in PAGES:
        run_page(ROOT / page, done)
    assert len(done) > 30


@pytest.mark.slow
@pytest.mark.usefixtures("camera")
def test_the_guide_to_cameras_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_page(ROOT / "docs/how-to/camera.md", set())
    assert mien.summarize("talk.parquet").tracks
    assert (tmp_path / "talk.mp4").is_file()


@pytest.mark.slow
def test_the_guide_to_collections_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a cluster and a store: parts are made here one after the other, and buckets lie in memory."""
    fsspec = pytest.importorskip("fsspec")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("mien.distributed.ray.make_parts", lambda job, tasks, **_: map(PartWorker(job), tasks))
    (tmp_path / "photos").mkdir()
    (tmp_path / "shared").mkdir()
    shutil.copy(EXAMPLES / "astronaut.jpg", tmp_path / "photos/a.jpg")
    text(tmp_path / "list.txt", "photos/a.jpg")
    pq.write_table(pa.table({"uri": ["photos/a.jpg"], "size": [1]}), tmp_path / "uris.parquet")
    fsspec.filesystem("memory").pipe("/bucket/photos/a.jpg", (tmp_path / "photos/a.jpg").read_bytes())
    names: dict[str, object] = {}
    for one in runnable(ROOT / "docs/how-to/collections.md"):
        if isinstance(one, Code):
            exec(compiled(one, {"s3://": "memory://"}), names)
            continue
        words = [word.replace("s3://", "memory://").replace("/shared/", "shared/") for word in one.words]
        assert run(words) == 0, str(one)
    assert names["result"].faces == 1  # type: ignore[attr-defined]
    assert len(names["table"]) == 1  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.heavy  # an official file of 200 MB
def test_the_guide_to_official_weights_runs(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workplace)
    save_official(workplace / "rafdb_best.pth", "poster", PosterConfig(size="small"))
    with Image.open(next(faces(workplace / "faces").rglob("*.png"))) as face:  # the others are noise
        face.save(workplace / "RAF-DB/Image/aligned/train_00001_aligned.jpg")
    for one in runnable(ROOT / "docs/how-to/convert.md"):
        if isinstance(one, Code):
            Path("poster.safetensors").unlink()
            Path("poster.json").unlink()
            exec(one.compiled())
        elif one.words[0] != "calibrate":  # needs fifty validation images
            assert run([*one.words, *SHORTER.get(one.words[0], ())]) == 0, str(one)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of torch's exporter
def test_the_guides_run_as_they_stand(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands and Python of a guide in their order; one guide goes on with what another has made."""
    monkeypatch.chdir(workplace)
    monkeypatch.syspath_prepend(workplace)
    text(workplace / "tiny.py", *TINY_NETWORK.splitlines())
    for name in GUIDES:
        page, names = ROOT / f"docs/how-to/{name}.md", dict[str, object]()
        for one in runnable(page):
            if isinstance(one, Code) and "RECIPE = " in one.text:
                text(workplace / "tuned.py", *one.text.splitlines())
            elif isinstance(one, Code):
                exec(one.compiled(), names)
            elif not set(one.words) & set(NOT_RUN):
                words = [*one.words, *SHORTER.get(one.words[0], ())]
                if name == "own-classes" and one.words[0] == "train":
                    words += ["--network", "tiny:Config"]  # the pages after it export and predict with it
                assert run(words) == 0, str(one)


TINY_NETWORK = """
from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True, kw_only=True)
class Config:
    classes: int = 7

    def build(self):
        return nn.Sequential(nn.Conv2d(3, 4, 3, 4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                             nn.Linear(4, self.classes))
"""


def test_the_python_of_the_readme_runs(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workplace)
    names: dict[str, object] = {}
    exec(readme_python(), names)
    assert names["table"].num_rows == 2  # type: ignore[attr-defined]


def readme_python() -> str:
    """The first Python block of the README."""
    return (ROOT / "README.md").read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
