"""The Python of the documents: it compiles, what it imports and calls is there, type checkers accept the README."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import mien
from tests.docs.commands import DOCUMENTS, ROOT, Code, python_blocks

OURS = ("mien", "research")
BLOCKS = [
    block
    for page in DOCUMENTS
    for block in python_blocks(page)
    if page.name != "python.md"  # signatures: made from the product itself
]


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_a_block_of_python_names_what_there_is(block: Code) -> None:
    pytest.importorskip("torch")
    block.compiled()
    for node in ast.walk(ast.parse(block.text)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                assert not _ours(alias.name) or importlib.import_module(alias.name)
        elif isinstance(node, ast.ImportFrom) and _ours(node.module or ""):
            module = importlib.import_module(node.module or "")
            for alias in node.names:
                assert hasattr(module, alias.name), f"{block}: {node.module} has no {alias.name}"
        elif isinstance(node, ast.Attribute) and _dotted(node).startswith("mien."):
            assert _resolve(_dotted(node)) is not None, f"{block}: there is no {_dotted(node)}"
        elif isinstance(node, ast.Call) and _dotted(node.func).startswith("mien."):
            _check_call(node, _resolve(_dotted(node.func)), block)


def _check_call(call: ast.Call, function: Any, block: Code) -> None:
    """The arguments fit the signature, whatever their values."""
    if any(isinstance(one, ast.Starred) for one in call.args) or any(one.arg is None for one in call.keywords):
        return
    try:
        inspect.signature(function).bind(*call.args, **{str(one.arg): one.value for one in call.keywords})
    except TypeError as error:
        pytest.fail(f"{block}: {ast.unparse(call)}: {error}")


def _ours(module: str) -> bool:
    return module.split(".")[0] in OURS


def _dotted(node: ast.expr) -> str:
    """ "mien.metrics.bootstrap" of such an expression, "" of any other."""
    if isinstance(node, ast.Name):
        return node.id
    inner = _dotted(node.value) if isinstance(node, ast.Attribute) else ""
    return f"{inner}.{node.attr}" if inner and isinstance(node, ast.Attribute) else ""


def _resolve(dotted: str) -> Any:
    value: Any = mien
    for i, name in enumerate(dotted.split(".")[1:], 2):
        if not hasattr(value, name) and inspect.ismodule(value):
            importlib.import_module(".".join(dotted.split(".")[:i]))
        value = getattr(value, name, None)
    return value


@pytest.mark.slow
def test_mypy_accepts_the_readme(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    blocks = re.findall(r"(?ms)^```python\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert blocks
    for i, block in enumerate(blocks):
        (tmp_path / f"block{i}.py").write_text(block, encoding="utf-8")
    mypy = [sys.executable, "-m", "mypy", "--strict", "--config-file", str(ROOT / "pyproject.toml")]
    done = subprocess.run([*mypy, str(tmp_path)], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
