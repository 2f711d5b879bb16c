"""Matplotlib without its files in the home folder."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

_FOLDER = "MPLCONFIGDIR"


def leave_home_alone() -> None:
    """Import Matplotlib, if it is installed, so that its font cache goes where it disappears with this process.

    Who uses Matplotlib already, has its folders or has named one, keeps them. The environment is as before.
    """
    if "matplotlib" in sys.modules or _FOLDER in os.environ or find_spec("matplotlib") is None or _has_folders():
        return
    folder = tempfile.mkdtemp(prefix="mien-matplotlib-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ[_FOLDER] = folder
    try:
        matplotlib = import_module("matplotlib")
        matplotlib.get_configdir()  # both are looked up once
        matplotlib.get_cachedir()
    finally:
        del os.environ[_FOLDER]


def _has_folders() -> bool:
    try:
        home = Path.home()
    except RuntimeError:  # no home folder
        return False
    config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return (config / "matplotlib").is_dir() and (cache / "matplotlib").is_dir()
