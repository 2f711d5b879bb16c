"""A folder of views and its table: seeds, splits, resuming.

    folder/dataset.json                       settings, model, licence, columns
    folder/views.csv                          one row per image, written when all are there
    folder/views.csv.part                     the rows so far
    folder/images/0007/fear_3_yaw-45.jpg      identity, expression, take, yaw

Every image depends on (seed, identity, expression, take, yaw), its size and the model alone: neither on the order
of work, nor on the number of processes, nor on what else is in the set.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from importlib.metadata import version
from importlib.util import find_spec
from itertools import product
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Any

import numpy as np

from mien.errors import MissingPackageError, OptionError, OutputError
from mien.labels import FERPLUS, Expression
from mien.media.images import write_image
from mien.synthetic.blendshapes import compose
from mien.synthetic.face_model import FaceModel, load_model
from mien.synthetic.identity import Identity, IdentitySampler
from mien.synthetic.renderer import Renderer, draw_view

GENERATOR = 1  # raised whenever the same settings give other images
TAKES = 4
COLUMNS = {
    "file": "image, relative to this folder",
    "split": "train, valid or test; an identity is in one of them only",
    "identity": "number of the subject, from 0",
    "expression": "class, by name",
    "intensity": "1 weak to 4 full; 0 for neutral",
    "take": "1 to 4 within the class; of an emotion it equals the intensity",
    "units": "action units of the emotion (FACS), one-sided ones with L or R of the subject",
    "yaw_class": "the yaw asked for, degrees",
    "yaw_deg": "positive: turned to the right edge of the image",
    "pitch_deg": "positive: looking up",
    "roll_deg": "positive: leaning clockwise",
    "left": "face box from forehead to chin, pixels",
    "top": "",
    "right": "",
    "bottom": "",
    "landmarks": "x0 y0 x1 y1 ... of the 68 points, pixels",
    "visible": "68 digits: 0 where the head itself hides the point, or it is outside of the image",
}
MODEL_TERMS = {
    "name": "ICT-FaceKit (ICT Face Model Light)",
    "source": "https://github.com/ICT-VGL/ICT-FaceKit",
    "licence": "MIT, Copyright (c) 2020 USC Institute for Creative Technologies",
    "citation": "Li et al., Learning Formation of Physically-Based Face Attributes, CVPR 2020",
}
_SPLIT, _LOOK, _EXPRESSION, _VIEW = range(4)  # what a random stream is for

Row = dict[str, str]
Face = tuple[int, str, int]  # identity, expression, take


@dataclass(frozen=True, kw_only=True)
class RenderSettings:
    """What decides the images. Defaults: 100 identities x 7 classes x 4 takes x 9 yaws = 25,200 views."""

    identities: int = 100
    seed: int = 0
    size_px: int = 128
    classes: int = 7  # 8: with contempt
    yaws: tuple[float, ...] = (-90, -60, -45, -30, 0, 30, 45, 60, 90)
    yaw_jitter_deg: float = 0.0
    pitch_limit_deg: float = 30.0  # each view's pitch is drawn from -limit..limit

    def __post_init__(self) -> None:
        """Raise `OptionError` for values that make no set."""
        limits = (
            ("identities", self.identities, 1, 9999),
            ("seed", self.seed, 0, 2**63),
            ("size", self.size_px, 32, 2048),
            ("classes", self.classes, 7, 8),
            ("yaw jitter", self.yaw_jitter_deg, 0, 15),
            ("pitch", self.pitch_limit_deg, 0, 45),
            *(("yaw", yaw, -90, 90) for yaw in self.yaws),
        )
        for name, value, low, high in limits:
            if not low <= value <= high:
                raise OptionError(f"{name} is {value}; it must lie between {low} and {high}")
        if not self.yaws or len({f"{yaw:+g}" for yaw in self.yaws}) < len(self.yaws):
            raise OptionError("yaws: name at least one angle, and each only once")

    def faces(self) -> list[Face]:
        """All (identity, expression, take), in the table's order."""
        return list(product(range(self.identities), FERPLUS[: self.classes], range(1, TAKES + 1)))

    def __len__(self) -> int:
        """The number of images."""
        return self.identities * self.classes * TAKES * len(self.yaws)


def split_of(seed: int, identity: int) -> str:
    """train, valid or test: 3, 1 and 1 of every five identities in a row."""
    block, place = divmod(identity, 5)
    order = np.random.default_rng([seed, _SPLIT, block]).permutation(5)
    return ("train", "train", "train", "valid", "test")[order[place]]


def _file(face: Face, yaw: float) -> str:
    identity, expression, take = face
    return f"images/{identity:04d}/{expression}_{take}_yaw{yaw:+g}.jpg"


class _Maker:
    """Renders faces of one set into its folder."""

    def __init__(self, model: FaceModel, folder: Path, settings: RenderSettings) -> None:
        self.folder, self.settings, self.model = folder, settings, model
        self.casting = IdentitySampler(model)
        self.studio = Renderer(model, settings.size_px)
        self._last: tuple[int, Identity] | None = None

    def look_of(self, identity: int) -> Identity:
        """The look of an identity; the last one is kept."""
        if self._last is None or self._last[0] != identity:
            look = self.casting.look(np.random.default_rng([self.settings.seed, _LOOK, identity]))
            self.studio.dress(look)
            self._last = identity, look
        return self._last[1]

    def make(self, face: Face) -> list[Row]:
        """All views of one face as files; their rows."""
        identity, expression, take = face
        key = (identity, list[str](Expression).index(expression), take)
        seed = self.settings.seed
        look = self.look_of(identity)
        shown = compose(expression, take, np.random.default_rng([seed, _EXPRESSION, *key]))
        self.studio.put(look.neutral + self.model.offsets(shown.weights))
        sides = {unit: "".join(side for other, side in shown.units if other == unit) for unit, _ in shown.units}
        units = "+".join(f"{unit}{side if len(side) == 1 else ''}" for unit, side in sides.items())
        (self.folder / "images" / f"{identity:04d}").mkdir(parents=True, exist_ok=True)
        rows = []
        for yaw in self.settings.yaws:
            view = draw_view(
                np.random.default_rng([seed, _VIEW, *key, round(yaw * 100) + 9000]),
                yaw_deg=yaw,
                yaw_jitter=self.settings.yaw_jitter_deg,
                pitch_limit=self.settings.pitch_limit_deg,
            )
            shot = self.studio.take(view)
            write_image(shot.image, self.folder / _file(face, yaw))
            row = {
                "file": _file(face, yaw),
                "split": split_of(seed, identity),
                "identity": identity,
                "expression": expression,
                "intensity": 0 if expression == Expression.NEUTRAL else take,
                "take": take,
                "units": units,
                "yaw_class": f"{yaw:g}",
                "yaw_deg": view.yaw_deg,
                "pitch_deg": view.pitch_deg,
                "roll_deg": view.roll_deg,
                **{side: f"{getattr(shot.box, side):.1f}" for side in ("left", "top", "right", "bottom")},
                "landmarks": " ".join(f"{number:.1f}" for number in shot.landmarks.ravel()),
                "visible": "".join("01"[seen] for seen in shot.visible.astype(int)),
            }
            rows.append({name: str(value) for name, value in row.items()})
        return rows


def render_faces(
    model: Path,
    folder: Path,
    settings: RenderSettings,
    *,
    jobs: int = 1,
    overwrite: bool = False,
    watch: Callable[[int], None] = lambda _: None,
) -> int:
    """Fill a folder with views; what is in it already stays. Returns how many images were rendered now.

    `watch` is told how many images were finished each time some are; first, how many were there. Raises
    `InputError` for a model that cannot be read, `OutputError` where the folder holds something else,
    `MissingPackageError` without PyVista.
    """
    if find_spec("pyvista") is None:
        raise MissingPackageError("Rendering faces", "PyVista", "render")
    digest = load_model(model).sha256
    _open_folder(folder, _description(settings, digest), overwrite=overwrite)
    faces = settings.faces()
    done = _rows_so_far(folder)
    missing = [face for face in faces if not _complete(face, settings, done, folder)]
    kept = len(settings) - len(missing) * len(settings.yaws)
    watch(kept)
    if missing:
        journal = folder / "views.csv.part"
        try:
            _write_rows(
                journal, [row for face in faces if face not in set(missing) for row in _rows(face, settings, done)]
            )
            with journal.open("a", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, COLUMNS)
                for rows in _made(missing, model, folder, settings, jobs):
                    writer.writerows(rows)
                    file.flush()
                    done |= {row["file"]: row for row in rows}
                    watch(len(rows))
        except OSError as error:
            raise OutputError(f"{folder}: cannot be written ({error.strerror}); make room and run again") from None
        _write_rows(folder / "views.csv", [row for face in faces for row in _rows(face, settings, done)])
        journal.unlink()
    return len(missing) * len(settings.yaws)


def _rows(face: Face, settings: RenderSettings, done: dict[str, Row]) -> list[Row]:
    return [done[_file(face, yaw)] for yaw in settings.yaws]


def _complete(face: Face, settings: RenderSettings, done: dict[str, Row], folder: Path) -> bool:
    files = [_file(face, yaw) for yaw in settings.yaws]
    return all(file in done and (folder / file).is_file() for file in files)


def _description(settings: RenderSettings, digest: str) -> dict[str, Any]:
    return {
        "made_by": "mien data render",
        "generator": GENERATOR,
        "settings": {**asdict(settings), "yaws": list(settings.yaws)},
        "images": len(settings),
        "classes": list(FERPLUS[: settings.classes]),
        "split": "by identity: 3 train, 1 valid, 1 test of every five",
        "columns": COLUMNS,
        "model": {**MODEL_TERMS, "sha256": digest},
        "versions": {name: version(name) for name in ("mien", "pyvista", "vtk", "numpy", "pillow")},
    }


def _open_folder(folder: Path, description: dict[str, Any], *, overwrite: bool) -> None:
    """Make the folder ours, or refuse it."""
    record = folder / "dataset.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if record.exists():
            found = json.loads(record.read_text(encoding="utf-8"))
            if found.get("made_by") != description["made_by"]:
                raise OutputError(f"{record} is not from `mien data render`; choose another folder")
            if not overwrite:
                _compare(folder, found, description)
                return
            for name in ("views.csv", "views.csv.part"):
                (folder / name).unlink(missing_ok=True)
            shutil.rmtree(folder / "images", ignore_errors=True)
        elif any(not path.name.startswith(".") for path in folder.iterdir()):
            raise OutputError(f"{folder} is not empty and holds no set of views; choose an empty folder")
        half = folder / ".dataset.json.half"
        half.write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")
        half.replace(record)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror or error})") from None
    except ValueError:
        raise OutputError(f"{record} is damaged; start over with --overwrite in another folder") from None


def _compare(folder: Path, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    was = {**found.get("settings", {}), "generator": found.get("generator"), "model": found["model"]["sha256"]}
    now = {**wanted["settings"], "generator": wanted["generator"], "model": wanted["model"]["sha256"]}
    changed = [f"{name} {was.get(name)}, now {now[name]}" for name in now if was.get(name) != now[name]]
    if changed:
        raise OutputError(
            f"{folder} holds views made otherwise ({'; '.join(changed)}): "
            "choose another folder, or start over with --overwrite"
        )


def _rows_so_far(folder: Path) -> dict[str, Row]:
    """File -> row, of the journal or the finished table; a last line cut short is left out."""
    rows: dict[str, Row] = {}
    for name in ("views.csv", "views.csv.part"):
        path = folder / name
        if not path.exists():
            continue
        text = path.read_text(encoding="utf-8")
        lines = text[: text.rfind("\n") + 1].splitlines()
        rows |= {
            row["file"]: row
            for row in csv.DictReader(lines)
            if None not in row.values() and len(row) == len(COLUMNS)
        }
    return rows


def _write_rows(path: Path, rows: Iterable[Row]) -> None:
    half = path.with_name(f".{path.name}.half")
    with half.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    half.replace(path)


def _made(
    faces: Iterable[Face], model: Path, folder: Path, settings: RenderSettings, jobs: int
) -> Iterator[list[Row]]:
    """The rows of each face, in order, rendered by other processes."""
    pool = ProcessPoolExecutor(
        jobs, mp_context=get_context("spawn"), initializer=_begin, initargs=(model, folder, settings)
    )
    waiting: deque[Future[list[Row]]] = deque()
    try:
        for face in faces:
            waiting.append(pool.submit(_make, face))
            if len(waiting) > 3 * jobs:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool:
        raise OutputError(
            "a rendering process ended unexpectedly: out of memory, or no OpenGL library for VTK "
            "(Debian: apt-get install libegl1 libgl1-mesa-dri libx11-6; docs/datasets/views.md)"
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_maker: _Maker | None = None  # of a rendering process


def _begin(model: Path, folder: Path, settings: RenderSettings) -> None:
    """Set a rendering process up. It ends with its parent, and leaves Ctrl-C to it."""
    global _maker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ.setdefault("LP_NUM_THREADS", "1")  # Mesa's software renderer: one core per process
    _maker = _Maker(load_model(model), folder, settings)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _make(face: Face) -> list[Row]:
    assert _maker is not None  # noqa: S101
    return _maker.make(face)
