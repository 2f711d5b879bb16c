from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mien
from mien.analysis.faces import read_faces
from mien.analysis.groups import agreement, difference
from mien.analysis.timing import row_seconds
from mien.cli.app import run
from mien.errors import OptionError
from mien.labels import FERPLUS
from mien.media.images import write_image
from mien.pipeline.rows import TableRow
from mien.pipeline.table import write_table
from tests.analysis.tables import arrow, conversation, row, track

pytest.importorskip("jinja2")


def album(*, happy: dict[str, float], images: int = 40) -> list[TableRow]:
    """Folders of images of one face each, of which these shares are happy."""
    rng = np.random.default_rng(0)
    return [
        row(f"{folder}/{i}.jpg", "happiness" if rng.random() < share else "neutral")
        for folder, share in happy.items()
        for i in range(images)
    ]


class Page(HTMLParser):
    """The tags, links and text of a page; tags that are closed must be open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br", "path"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag != "path":
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_report_has_shares_groups_and_files() -> None:
    rows = [*album(happy={"a": 0.2, "b": 0.7}), row("c/1.jpg", None), row("c/2.jpg", None, error="<is> empty")]
    result = mien.report(arrow(rows))
    (part,) = result.parts
    assert [unit.source for unit in part.groups] == ["a", "b"]
    assert (result.without_face, result.unread) == (("c/1.jpg",), (("c/2.jpg", "<is> empty"),))
    (one,) = part.differences
    happiness = next(row for row in one.expressions if row.expression == "happiness")
    assert happiness.low is not None
    assert happiness.high is not None
    assert -0.8 < happiness.low < -0.5 < happiness.high < -0.3
    page = Page(result.to_html())
    assert page.open == []
    assert "<is> empty" in page.text


def test_a_video_that_could_not_be_read_is_no_image() -> None:
    rows = [*conversation(20.0), row("broken.MP4", None, error="damaged", frame=None)]
    (part,) = mien.report(arrow(rows)).parts
    assert (part.kind, part.total.files, part.total.failed) == ("videos", 2, 1)
    (only,) = mien.report(arrow(rows[-1:])).parts
    assert (only.kind, only.total.files) == ("videos", 1)
    assert "No face in the videos was counted" in mien.report(arrow(rows[-1:])).to_html()
    (image,) = mien.report(arrow([row("broken.jpg", None, error="damaged", frame=None)])).parts
    assert image.kind == "images"


def test_more_folders_than_are_compared_are_named() -> None:
    table = arrow(album(happy={f"folder {i}": 0.5 for i in range(25)}, images=2))
    (part,) = mien.report(table).parts
    assert (part.groups, part.folders_left_out) == ((), 25)
    assert "25 folders, too many to compare by default" in mien.report(table).to_html()
    (asked,) = mien.report(table, group="folder").parts
    assert (len(asked.groups), asked.folders_left_out) == (25, 0)


def test_a_page_stands_alone_and_is_accessible() -> None:
    text = mien.report(arrow([*conversation(20.0), *album(happy={"a": 0.5})])).to_html()
    page = Page(text)
    links = [value for _, attributes in page.tags for name, value in attributes.items() if name in ("src", "href")]
    anchors = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    assert all(str(link).startswith("data:") or str(link)[1:] in anchors for link in links)
    assert all(attributes.get("alt") for tag, attributes in page.tags if tag == "img")
    assert all(attributes.get("aria-label") for tag, attributes in page.tags if tag == "svg")
    headings = [tag for tag, _ in page.tags if tag in ("h1", "h2", "h3")]
    assert headings[0] == "h1"
    assert headings.count("h1") == 1
    assert 'lang="en"' in text
    assert text == mien.report(arrow([*conversation(20.0), *album(happy={"a": 0.5})])).to_html()


def test_faces_are_cut_from_the_images_that_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, astronaut: np.ndarray
) -> None:
    write_image(astronaut, tmp_path / "a.jpg")
    rows = [row("a.jpg"), row("b.jpg"), row("c.jpg", flags="blurred", certain=False)]
    write_table(rows, FERPLUS, tmp_path / "t.csv")
    monkeypatch.chdir(Path(__file__).parent)
    result = mien.report(tmp_path / "t.csv")  # found beside the table
    assert [len(faces) for faces in result.gallery.expressions.values()] == [1] + [0] * 7
    (face,) = result.gallery.expressions["neutral"]
    assert face.image.shape == (110, 110, 3)  # the box, a quarter of it around, as far as the image goes
    assert result.gallery.missing == ("b.jpg", "c.jpg")
    text = result.to_html()
    assert 'alt="Face predicted as neutral in a.jpg"' in text
    assert "2 of 3 sources" in text
    assert "data:image" not in mien.report(tmp_path / "t.csv", faces=0).to_html()


def test_an_image_that_changed_is_missing(tmp_path: Path, astronaut: np.ndarray) -> None:
    write_image(astronaut[:40, :40], tmp_path / "a.jpg")
    rows = [row(str(tmp_path / "a.jpg"), left=300.0, top=300.0, right=400.0, bottom=400.0)]
    assert mien.report(arrow(rows)).gallery.missing == (str(tmp_path / "a.jpg"),)


def test_an_added_column_groups_videos() -> None:
    rows = [one | {"group": f"<{one['track']}>"} for one in conversation(60.0)]
    (part,) = mien.report(arrow(rows), group="group").parts
    assert [unit.source for unit in part.groups] == ["<1>", "<2>"]
    assert part.differences[0].first == "<1>"
    with pytest.raises(OptionError, match="no column 'team'"):
        mien.report(arrow(rows), group="team")


def test_differences_of_the_same_files_are_paired() -> None:
    """Two tables that differ on one face in ten: far tighter than for other files."""
    rows = album(happy={"a": 0.5}, images=100)
    changed = [one if i % 10 else row(one["source"], "fear") for i, one in enumerate(rows)]
    moved = [one | {"source": f"x{one['source']}"} for one in changed]

    def fear(second: list[TableRow]) -> Any:
        tables = [read_faces(arrow(some)) for some in (rows, second)]
        one = difference(*((name, some, row_seconds(some)) for name, some in zip("ab", tables, strict=True)))
        return one.paired, next(row for row in one.expressions if row.expression == "happiness")

    (paired, same), (unpaired, other) = fear(changed), fear(moved)
    assert (paired, unpaired) == (True, False)
    assert same.difference == other.difference
    assert same.high - same.low < (other.high - other.low) / 2


def test_participants_are_resampled_together_and_paired() -> None:
    """Twelve people, ten photos of each in both conditions, all of a person alike: twelve units, not 240."""
    rows = [
        row(f"{condition}/{person}_{i}.jpg", "happiness" if happy else "neutral", person=f"p{person}")
        for person in range(12)
        for condition, happy in (("a", person % 2 == 0), ("b", person % 2 == 0 or person == 1))
        for i in range(10)
    ]
    files, people = (mien.report(arrow(rows), cluster=name).parts[0] for name in ("", "person"))
    one, other = (
        next(share for share in part.differences[0].expressions if share.expression == "happiness")
        for part in (files, people)
    )
    assert one.difference == other.difference == pytest.approx(-1 / 12)
    assert (files.differences[0].paired, people.differences[0].paired) == (False, True)
    assert other.high == pytest.approx(0.0, abs=0.03)  # nobody smiles less in b
    assert one.high is not None
    assert one.high > 0.03
    assert (files.total.resampled, people.total.resampled) == ("files", "clusters")
    (wide, narrow) = (part.total.expressions[1] for part in (people, files))
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)  # type: ignore[operator]
    assert "the same values of person, resampled together" in mien.report(arrow(rows), cluster="person").to_html()
    with pytest.raises(OptionError, match="no column 'team'"):
        mien.report(arrow(rows), cluster="team")


def test_the_most_confident_faces_of_as_many_images_as_possible(tmp_path: Path, astronaut: np.ndarray) -> None:
    for name in "abc":
        write_image(astronaut, tmp_path / f"{name}.jpg")
    rows = [
        row(f"{tmp_path}/{name}.jpg", "fear", confidence=confidence, face=face)
        for name, face, confidence in (("a", 0, 0.8), ("b", 0, 0.95), ("b", 1, 0.9), ("c", 0, 0.85))
    ]
    shown = mien.report(arrow(rows), faces=3, most_confident=True)
    assert [one.confidence for one in shown.gallery.expressions["fear"]] == [0.95, 0.85, 0.8]
    assert "the most confident, with" in shown.to_html()


def test_two_tables_agree_on_faces_that_overlap() -> None:
    rows = album(happy={"a": 0.5}, images=20)
    others = [
        row(one["source"], "neutral", left=10.0 + 500 * (i < 5), right=90.0 + 500 * (i < 5))
        for i, one in enumerate(rows)
    ]
    result = agreement(read_faces(arrow(rows)), read_faces(arrow(others)))
    assert result is not None
    assert result.faces == 15
    assert result.same == sum(one["expression"] == "neutral" for one in rows[5:])
    assert agreement(read_faces(arrow(rows)), read_faces(arrow(album(happy={"z": 1})))) is None


def test_the_command_writes_a_page_of_one_table_or_two(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, rows in {"a.csv": conversation(20.0), "b.csv": track(["neutral"] * 50)}.items():
        write_table(rows, FERPLUS, tmp_path / name)
    assert run(["report", str(tmp_path / "a.csv"), str(tmp_path / "b.csv"), "--title", "A & B"]) == 0
    text = (tmp_path / "a.csv.html").read_text()
    assert "<h1>A &amp; B</h1>" in text
    assert "Compared with b.csv" in text
    assert run(["report", str(tmp_path / "a.csv"), "-o", str(tmp_path / "no/p.html")]) == 1


def test_a_table_without_any_face_has_a_report() -> None:
    page = Page(mien.report(arrow([row("a.jpg", None), row("b.jpg", None, error="broken")])).to_html())
    assert page.open == []
    assert "No face in the images was counted." in page.text
    assert "b.jpgbroken" in page.text.replace("\n", "")


def test_faces_without_an_expression_and_hostile_names_have_a_report() -> None:
    unknown = [one | {"expression": None} for one in track(["neutral"] * 5)]
    Page(mien.report(arrow(unknown)).to_html())
    text = mien.report(arrow(track(["neutral"] * 20, source="<script>x</script>\n$1$.mp4"))).to_html()
    assert "<script" not in text


def test_groups_are_named_below_their_common_folder() -> None:
    text = mien.report(arrow(album(happy={"study/2026/a": 0.2, "study/2026/b": 0.8}))).to_html()
    assert "Images by folder, below study/2026/." in text
    assert "a minus b, in points" in text
    apart = mien.report(arrow(album(happy={"a": 0.2, "/b": 0.8}))).to_html()
    assert "a minus /b" in apart or "/b minus a" in apart


def test_groups_tell_how_much_of_each_is_left_out() -> None:
    """Of the one half is uncertain and a quarter flagged, of the other nothing."""
    rows = [row(f"a/{i}.jpg", confidence=0.5 if i < 4 else 0.9) for i in range(8)]
    rows[6:] = [one | {"flags": "dark", "certain": False} for one in rows[6:]]
    video = [one | {"group": "v"} for one in track(["fear"] * 10, confidence=0.5)]
    (part,) = mien.report(arrow([*rows, *(row(f"b/{i}.jpg") for i in range(8))])).parts
    assert [(unit.uncertain_share, unit.flagged_share) for unit in part.groups] == [(0.5, 0.25), (0.0, 0.0)]
    assert mien.summarize(arrow(video)).videos[0].uncertain_share == pytest.approx(1.0)
    assert "<td>50.0%</td><td>25.0%</td>" in mien.report(arrow([*rows, row("b/0.jpg")])).to_html()


def test_groups_without_a_counted_face_are_named() -> None:
    uncertain = [one | {"certain": False} for one in album(happy={"c": 0.5}, images=3)]
    page = mien.report(arrow([*album(happy={"a": 0.8, "b": 0.2}), *uncertain])).to_html()
    assert "No face was counted in c." in page


def test_tables_of_one_name_are_told_apart(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        write_table(album(happy={folder: 0.5}), FERPLUS, tmp_path / folder / "t.csv")
    result = mien.report(tmp_path / "one/t.csv", tmp_path / "two/t.csv", faces=0)
    assert result.comparison is not None
    (difference,) = result.comparison.differences
    assert (difference.first, difference.second) == ("t.csv", str(tmp_path / "two/t.csv"))
