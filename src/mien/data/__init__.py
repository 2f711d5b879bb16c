"""Data sets of the field: one file each, tables of pictures that are decoded only when needed."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from mien.errors import UnknownName

if TYPE_CHECKING:
    from mien.data.record import DataSet

DATA_SETS = {  # name -> module that holds its record, called SET
    "raf-db": "mien.data.raf_db",
    "ferplus": "mien.data.ferplus",
    "fer2013": "mien.data.fer2013",
    "affectnet": "mien.data.affectnet",
    "aff-wild2": "mien.data.aff_wild2",
    "sfew": "mien.data.sfew",
    "caer-s": "mien.data.caer_s",
    "expw": "mien.data.expw",
    "muxspace": "mien.data.muxspace",
}


def data_set(name: str) -> DataSet:
    """The record of a data set; raises `UnknownName` with the nearest known one."""
    if name not in DATA_SETS:
        raise UnknownName("data set", name, DATA_SETS)
    found: DataSet = import_module(DATA_SETS[name]).SET
    return found
