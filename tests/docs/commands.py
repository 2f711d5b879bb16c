"""The commands that documents and docstrings show."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType

ROOT = Path(__file__).parents[2]
FOLDERS = ("docs", "examples", "research")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(page for top in FOLDERS for page in (ROOT / top).rglob("*.md"))])
SCRIPTS = sorted([*(ROOT / "src/mien/recipes").rglob("*.py"), *(ROOT / "research").rglob("*.py")])


@dataclass(frozen=True)
class Command:
    """One `mien ...` of a document, without the comment behind it."""

    where: str  # "README.md:12"
    words: tuple[str, ...]  # what follows `mien`

    def __str__(self) -> str:
        return f"{self.where}: mien {shlex.join(self.words)}"


def in_blocks(path: Path) -> Iterator[Command]:
    """Commands on lines of their own: in the code blocks of a page, or in the docstring of a module."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        lines = list(enumerate((ast.get_docstring(ast.parse(text)) or "").splitlines(), 1))
        lines = [(number, line) for number, line in lines if line.startswith("    ")]
    else:
        lines = list(_fenced(text))
    yield from _commands(path, lines)


def in_sentences(path: Path) -> Iterator[Command]:
    """Commands between backquotes in running text; they may leave out what a command needs."""
    text = re.sub(
        r"^```.*?^```", lambda block: "\n" * block[0].count("\n"), path.read_text("utf-8"), flags=re.M | re.S
    )
    for found in re.finditer(r"`mien ([a-z][^`]*)`", text):
        words = shlex.split(found[1].replace("\n", " "), comments=True)
        yield Command(_where(path, text.count("\n", 0, found.start()) + 1), tuple(words))


@dataclass(frozen=True)
class Code:
    """A block of Python of a page."""

    page: Path
    line: int  # of its first line
    text: str

    def __str__(self) -> str:
        return _where(self.page, self.line)

    def compiled(self) -> CodeType:
        """Its code, whose tracebacks name page and line."""
        return compile("\n" * (self.line - 1) + self.text, str(self.page), "exec")


def python_blocks(path: Path) -> Iterator[Code]:
    """The blocks of a page that are marked as Python."""
    text = path.read_text(encoding="utf-8")
    for block in re.finditer(r"(?ms)^```python\n(.*?)^```", text):
        yield Code(path, text.count("\n", 0, block.start(1)) + 1, block[1])


def runnable(path: Path) -> list[Command | Code]:
    """The commands and the Python of a page, in the order in which they stand there."""
    code = list(python_blocks(path))
    inside = {line for block in code for line in range(block.line, block.line + block.text.count("\n"))}
    commands = [command for command in in_blocks(path) if _line(command) not in inside]
    return sorted([*commands, *code], key=_line)


def _line(one: Command | Code) -> int:
    return one.line if isinstance(one, Code) else int(one.where.rpartition(":")[2])


def _fenced(text: str) -> Iterator[tuple[int, str]]:
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            inside = not inside
        elif inside:
            yield number, line


def _commands(path: Path, lines: list[tuple[int, str]]) -> Iterator[Command]:
    begun, start = "", 0
    for number, line in lines:
        begun, start = (f"{begun} {line.strip()}", start) if begun else (line.strip(), number)
        if begun.endswith("\\"):
            begun = begun[:-1].rstrip()
            continue
        found = re.match(r"\$? ?mien (.*)", begun)
        if found:
            words = shlex.split(re.sub(r"\$(fold|seed)", "0", found[1]), comments=True)  # in a loop of the shell
            yield Command(_where(path, start), tuple(words))
        begun = ""


def _where(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT)}:{line}"
