"""The Tab key completes names, not only options."""

from __future__ import annotations

import pytest

from mien.cli.app import app
from mien.cli.options import recipe_names, set_names, weights_names


def test_names_of_weights_recipes_and_sets_are_completed() -> None:
    assert weights_names("def") == ["default"]
    assert "yunet-slim" not in weights_names("")
    assert recipe_names("poster_v2/li") == ["poster_v2/light"]
    assert set_names("ferp") == ["ferplus"]
    assert weights_names("runs/") == []  # the shell completes files then


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("data info ferp", "ferplus"),
        ("data check ferp", "ferplus"),
        ("evaluate ferp", "ferplus"),
        ("weights show yunet-slim-", "yunet-slim-robust"),
        ("weights verify land", "landmarks68"),
        ("export def", "default"),
        ("train poster_v2/li", "poster_v2/light"),
        ("predict --weights pha", "phanet"),
        ("explain --weights pha", "phanet"),
        ("data prep", "prepare"),
    ],
)
def test_a_shell_gets_the_names(
    words: str, completed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("_MIEN_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", f"mien {words}")
    monkeypatch.setenv("COMP_CWORD", str(len(words.split())))
    with pytest.raises(SystemExit):
        app(prog_name="mien")
    assert capsys.readouterr().out.split() == [completed]
