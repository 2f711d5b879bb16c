"""Data sets of the field: one file each, tables of images that are decoded only when needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mien.errors import OptionError
from mien.plugins import names, resolve

if TYPE_CHECKING:
    from mien.datasets.info import DatasetInfo

DATASETS = {  # name -> where its `DatasetInfo` stands
    "raf-db": "mien.datasets.readers.raf_db:SET",
    "ferplus": "mien.datasets.readers.ferplus:SET",
    "fer2013": "mien.datasets.readers.fer2013:SET",
    "affectnet": "mien.datasets.readers.affectnet:SET",
    "jaffe": "mien.datasets.readers.jaffe:SET",
    "aff-wild2": "mien.datasets.readers.aff_wild2:SET",
    "ferg": "mien.datasets.readers.ferg:SET",
    "sfew": "mien.datasets.readers.sfew:SET",
    "kdef": "mien.datasets.readers.kdef:SET",
    "bu-3dfe": "mien.datasets.readers.bu_3dfe:SET",
    "multi-pie": "mien.datasets.readers.multi_pie:SET",
    "caer-s": "mien.datasets.readers.caer_s:SET",
    "ck+": "mien.datasets.readers.ck_plus:SET",
    "cfee": "mien.datasets.readers.cfee:SET",
    "expw": "mien.datasets.readers.expw:SET",
    "muxspace": "mien.datasets.readers.muxspace:SET",
    "rendered": "mien.datasets.readers.rendered:SET",
    "folder": "mien.datasets.readers.folder:SET",
    "csv": "mien.datasets.readers.csv_table:SET",
}


def dataset_names() -> list[str]:
    """Every data set that can be read: our own, then those of installed packages."""
    return list(dict.fromkeys([*DATASETS, *names("data set", DATASETS)]))


def dataset_info(dataset: str | DatasetInfo) -> DatasetInfo:
    """The info of a data set by its name, an entry point or an import path (`mypkg.sets:MINE`).

    Raises `UnknownNameError` with the nearest known name, `OptionError` for a part that is no `DatasetInfo`.
    """
    from mien.datasets.info import DatasetInfo

    info = resolve("data set", dataset, DATASETS) if isinstance(dataset, str) else dataset
    if not isinstance(info, DatasetInfo):
        raise OptionError(f"data set {dataset!r} is a {type(info).__name__}; it must be a DatasetInfo")
    return info
