"""The committed page is what its sources build to, byte for byte. Needs node; skipped where it is missing."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.web.site import STATIC

WEB = Path(__file__).parents[2] / "web"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_another_build_gives_the_same_bytes(tmp_path: Path) -> None:
    if not shutil.which("npm"):
        pytest.skip("node is not installed")
    if not (WEB / "node_modules").is_dir():
        installed = subprocess.run(["npm", "ci", "--ignore-scripts"], cwd=WEB, capture_output=True, text=True)
        if installed.returncode:
            shutil.rmtree(WEB / "node_modules", ignore_errors=True)
            pytest.skip(f"npm ci fails: {installed.stderr.strip()[-200:]}")
    subprocess.run(["npm", "run", "check"], cwd=WEB, check=True, capture_output=True)
    subprocess.run(["node", "scripts/build.mjs", str(tmp_path)], cwd=WEB, check=True, capture_output=True)
    built, committed = contents(tmp_path), contents(STATIC)
    assert built.keys() == committed.keys()
    different = [name for name, content in built.items() if content != committed[name]]
    assert not different, "run npm run build in web/"
