"""What an operator meets before the first request: a start that fails, wrong numbers, the wrong folder."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from mien.cli.app import run
from mien.errors import OptionError
from mien.service.job_files import DataFolder
from mien.service.settings import ServiceSettings


@pytest.mark.parametrize(
    ("options", "code", "reason"),
    [
        (("--weights", "nothing"), 2, "No weights called 'nothing'"),
        (("--detector", "nothing"), 2, "No detector called 'nothing'"),
        (("--data", "a-file"), 1, "cannot be written"),
        (("--data", "taken"), 1, "is used by another mien serve"),
        (("--database", "nothing"), 2, "the database is no URL"),
        (("--database", "sqlite:////nothing/there"), 1, "the database cannot be used"),
    ],
    ids=["weights", "detector", "file", "taken", "no URL", "no database"],
)
def test_a_start_that_fails_says_why_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...], code: int, reason: str,
) -> None:  # fmt: skip
    monkeypatch.setattr("mien.service.logs.write_to_stderr", lambda level: None)  # would outlive the test
    monkeypatch.chdir(tmp_path)
    Path("a-file").touch()
    taken = DataFolder(Path("taken"))
    before = signal.getsignal(signal.SIGTERM)
    assert run(["serve", "--port", "0", *options]) == code
    taken.close()
    (line,) = capsys.readouterr().err.splitlines()
    assert reason in line
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")], ids=["0", "-1", "nan", "inf"])
@pytest.mark.parametrize("name", ["max_mib", "timeout_s", "keep_hours", "max_megapixels"])
def test_numbers_that_cannot_be_are_refused(name: str, value: float) -> None:
    values: dict[str, Any] = {name: value}
    with pytest.raises(OptionError, match=f"{name} is .*; give a number above 0"):
        ServiceSettings(**values)


def test_a_result_is_kept_for_a_time_that_has_a_date() -> None:
    ServiceSettings(keep_hours=87_600)
    with pytest.raises(OptionError, match="ten years"):
        ServiceSettings(keep_hours=1e9)


@pytest.mark.parametrize("words", [("list",), ("revoke", "5f3a9c01d2e4")], ids=["list", "revoke"])
def test_tokens_are_not_looked_for_in_a_folder_of_no_service(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    assert run(["serve", "token", *words, "--data", str(tmp_path / "data")]) == 2
    assert "is no folder of mien serve" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
