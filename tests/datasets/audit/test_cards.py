from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from mien.datasets import dataset_info
from mien.datasets.audit.card import card, sizes

TOOL = runpy.run_path(str(Path(__file__).parents[3] / "tools" / "data_cards.py"))


@pytest.mark.parametrize("name", TOOL["fresh"]())
def test_the_committed_card_is_what_the_record_says(name: str) -> None:
    path = TOOL["FOLDER"] / name
    refresh = "python tools/data_cards.py, then commit docs/datasets"
    assert path.exists(), f"{path} is missing: {refresh}"
    assert path.read_text(encoding="utf-8") == TOOL["fresh"]()[name], f"{path} is not up to date: {refresh}"


def test_no_card_is_left_of_a_set_that_is_gone() -> None:
    assert {path.name for path in TOOL["FOLDER"].glob("*.md")} <= set(TOOL["fresh"]())


def test_handwriting_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "card.md"
    handwritten, mark = TOOL["handwritten"], TOOL["MARK"]
    assert handwritten(path) == ""
    path.write_text("## Notes\n\nBy hand.\n")
    kept = handwritten(path)
    assert kept == "\n## Notes\n\nBy hand.\n"
    path.write_text(f"# Old\n\n{mark}\n{kept}")
    assert handwritten(path) == kept


def test_a_card_holds_licence_counts_and_order() -> None:
    text = card(dataset_info("raf-db"))
    assert "| all | 12,271 | 3,068 |" in text
    assert "surprise, fear, disgust, happiness, sadness, anger, neutral" in text
    assert dataset_info("raf-db").licence in text
    assert sizes(dataset_info("raf-db")) == ["train 12,271", "test 3,068"]
