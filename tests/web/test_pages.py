"""Reports and evaluation pages in a browser: nothing sticks out, on a phone, a tablet, a desk or paper."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mien
from tests.analysis.tables import arrow, conversation, row

pytest.importorskip("jinja2")

A4_PX = 718  # a page of A4 between margins of a centimetre, at 96 pixels per inch
OVERFLOWING = """() => [...document.querySelectorAll('body *')]
    .filter(one => !one.closest('.wide, .large, svg') && one.getBoundingClientRect().right > innerWidth + 1)
    .map(one => one.tagName + '.' + one.className)"""


@pytest.fixture(scope="module")
def report_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Videos, flags, folders with long names, errors, and a second table."""
    rng = np.random.default_rng(0)
    labels = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
    rows = conversation(20.0)
    for name in ("a_folder_with_a_long_name_and_no_space_to_break_it_at_all", "b", "c <b>"):
        rows += [row(f"{name}/{i:09}.jpg", str(rng.choice(labels))) for i in range(40)]
    rows += [row("b/broken.jpg", None, error="no image: the file is empty " * 6), row("b/none.jpg", None)]
    page = tmp_path_factory.mktemp("report") / "page.html"
    page.write_text(mien.report(arrow(rows), arrow(rows[: len(rows) // 2])).to_html(), encoding="utf-8")
    return page


@pytest.fixture(scope="module")
def evaluation_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight classes, people, head poses, a comparison, errors, and a name without spaces."""
    pytest.importorskip("sklearn")
    from mien.evaluation.predictions import Predictions
    from mien.evaluation.result import MisclassifiedImage, summarize
    from mien.labels import FERPLUS

    rng, count = np.random.default_rng(0), 400
    predictions = Predictions(
        labels=FERPLUS,
        truth=rng.integers(8, size=count),
        probabilities=rng.dirichlet(np.ones(8), size=count),
        path=np.array([f"{i}.png" for i in range(count)], dtype=object),
        row=np.arange(count),
        subject=np.array([f"{i // 10}" for i in range(count)], dtype=object),
        pose=np.array(["-30", "0", "+30", "+60"] * (count // 4), dtype=object),
    )
    name = "a_folder/with_a_long_name_and_no_space_to_break_it_at_all.jpg"
    error = MisclassifiedImage(
        path=name, truth="fear", predicted="anger", confidence=0.9, image=lambda: np.zeros((20, 30, 3), np.uint8)
    )
    evaluation = summarize(
        predictions, settings={"weights": name, "dataset": "made up"}, other=predictions, compared=(name, "it"),
        misclassified=(error,) * 5,
    )  # fmt: skip
    page = tmp_path_factory.mktemp("evaluation") / "page.html"
    page.write_text(evaluation.to_html(), encoding="utf-8")
    return page


@pytest.mark.parametrize("width", [360, 375, 768, 1280])
@pytest.mark.parametrize("which", ["report_page", "evaluation_page"])
def test_there_is_no_sideways_scroll(chromium: Any, request: pytest.FixtureRequest, which: str, width: int) -> None:
    page = chromium.new_page(viewport={"width": width, "height": 800})
    page.goto(request.getfixturevalue(which).as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(OVERFLOWING) == []
    page.close()


@pytest.mark.parametrize("which", ["report_page", "evaluation_page"])
def test_a_printed_page_fits_its_paper(chromium: Any, request: pytest.FixtureRequest, which: str) -> None:
    page = chromium.new_page(viewport={"width": A4_PX, "height": 1000})
    page.emulate_media(media="print")
    page.goto(request.getfixturevalue(which).as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= A4_PX
    assert not page.locator("nav").locator("visible=true").count(), "links lead nowhere on paper"
    assert len(page.pdf(format="A4")) > 10_000
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("which", ["report_page", "evaluation_page"])
def test_axe_finds_nothing(chromium: Any, request: pytest.FixtureRequest, which: str, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = chromium.new_page(viewport={"width": 1280, "height": 800}, color_scheme=scheme)
    page.goto(request.getfixturevalue(which).as_uri())
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
    assert dark == (scheme == "dark")
    violations = [one for one in axe.run(page).response["violations"] if one["impact"] in ("serious", "critical")]
    assert [(one["id"], one["nodes"][0]["html"][:120]) for one in violations] == []
    page.close()
