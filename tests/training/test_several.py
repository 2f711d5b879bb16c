"""Several runs of one command."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from mien.training.several import begin_together


@pytest.mark.parametrize("end", ["begins", "fails"])
def test_a_run_is_timed_when_every_other_is_at_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    begin_together()  # a command of one recipe waits for nobody
    mine, other = tmp_path / "0", tmp_path / "1"
    mine.touch()
    other.touch()
    monkeypatch.setenv("MIEN_TRAINING_TICKET", str(mine))
    first = threading.Thread(target=begin_together)
    first.start()
    first.join(0.5)
    assert first.is_alive()
    assert not mine.exists()
    if end == "fails":
        other.unlink()  # by the command, as its process has ended
    else:
        monkeypatch.setenv("MIEN_TRAINING_TICKET", str(other))
        begin_together()
    first.join(60)
    assert not first.is_alive()
