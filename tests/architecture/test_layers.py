"""Imports point down only, and importing is cheap."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import mien
from tests.conftest import EXAMPLES

PACKAGE = Path(mien.__file__).parent
LAYERS = [  # lowest first; a layer sees only what stands before it
    {
        "arguments",
        "cores",
        "errors",
        "labels",
        "geometry",
        "results",
        "preprocess",
        "plugins",
        "schema",
        "_version",
        "wording",
    },
    {"nn", "media"},
    {"models", "faces", "datasets", "metrics", "augment", "tracking"},
    {"weights", "draw", "synthetic"},
    {"pages"},
    {"pipeline"},
    {"prepared", "analysis", "distributed", "explanation"},
    {"evaluation"},
    {"training"},
    {"recipes", "service"},
    {"cli"},
]
LEVEL = {part: level for level, parts in enumerate(LAYERS) for part in parts}
FRONT_DOOR = {"__init__", "__main__"}


def imports_of(file: Path) -> list[tuple[int, str]]:
    """(line, module) for every import of this package, wherever it stands in the file."""
    found = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            found += [(node.lineno, f"{node.module}.{alias.name}") for alias in node.names]
        elif isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
    return [(line, name) for line, name in found if name.split(".")[0] == "mien"]


def test_every_part_has_a_layer() -> None:
    parts = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert parts - FRONT_DOOR <= set(LEVEL)


def test_imports_point_down() -> None:
    upward = []
    for file in sorted(PACKAGE.rglob("*.py")):
        here = file.relative_to(PACKAGE).with_suffix("").parts[0]
        if here in FRONT_DOOR:
            continue
        for line, name in imports_of(file):
            there = name.split(".")[1]
            same_level = LEVEL.get(there) == LEVEL[here]
            if there == here or (same_level and LEVEL[here] == 0):
                continue
            if there not in LEVEL or LEVEL[there] >= LEVEL[here]:
                upward.append(f"{file.relative_to(PACKAGE)}:{line} {here} -> {there}")
    assert not upward, "\n".join(upward)


def test_public_names_exist_and_are_all() -> None:
    assert mien.__all__ == sorted(mien.__all__)
    for name in mien.__all__:
        assert getattr(mien, name).__module__.startswith("mien.")


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.asname for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert seen == set(mien.__all__)


def loaded_after(statement: str) -> set[str]:
    """Top-level modules that a fresh interpreter has loaded after one statement."""
    code = f"{statement}; import sys; print(*sys.modules)"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    return {name.split(".")[0] for name in output.split()}


def test_import_loads_nothing_heavy() -> None:
    heavy = {"numpy", "torch", "PIL", "onnxruntime", "pyarrow", "typer", "rich", "fastapi", "uvicorn", "sqlalchemy"}
    assert not loaded_after("import mien") & heavy


def test_help_loads_no_network_library() -> None:
    assert not loaded_after("import mien.cli.app") & {"numpy", "torch", "PIL", "onnxruntime", "pyarrow", "fastapi"}


def test_prediction_needs_no_torch() -> None:
    assert "torch" not in loaded_after("import mien; mien.load(threads=1)")


def test_a_photo_waits_for_no_table_library() -> None:
    prediction = f"import mien; mien.load(threads=1).predict({str(EXAMPLES / 'astronaut.jpg')!r})"
    assert not loaded_after(prediction) & {"pyarrow", "av", "scipy", "typer", "rich"}


def test_every_module_that_prediction_uses_imports_without_torch() -> None:
    for name in ("mien.cli.app", "mien.cli.predict", "mien.cli.weights", "mien.draw.faces", "mien.models"):
        import_module(name)
        assert "torch" not in loaded_after(f"import {name}")
