"""Sets that have no list: the names of the images say what they show."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from mien.datasets.distribution import Distribution
from mien.datasets.readers.class_folders import is_image
from mien.datasets.samples import Collector
from mien.labels import CAER_S, LabelSet

CODES = dict(zip("AN DI FE HA NE SA SU".split(), CAER_S, strict=True))  # both in the order of the alphabet

Named = list[tuple[str, re.Match[str]]]


def from_filenames(
    files: Distribution,
    labels: LabelSet,
    pattern: str,
    *,
    form: str,
    skip: Sequence[str] = (),
    renamed: Mapping[str, str] = MappingProxyType({}),
) -> tuple[Collector, Named]:
    """Every image whose name fits `pattern`, and a collector that holds the problems with the others.

    `pattern`: of the end of a path without its suffix, in any case. `form`: an example of such a path.
    `skip`: folders of which nothing is wanted. `renamed`: names that are wrong in the distribution -> what they
    stand for. Paths count from the folder that all these images share, so they are the same wherever above it the
    user points. A name that comes a second time is a problem.
    """
    fits = re.compile(rf"(?:.*/)?{pattern}", re.IGNORECASE)
    images = []
    for name in files.names:
        folder, _, file = name.rpartition("/")
        if is_image(file) and (not skip or set(skip).isdisjoint(folder.split("/"))):
            stem = file.rpartition(".")[0].upper()
            stem = renamed.get(stem, stem)
            images.append((name, stem, fits.fullmatch(f"{folder}/{stem}")))
    shared = _shared_folder(name for name, _, match in images if match)
    rows = Collector(labels, Distribution(files.root, prefix=files.prefix + shared) if shared else files)
    named: Named = []
    seen: dict[str, str] = {}
    for name, stem, match in images:
        path = name.removeprefix(shared)
        if match is None:
            rows.problem("misnamed", path, "this is no name of the set", f"it reads like {form}")
        elif stem in seen:
            rows.problem("duplicate", path, f"the same image as {seen[stem]}", "remove one of them")
        else:
            seen[stem] = path
            named.append((path, match))
    if not named:
        rows.problem("missing file", str(files), f"no image like {form} is there", "give the unpacked folder")
    return rows, named


def code_of(rows: Collector, path: str, code: str, codes: dict[str, str]) -> str | None:
    """The class that `code` in the name of an image means; None, and a problem noted, for an unknown one."""
    if (label := codes.get(code)) is None:
        rows.label_problem(path, code, list(codes))
    return label


def _shared_folder(names: Iterable[str]) -> str:
    """The deepest folder that holds all of them, with its slash; "" for the top."""
    folders = {name.rpartition("/")[0] for name in names}
    shared = posixpath.commonpath(folders) if folders else ""
    return f"{shared}/" if shared else ""
