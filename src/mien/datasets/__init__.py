"""Data sets of the field: one file each, tables of images that are decoded only when needed."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from mien.errors import UnknownNameError

if TYPE_CHECKING:
    from mien.datasets.info import DatasetInfo

DATASETS = {  # name -> module that holds its info, called SET
    "raf-db": "mien.datasets.readers.raf_db",
    "ferplus": "mien.datasets.readers.ferplus",
    "fer2013": "mien.datasets.readers.fer2013",
    "affectnet": "mien.datasets.readers.affectnet",
    "jaffe": "mien.datasets.readers.jaffe",
    "aff-wild2": "mien.datasets.readers.aff_wild2",
    "ferg": "mien.datasets.readers.ferg",
    "sfew": "mien.datasets.readers.sfew",
    "kdef": "mien.datasets.readers.kdef",
    "bu-3dfe": "mien.datasets.readers.bu_3dfe",
    "multi-pie": "mien.datasets.readers.multi_pie",
    "caer-s": "mien.datasets.readers.caer_s",
    "ck+": "mien.datasets.readers.ck_plus",
    "expw": "mien.datasets.readers.expw",
    "muxspace": "mien.datasets.readers.muxspace",
    "rendered": "mien.datasets.readers.rendered",
    "folder": "mien.datasets.readers.folder",
    "csv": "mien.datasets.readers.csv_table",
}


def dataset_info(name: str) -> DatasetInfo:
    """The info of a data set; raises `UnknownNameError` with the nearest known one."""
    if name not in DATASETS:
        raise UnknownNameError("data set", name, DATASETS)
    found: DatasetInfo = import_module(DATASETS[name]).SET
    return found
