"""The Python of docs/how-to/serve.md runs against a service."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("av")

from mien.media.encode import VideoWriter
from tests.conftest import EXAMPLES
from tests.docs.commands import ROOT, python_blocks
from tests.service.conftest import Start


def test_the_client_of_the_guide_predicts(
    start_service: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, astronaut: np.ndarray
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("photo.jpg", "a.jpg"):
        shutil.copy(EXAMPLES / "astronaut.jpg", name)
    with VideoWriter(tmp_path / "talk.mp4", (320, 320), fps=10) as video:
        for i in range(5):
            video.write(astronaut[:320, :320], i / 10)
    (block,) = python_blocks(ROOT / "docs/how-to/serve.md")
    names: dict[str, object] = {}
    exec(replace(block, text=block.text.replace("http://127.0.0.1:8000", start_service().url)).compiled(), names)
    assert len(names["faces"]) == 1  # type: ignore[arg-type]
    assert set(names["table"]["source"].to_pylist()) == {"a.jpg", "talk.mp4"}  # type: ignore[index]
