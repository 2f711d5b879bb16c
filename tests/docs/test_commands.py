"""Every command in README, documents and docstrings is one that the command line takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer

from mien import recipes
from mien.cli.app import app
from mien.datasets import DATASETS, dataset_info
from tests.docs.commands import DOCUMENTS, SCRIPTS, Command, in_blocks, in_sentences

SHOWN = [command for path in [*DOCUMENTS, *SCRIPTS] for command in in_blocks(path)]
MENTIONED = [command for path in DOCUMENTS for command in in_sentences(path)]
SPLITS = {"csv": {"train", "valid", "test"}, "aff-wild2": {"train", "test"}}  # of sets that publish no counts
RECIPES = Path(recipes.__file__).parent
COMMANDS = typer.main.get_command(app)


def command_of(words: tuple[str, ...]) -> tuple[Any, list[str]]:
    """The command that the first words name, and the other words."""
    command, rest = COMMANDS, list(words)
    while rest and rest[0] in getattr(command, "commands", {}):
        command = command.commands[rest.pop(0)]
    return command, rest


def test_documents_show_commands() -> None:
    assert len(SHOWN) > 80
    assert len(MENTIONED) > 20


@pytest.mark.parametrize("shown", SHOWN, ids=str)
def test_a_shown_command_parses(shown: Command) -> None:
    command, rest = command_of(shown.words)
    runs_itself = getattr(command, "invoke_without_command", False)  # mien serve has commands below it, too
    if hasattr(command, "commands") and not runs_itself and rest and rest[0].startswith("--"):
        assert rest[0] in {one for option in command.params for one in option.opts}, f"{shown}: no such option"
        return  # mien --install-completion
    assert runs_itself or not hasattr(command, "commands"), f"{shown}: no such command"
    values = command.make_context("mien", rest).params
    _check_names(shown, values)


@pytest.mark.parametrize("mentioned", MENTIONED, ids=str)
def test_a_mentioned_command_and_its_options_exist(mentioned: Command) -> None:
    command, rest = command_of(mentioned.words)
    known = {spelling for one in command.params for spelling in [*one.opts, *one.secondary_opts]} | {"--help"}
    assert {word.partition("=")[0] for word in rest if word.startswith("-")} <= known
    if hasattr(command, "commands") and not getattr(command, "invoke_without_command", False):
        assert not rest, f"{mentioned}: no such command"


def _check_names(shown: Command, values: dict[str, Any]) -> None:
    """Sets, splits, variants and recipes of a command are some that there are."""
    recipe = values.get("recipe")
    if recipe is not None and str(recipe).split("/")[0] in {path.name for path in RECIPES.iterdir()}:
        assert (RECIPES / f"{recipe}.py").is_file() or "$" in str(recipe), f"{shown}: no such recipe"
    name = values.get("dataset") or values.get("set") or values.get("name")
    if shown.words[0] not in ("data", "evaluate") or name not in DATASETS:
        return
    info = dataset_info(name)
    info.variant(values.get("variant") or "")
    if split := values.get("split"):
        there = SPLITS.get(name) or {one for counts in info.expected.values() for one in counts}
        assert split in there, f"{shown}: {name} has no {split} split"
