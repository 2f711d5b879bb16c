"""Write the generated pages of docs/reference from the product itself.

    python tools/reference.py

cli.md: every command with its options. python.md: every public name. recipe-fields.md: every field of a recipe.
openapi.json: the service.
recipes.md: the table of recipes between the lines START and END; the text around it is written by hand.
"""

from __future__ import annotations

import ast
import inspect
import io
import json
import re
import textwrap
import tokenize
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

import mien
from mien import errors
from mien.cli.app import app
from mien.service.app import create_app
from mien.service.settings import ServiceSettings
from mien.training import recipe
from mien.training.optim import losses, sam, schedule
from mien.training.recipe_source import read_recipe, shipped_recipes

FOLDER = Path(__file__).parents[1] / "docs/reference"
NOTE = "<!-- Made by tools/reference.py; edit the {source} instead. -->\n"
START, END = "<!-- made by tools/reference.py -->\n", "<!-- end -->\n"
WIDTH = 116


def main() -> None:
    for name, text in fresh().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


def fresh() -> dict[str, str]:
    """File name -> what it must hold now."""
    return {
        "cli.md": command_page(),
        "openapi.json": openapi_file(),
        "python.md": python_page(),
        "recipe-fields.md": field_page(),
        "recipes.md": recipe_page(),
    }


# --- the command line ------------------------------------------------------------------------------------------


def command_page() -> str:
    """Every command with its arguments and options."""
    lines = ["# Command line", "", NOTE.format(source="help texts in src/mien/cli"), ""]
    lines += ["Exit codes: 0 done, 1 some or all failed, 2 wrong usage. `mien COMMAND --help` says the same."]
    for name, command in commands(typer.main.get_command(app), "mien"):
        lines += ["", f"## `{name}`", "", paragraph(command.help or "")]
        rows = [_parameter_row(parameter, command) for parameter in command.params if parameter.name != "help"]
        if rows:
            lines += ["", "| argument or option | value | default | |", "|---|---|---|---|", *rows]
    return "\n".join(lines).replace("\n\n\n", "\n\n") + "\n"


def commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    """(full name, command) of every command that does something."""
    inner = getattr(command, "commands", {})
    if not inner or getattr(command, "invoke_without_command", False):
        yield name, command
    for key, one in inner.items():
        yield from commands(one, f"{name} {key}")


def _parameter_row(parameter: Any, command: Any) -> str:
    function = inspect.unwrap(command.callback)
    kind = typing.get_type_hints(function)[parameter.name]
    default = inspect.signature(function).parameters[parameter.name].default
    is_option = parameter.opts[0].startswith("-")
    if is_option:
        spellings = [*parameter.opts, *parameter.secondary_opts]
        name = " ".join(f"`{one}`" for one in spellings)
    else:
        name = f"`{parameter.name.upper()}`"
    value = "" if kind is bool or kind == bool | None else _kind(kind)
    if default is inspect.Parameter.empty:
        shown = "required"
    else:
        shown = "" if default in (None, False, "") or kind is bool else f"`{default}`"
    return _row(name, value, shown, parameter.help or "")


def _kind(kind: Any) -> str:
    """A type as a reader of the command line knows it."""
    parts = typing.get_args(kind)
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return " or ".join(_kind(one) for one in parts if one is not type(None))
    if typing.get_origin(kind) in (list, tuple):
        return f"{_kind(parts[0])}, repeatable"
    if typing.get_origin(kind) is typing.Literal:
        return " ".join(map(str, parts))
    return {"str": "text", "Path": "path", "int": "integer", "float": "number"}.get(kind.__name__, kind.__name__)


# --- the service -----------------------------------------------------------------------------------------------


def openapi_file() -> str:
    """The OpenAPI document of `mien serve`."""
    return json.dumps(create_app(ServiceSettings()).openapi(), indent=1) + "\n"


# --- Python ----------------------------------------------------------------------------------------------------


def python_page() -> str:
    """Every public name of `mien` with its signature and docstring."""
    public = {name: getattr(mien, name) for name in mien.__all__}
    groups = {
        "Functions": [name for name, one in public.items() if inspect.isfunction(one)],
        "Classes": [name for name, one in public.items() if inspect.isclass(one) and not _is_error(one)],
        "Errors": [name for name, one in public.items() if _is_error(one)],
    }
    assert sum(map(len, groups.values())) == len(public), "a public name is neither a function nor a class"
    lines = [
        "# Python",
        "",
        NOTE.format(source="docstrings"),
        "",
        "Everything here is in `mien`: `import mien`.",
        "",
    ]
    for title, names in groups.items():
        lines += [f"## {title}", ""]
        if title == "Errors":
            lines += ["```", (inspect.getdoc(errors) or "").partition("\n\n")[2], "```", ""]
        for name in names:
            lines += _python_entry(name, public[name])
    return "\n".join(lines).rstrip().replace("\n\n\n", "\n\n") + "\n"


def _python_entry(name: str, one: Any) -> list[str]:
    lines = [f"### `{name}`", ""]
    if _is_error(one):
        lines += [f"Subclass of `{one.__bases__[0].__name__}`.", ""]
    else:
        lines += ["```python", _signature(name, one), "```", ""]
    lines += [_docstring(one), ""]
    if inspect.isclass(one):
        methods = [key for key, value in vars(one).items() if not key.startswith("_") and _is_method(value)]
        for method in methods:
            lines += _method(vars(one)[method], method)
    return lines


def _is_error(one: Any) -> bool:
    return inspect.isclass(one) and issubclass(one, BaseException)


def _is_method(value: Any) -> bool:
    return inspect.isfunction(value) or isinstance(value, property | classmethod | staticmethod)


def _method(value: Any, name: str) -> list[str]:
    if isinstance(value, property):
        return [_item(f"`.{name}`", value.fget), ""]
    function = value.__func__ if isinstance(value, classmethod | staticmethod) else value
    return [_item(f"`.{name}({_arguments(function)})`", function), ""]


def _arguments(function: Any) -> str:
    """Names and defaults, without types."""
    texts = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name in ("self", "cls"):
            continue
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and "*" not in texts:
            texts.append("*")
        texts.append(_parameter(parameter.replace(annotation=inspect.Parameter.empty)))
    return ", ".join(texts).replace(" = ", "=")


def _item(name: str, one: Any) -> str:
    """A member with the first paragraph of its docstring."""
    text, _, _ = (inspect.getdoc(one) or "").partition("\n\n")
    return paragraph(f"- {name}: {text}", indent="  ")


def _docstring(one: Any) -> str:
    """The docstring as Markdown: an indented block becomes a code block."""
    text = inspect.getdoc(one) or ""
    return "\n\n".join(
        "\n".join(["```", textwrap.dedent(part), "```"]) if part.startswith("    ") else part
        for part in re.split(r"\n\n+", text)
    )


def _signature(name: str, one: Any) -> str:
    """One line, or one line a parameter where it does not fit."""
    try:
        signature = inspect.signature(one)
    except ValueError:  # enumerations of some versions of Python
        return f"class {name}"
    parameters = [one for one in signature.parameters.values() if one.name != "self"]
    if inspect.isclass(one):
        signature = signature.replace(return_annotation=inspect.Signature.empty)
    if inspect.isclass(one) and [p.kind for p in parameters[:1]] == [inspect.Parameter.VAR_POSITIONAL]:
        return f"class {name}"
    if _is_enumeration(one):
        return f"class {name}  # {', '.join(member.value for member in one)}"
    returns = (
        ""
        if signature.return_annotation is inspect.Signature.empty
        else f" -> {_name(signature.return_annotation)}"
    )
    texts, keyword = [], False
    for parameter in parameters:
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and not keyword:
            texts, keyword = [*texts, "*"], True
        texts.append(_parameter(parameter))
    line = f"{name}({', '.join(texts)}){returns}"
    if len(line) <= WIDTH:
        return line
    return "\n".join([f"{name}(", *(f"    {text}," for text in texts), f"){returns}"])


def _is_enumeration(one: Any) -> bool:
    return inspect.isclass(one) and hasattr(one, "__members__")


def _parameter(parameter: inspect.Parameter) -> str:
    stars = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
    text = f"{stars}{parameter.name}"
    if parameter.annotation is not inspect.Parameter.empty:
        text += f": {_name(parameter.annotation)}"
    if parameter.default is not inspect.Parameter.empty:
        default = repr(parameter.default)
        if "<" in default or "(" in default:  # an object; a class of fields has its own page
            default = f"{type(parameter.default).__name__}()" if "(" in default else "..."
        text += f" = {default}"
    return text


def _name(annotation: Any) -> str:
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


# --- recipes ---------------------------------------------------------------------------------------------------


def field_page() -> str:
    """Every field of a recipe, read from the source with the comment at its end."""
    lines = ["# Fields of a recipe", "", NOTE.format(source="comments in src/mien/training")]
    lines += [
        "",
        "A recipe is a Python file that ends in `RECIPE = Recipe(...)`; `--set FIELD=VALUE` changes a field, and",
        "`--set FIELD.FIELD=VALUE` a field of a field. [How to train](../how-to/train.md).",
    ]
    for title, module, prefix in (
        ("Recipe", recipe, ""),
        ("Optimizer", recipe, "optimizer."),
        ("Schedule", schedule, "schedule."),
        ("Loss", losses, "loss."),
        ("SAMConfig", sam, "sam."),
    ):
        lines += ["", f"## `{title}`", "", "| field | type | default | |", "|---|---|---|---|"]
        lines += [_row(f"`{prefix}{name}`", *rest) for name, *rest in _fields(module, title)]
    return "\n".join(lines) + "\n"


def _fields(module: types.ModuleType, name: str) -> Iterator[tuple[str, str, str, str]]:
    """(name, type, default, meaning) of the fields of a class; refuses one without a comment."""
    source = inspect.getsource(module)
    comments = {
        token.start[0]: token.string.lstrip("# ").strip()
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    class_node = next(
        node for node in ast.parse(source).body if isinstance(node, ast.ClassDef) and node.name == name
    )
    for node, after in zip(class_node.body, [*class_node.body[1:], None], strict=True):
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
            continue
        lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
        texts = [comments[line] for line in lines if line in comments]
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            texts.append(str(after.value.value))
        meaning = " ".join(" ".join(texts).split())
        if not meaning:
            raise SystemExit(f"{module.__name__}.{name}.{node.target.id} says nothing; put a comment at its end")
        default = "required" if node.value is None else f"`{_default(node.value)}`"
        yield node.target.id, f"`{ast.unparse(node.annotation)}`", default, meaning


def _default(value: ast.expr) -> str:
    text = ast.unparse(value)
    made = re.fullmatch(r"(?:dataclasses\.|msgspec\.)?field\(default_factory=(\w+)\)", text)
    return {"dict": "{}", "list": "[]"}.get(made[1], f"{made[1]}()") if made else text


def recipe_page() -> str:
    """The page with the table as the recipes are now."""
    before, _, rest = (FOLDER / "recipes.md").read_text(encoding="utf-8").partition(START)
    lines = ["| recipe | paper | paper's accuracy | measured |", "|---|---|---:|---|"]
    for name in shipped_recipes():
        one = read_recipe(name)
        claimed = "-" if one.paper_accuracy is None else f"{100 * one.paper_accuracy:.2f} %"
        lines.append(_row(f"`{name}`", one.paper, claimed, one.measured))
    return before + START + "\n" + "\n".join(lines) + "\n\n" + END + rest.partition(END)[2]


# --- text ------------------------------------------------------------------------------------------------------


def _row(*cells: str) -> str:
    return f"| {' | '.join(' '.join(cell.split()).replace('|', '&#124;') for cell in cells)} |"


def paragraph(text: str, indent: str = "") -> str:
    """Text wrapped at the width of the documents."""
    return textwrap.fill(" ".join(text.split()), WIDTH, subsequent_indent=indent, break_on_hyphens=False)


if __name__ == "__main__":
    main()
