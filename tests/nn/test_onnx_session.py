from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
import os, sys
import mien
mien.load(threads=1)
print(os.environ.get("ORT_DISABLE_TELEMETRY"), [str(p) for p in __import__("pathlib").Path.home().rglob("*")])
"""


@pytest.mark.parametrize("before", [None, "0"])
def test_the_runtime_leaves_nothing_in_the_home_folder_and_the_environment_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str | None
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    if before is not None:
        monkeypatch.setenv("ORT_DISABLE_TELEMETRY", before)
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout == f"{before} []\n"
