"""The Tab key completes names, not only options."""

from __future__ import annotations

from mien.cli.options import recipe_names, set_names, weights_names


def test_names_of_weights_recipes_and_sets_are_completed() -> None:
    assert weights_names("def") == ["default"]
    assert "yunet-slim" not in weights_names("")
    assert recipe_names("poster_v2/li") == ["poster_v2/light"]
    assert set_names("ferp") == ["ferplus"]
    assert weights_names("runs/") == []  # the shell completes files then
