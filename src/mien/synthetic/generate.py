"""A folder of rendered faces and its table: seeds, splits, resuming.

    folder/dataset.json                       settings, model, licence, columns
    folder/faces.csv                          one row per image, written when all are there
    folder/faces.csv.part                     the rows so far
    folder/images/0007/fear_3_yaw-45.jpg      identity, expression, take, yaw

Every image depends on (seed, identity, expression, take, yaw), its size and the model alone: neither on the order
of work, nor on the number of processes, nor on what else is in the set.
"""

from __future__ import annotations

import csv
import io
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from mien.errors import MissingPackageError, OptionError, OutputError
from mien.geometry import SIDES
from mien.labels import FERPLUS, Expression
from mien.media.atomic import atomic_write
from mien.media.disk import plain_disk_errors
from mien.media.images import write_image
from mien.media.resume import differences
from mien.media.work import Progress, map_processes, no_progress, worker_count
from mien.synthetic.blendshapes import compose
from mien.synthetic.face_model import FaceModel, load_model
from mien.synthetic.identity import Identity, IdentitySampler
from mien.synthetic.renderer import Renderer, draw_view

DESCRIPTION = "dataset.json"
TABLE = "faces.csv"
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
    "yaw_class": "nominal yaw, degrees",
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
_SPLIT, _IDENTITY, _EXPRESSION, _VIEW = range(4)  # what a random stream is for

Row = dict[str, str]
Face = tuple[int, str, int]  # identity, expression, take


@dataclass(frozen=True, kw_only=True)
class RenderSettings:
    """What decides the images. Defaults: 100 identities x 7 classes x 4 takes x 9 yaws = 25,200 images."""

    identities: int = 100
    seed: int = 0
    size_px: int = 128
    classes: int = 7  # 8: with contempt
    yaws: tuple[float, ...] = (-90, -60, -45, -30, 0, 30, 45, 60, 90)
    yaw_jitter_deg: float = 0.0
    pitch_limit_deg: float = 30.0  # each image's pitch is drawn from -limit..limit

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
    block, position = divmod(identity, 5)
    order = np.random.default_rng([seed, _SPLIT, block]).permutation(5)
    return ("train", "train", "train", "valid", "test")[order[position]]


def _file(face: Face, yaw: float) -> str:
    identity, expression, take = face
    return f"images/{identity:04d}/{expression}_{take}_yaw{yaw:+g}.jpg"


class _FaceWriter:
    """Renders faces of one set into its folder."""

    def __init__(self, model: FaceModel, folder: Path, settings: RenderSettings) -> None:
        self.folder, self.settings, self.model = folder, settings, model
        self.sampler = IdentitySampler(model)
        self.renderer = Renderer(model, settings.size_px)
        self._last: tuple[int, Identity] | None = None

    def identity(self, number: int) -> Identity:
        """One identity, ready to be rendered; the last one is kept."""
        if self._last is None or self._last[0] != number:
            identity = self.sampler.sample(np.random.default_rng([self.settings.seed, _IDENTITY, number]))
            self.renderer.set_identity(identity)
            self._last = number, identity
        return self._last[1]

    def write(self, face: Face) -> list[Row]:
        """All images of one face as files; their rows."""
        number, expression, take = face
        key = (number, list[str](Expression).index(expression), take)
        seed = self.settings.seed
        identity = self.identity(number)
        composed = compose(Expression(expression), take, np.random.default_rng([seed, _EXPRESSION, *key]))
        self.renderer.set_shape(identity.neutral + self.model.offsets(composed.weights))
        sides = {
            unit: "".join(side for other, side in composed.units if other == unit) for unit, _ in composed.units
        }
        units = "+".join(f"{unit}{side if len(side) == 1 else ''}" for unit, side in sides.items())
        (self.folder / "images" / f"{number:04d}").mkdir(parents=True, exist_ok=True)
        rows = []
        for yaw in self.settings.yaws:
            view = draw_view(
                np.random.default_rng([seed, _VIEW, *key, round(yaw * 100) + 9000]),
                yaw_deg=yaw,
                yaw_jitter=self.settings.yaw_jitter_deg,
                pitch_limit=self.settings.pitch_limit_deg,
            )
            rendered = self.renderer.render(view)
            write_image(rendered.image, self.folder / _file(face, yaw))
            row = {
                "file": _file(face, yaw),
                "split": split_of(seed, number),
                "identity": number,
                "expression": expression,
                "intensity": 0 if expression == Expression.NEUTRAL else take,
                "take": take,
                "units": units,
                "yaw_class": f"{yaw:g}",
                "yaw_deg": view.yaw_deg,
                "pitch_deg": view.pitch_deg,
                "roll_deg": view.roll_deg,
                **{side: f"{getattr(rendered.box, side):.1f}" for side in SIDES},
                "landmarks": " ".join(f"{coordinate:.1f}" for coordinate in rendered.landmarks.ravel()),
                "visible": "".join("01"[seen] for seen in rendered.visible.astype(int)),
            }
            rows.append({name: str(value) for name, value in row.items()})
        return rows


def render_faces(
    model: Path,
    folder: Path,
    settings: RenderSettings,
    *,
    workers: int = 1,
    overwrite: bool = False,
    progress: Progress = no_progress,
) -> int:
    """Fill a folder with rendered faces; what is in it already stays. Returns how many images were rendered now.

    Raises `InputError` for a model that cannot be read, `OutputError` where the folder holds something else,
    `MissingPackageError` without PyVista.
    """
    workers = worker_count(workers)
    if find_spec("pyvista") is None:
        raise MissingPackageError("Rendering faces", "PyVista", "render")
    digest = load_model(model).sha256
    _open_folder(folder, _description(settings, digest), overwrite=overwrite)
    faces = settings.faces()
    done = _rows_so_far(folder)
    missing = [face for face in faces if not _complete(face, settings, done, folder)]
    images = len(settings) - len(missing) * len(settings.yaws)
    progress(images, len(settings))
    if missing:
        journal = folder / f"{TABLE}.part"
        with plain_disk_errors(folder, option="--out"):
            _write_rows(
                journal, [row for face in faces if face not in set(missing) for row in _rows(face, settings, done)]
            )
            with journal.open("a", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, COLUMNS)
                for rows in _rendered(missing, model, folder, settings, workers):
                    writer.writerows(rows)
                    file.flush()
                    done |= {row["file"]: row for row in rows}
                    images += len(rows)
                    progress(images, len(settings))
            _write_rows(folder / TABLE, [row for face in faces for row in _rows(face, settings, done)])
            journal.unlink()
    return len(missing) * len(settings.yaws)


def _rows(face: Face, settings: RenderSettings, done: dict[str, Row]) -> list[Row]:
    return [done[_file(face, yaw)] for yaw in settings.yaws]


def _complete(face: Face, settings: RenderSettings, done: dict[str, Row], folder: Path) -> bool:
    files = [_file(face, yaw) for yaw in settings.yaws]
    return all(file in done and (folder / file).is_file() for file in files)


@dataclass(frozen=True, kw_only=True)
class Description:
    """What `dataset.json` holds."""

    made_by: str
    generator: int = 0
    settings: dict[str, Any] = field(default_factory=dict)
    images: int = 0
    classes: tuple[str, ...] = ()
    split: str = ""
    columns: dict[str, str] = field(default_factory=dict)
    model: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    def decisive(self) -> dict[str, Any]:
        """What decides the images."""
        return {**self.settings, "generator": self.generator, "model": self.model.get("sha256")}


def _description(settings: RenderSettings, digest: str) -> Description:
    return Description(
        made_by="mien data render",
        generator=GENERATOR,
        settings=asdict(settings),
        images=len(settings),
        classes=tuple(map(str, FERPLUS[: settings.classes])),
        split="by identity: 3 train, 1 valid, 1 test of every five",
        columns=COLUMNS,
        model={**MODEL_TERMS, "sha256": digest},
        versions={name: version(name) for name in ("mien", "pyvista", "vtk", "numpy", "pillow")},
    )


def _open_folder(folder: Path, description: Description, *, overwrite: bool) -> None:
    """Make the folder ours, or refuse it."""
    path = folder / DESCRIPTION
    with plain_disk_errors(folder, option="--out"):
        folder.mkdir(parents=True, exist_ok=True)
        if path.exists():
            before = _read_description(path)
            if before.made_by != description.made_by:
                raise OutputError(f"{path} is not from `mien data render`; choose another folder")
            if not overwrite:
                if changed := differences(before.decisive(), description.decisive()):
                    raise OutputError(
                        f"{folder} holds faces rendered otherwise ({'; '.join(changed)}): "
                        "choose another folder, or start over with --overwrite"
                    )
                return
            for name in (TABLE, f"{TABLE}.part"):
                (folder / name).unlink(missing_ok=True)
            shutil.rmtree(folder / "images", ignore_errors=True)
        elif any(not entry.name.startswith(".") for entry in folder.iterdir()):
            raise OutputError(f"{folder} is not empty and holds no rendered faces; choose an empty folder")
        atomic_write(path, msgspec.json.format(msgspec.json.encode(description), indent=2) + b"\n")


def _read_description(path: Path) -> Description:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Description)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise OutputError(
            f"{path} is damaged, or is not from `mien data render` ({error}); choose another folder"
        ) from None


def _rows_so_far(folder: Path) -> dict[str, Row]:
    """File -> row, of the journal or the finished table; a last line cut short is left out."""
    rows: dict[str, Row] = {}
    for name in (TABLE, f"{TABLE}.part"):
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
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    atomic_write(path, text.getvalue().encode())


def _rendered(
    faces: Iterable[Face], model: Path, folder: Path, settings: RenderSettings, workers: int
) -> Iterator[list[Row]]:
    """The rows of each face, in order, rendered by other processes."""
    return map_processes(
        partial(_face_writer, model, folder, settings),
        _FaceWriter.write,
        faces,
        workers=workers,
        ahead=3 * workers,
        inline=False,
        ended="out of memory, or there is no OpenGL library for VTK "
        "(Debian: apt-get install libegl1 libgl1-mesa-dri libx11-6; docs/datasets/rendered.md)",
    )


def _face_writer(model: Path, folder: Path, settings: RenderSettings) -> _FaceWriter:
    """What a rendering process needs."""
    os.environ.setdefault("LP_NUM_THREADS", "1")  # Mesa's software renderer: one core per process
    return _FaceWriter(load_model(model), folder, settings)
