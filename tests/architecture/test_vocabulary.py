"""The words are the field's: retired ones stay out of names, of text and of documents.

A private language grew here once. Each entry is a word of it and what to write instead; `docs/concepts/glossary.md`
has the words that are used.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mien.training.optim.losses import Loss
from mien.training.recipe import Optimizer, Recipe

ROOT = Path(__file__).parents[2]
CODE = [path for top in ("src", "research", "benchmarks", "tools", "tests") for path in (ROOT / top).rglob("*.py")]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").glob("*.md")]
MANIFESTS = [*(ROOT / "src").rglob("*.json"), *(ROOT / "research").rglob("*.json")]
THIS = Path(__file__)

EVERYWHERE = {  # in names, comments, docstrings, errors and documents alike
    r"kept apart": "held out",
    r"pictures?": "image",
    r"trunks?": "backbone",
    r"mean recall": "balanced accuracy",
    r"spoil(s|t|ed|ers?|ing)?": "corrupt, corruption",
    r"made worse": "corrupted",
    r"worse images": "corrupted images",
    r"faces5": "yunet-slim",
    r"hardier": "fallback, robust",
    r"(second|another) looks?": "fallback, padded retry, detection pass",
    r"mirror(s|ed|ing)?|mirror image": "horizontal flip",
    r"flip average": "test-time augmentation",
    r"fidget": "jitter",
    r"casting": "IdentitySampler",
    r"studios?": "Renderer",
    r"coats?": "Renderer",
    r"mosaics?": "composite (a mosaic is another thing since YOLOv4)",
    r"surest": "most confident",
    r"judg(e|es|ed|ing|ement)": "evaluate",
    r"abstain": "confidence threshold",
    r"weights? records?": "weights manifest",
    r"legs?": "training stage",
    r"the weights before": "previous release",
    r"without repeats": "deduplicated",
    r"watchers?": "progress callback",
    r"drawn together": "resampled as a cluster",
    r"the house": "architecture",
    r"what learns, chooses and tests": "training, validation and test set",
}
NAMES = {  # ordinary words that say nothing of the thing they name; in text they are English
    "found": "the noun of the thing: detections, rows, matches",
    "said": "the noun of the thing: stated, text, lines",
    "say": "print, warn, report",
    "told": "the noun of the thing",
    "figures": "metrics",
    "look": "detection pass, Identity",
    "looks": "detection passes",
    "watch": "progress, hooks",
    "place": "path, position, FaceRegion",
    "places": "positions, rows",
    "answer": "prediction, output",
    "answers": "predictions, outputs",
    "asked": "query",
    "asking": "query",
    "whole": "atomic, complete, total",
    "survey": "scan",
    "turned": "off_axis, yaw_bin",
    "suppress": "nms",
    "learn": "train",
}
PAGE_WORDS = {  # in documents
    r"answers?": "prediction",
    r"rendered views": "rendered faces",
    r"--(crops|flip)": "--no-detect, --tta",
    r"--(under|also|fresh)": "--corruptions, --extra-data, --overwrite",
    r"(?<!store )\brecords?": "manifest, DatasetInfo, store header",
}
FIELDS = {  # of a recipe
    Recipe: {"part", "form", "changes", "votes", "best", "average", "published", "held_out", "start"},
    Optimizer: {"rate", "decay", "shares", "clip", "curve"},
    Loss: {"plain", "smoothed"},
}
KEYS = {"mirror", "abstain", "claimed", "record"}  # of manifests
ALLOWED: dict[tuple[str, str], str] = {  # (file or folder, word) -> why
}


def allowed(path: Path, word: str) -> bool:
    """Whether an exception names this word for this file, or for a folder above it."""
    name = path.relative_to(ROOT).as_posix()
    return path == THIS or any(name.startswith(top) and word.lower() == one for top, one in ALLOWED)


def retired(text: str, words: dict[str, str], path: Path) -> Iterator[str]:
    """One line for each retired word in a text."""
    text = re.sub(r"https?://\S+", "", text)  # the addresses of others are theirs
    for pattern, instead in words.items():
        for found in re.finditer(rf"(?i)(?<![\w-]){pattern}(?!\w)", text):
            if not allowed(path, found[0]):
                line = text.count("\n", 0, found.start()) + 1
                yield f"{path.relative_to(ROOT)}:{line}: {found[0]!r}; write {instead}"


def words_of(identifier: str) -> list[str]:
    """The lower-case words of a name in snake_case or CamelCase."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", identifier)]


def names_in(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, name) of everything that a file names: functions, classes, parameters, fields and variables."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id if isinstance(node, ast.Name) else node.attr


def test_text_uses_the_words_of_the_field() -> None:
    wrong = [line for path in [*CODE, *PAGES] for line in retired(path.read_text("utf-8"), EVERYWHERE, path)]
    assert not wrong, "\n".join(wrong)


def test_pages_use_the_words_of_the_field() -> None:
    wrong = [line for path in PAGES for line in retired(path.read_text("utf-8"), PAGE_WORDS, path)]
    assert not wrong, "\n".join(wrong)


def test_names_use_the_words_of_the_field() -> None:
    wrong = []
    for path in CODE:
        in_tests = path.is_relative_to(ROOT / "tests")
        for line, name in names_in(ast.parse(path.read_text(encoding="utf-8"))):
            words = words_of(name)
            lines = list(retired(" ".join(words), EVERYWHERE, path))
            if not in_tests:
                lines += [word for word in words if word in NAMES and not allowed(path, name)]
            if lines:
                wrong.append(f"{path.relative_to(ROOT)}:{line}: the name {name!r}")
    assert not wrong, "\n".join(sorted(set(wrong)))


def test_files_are_named_in_the_words_of_the_field() -> None:
    tops = ("src", "research", "benchmarks", "tools", "tests", "docs", "scripts", "examples")
    paths = [path for top in tops for path in (ROOT / top).rglob("*") if "__pycache__" not in path.parts]
    named = [(path, " ".join(words_of(path.stem))) for path in paths]
    wrong = [line for path, words in named for line in retired(words, EVERYWHERE, path)]
    wrong += [
        str(path) for path, words in named if {"package", *NAMES} & set(words.split()) and not allowed(path, "")
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("kind", FIELDS, ids=lambda kind: kind.__name__)
def test_fields_of_recipes_use_the_words_of_the_field(kind: type) -> None:
    assert not FIELDS[kind] & set(kind.__annotations__)


def test_keys_of_manifests_use_the_words_of_the_field() -> None:
    def keys(value: object) -> Iterator[str]:
        for key, inner in value.items() if isinstance(value, dict) else ():
            yield key
            yield from keys(inner)

    for path in MANIFESTS:
        wrong = [key for key in keys(json.loads(path.read_text("utf-8"))) if key in KEYS]
        assert not wrong, f"{path.relative_to(ROOT)}: {', '.join(wrong)}"
