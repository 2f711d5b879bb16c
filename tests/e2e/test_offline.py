"""Offline means offline: no command opens a connection, or writes anywhere but into its outputs.

Traced with strace where the system allows it; else with sockets that refuse, which misses what libraries do in
machine code, and files.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.conftest import EXAMPLES
from tests.e2e.faces import write_crop

PHOTO = str(EXAMPLES / "astronaut.jpg")
ROOT = Path(__file__).parents[2]
WAIT_S = 12  # ONNX Runtime's telemetry would look up its host after about ten seconds
REFUSE = """
import socket, sys
def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto") and not (
        event == "socket.connect" and isinstance(arguments[1], str)
    ):
        raise SystemExit(f"OFFLINE: {event} {arguments[1:]}")
sys.addaudithook(refuse)
"""
MAIN = "import sys; from mien.cli import main; sys.exit(main())"
PREDICT = f"""
import time
import mien
import mien.__main__
recognizer = mien.load(threads=1)
recognizer.predict_many([{PHOTO!r}], output="faces.parquet", save="marked")
time.sleep({WAIT_S})
recognizer.predict({PHOTO!r})
"""
RECIPE = """
from mien.training.recipe import Recipe

RECIPE = Recipe(
    name="tiny", network="phanet", config_name="small", model_kwargs={"size_px": 32, "poses": 0}, data="folder",
    size_px=32, epochs=1, batch=4, validation_fraction=0.3,
)
"""
COMMANDS = {  # name: its words, its outputs, the packages it needs
    "predict": (f"predict {PHOTO} -o t.csv --save marked", ["marked", "t.csv", "t.csv.settings"], []),
    "summary": ("summary {made}/t.parquet -o s.csv", ["s.csv"], []),
    "explain": (f"explain {PHOTO} --sheet e.png", ["e.png"], []),
    "doctor": ("doctor", [], []),
    "data check": ("data check folder {made}/faces", [], []),
    "data prepare": ("data prepare folder {made}/faces --out new --workers 1", ["new"], []),
    "plot": ("plot {made}/t.parquet -o p.png", ["p.png"], ["matplotlib"]),
    "report": ("report {made}/t.parquet -o r.html", ["r.html"], ["jinja2"]),
    "evaluate": (
        "evaluate folder --data {made}/faces --html e.html --json e.json",
        ["e.html", "e.json"],
        ["sklearn", "matplotlib"],
    ),
    "train": (
        "train {made}/tiny.py --data {made}/prepared --out run2 --accelerator cpu", ["run2"],
        ["torch", "lightning_fabric"],
    ),
    "export": (
        "export {made}/run/weights --to torch-export --out x.pt2",
        ["x.json", "x.pt2", "x.validation.json"],
        ["torch"],
    ),
}  # fmt: skip
INTERNET = re.compile(r"(?:connect|sendto|sendmsg)\(.*AF_INET|socket\(AF_INET")
CALLS = "%network,openat,open,creat,mkdir,mkdirat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,truncate"
CALL = re.compile(r" *(\w+)\((.*)\) += (?!-1)")
PATH = re.compile(r'(?:(?:AT_FDCWD|\d+)<([^>]*)>, )?"([^"]*)"')
HARMLESS = re.compile(r"/dev/(null|tty|shm/.*)|/proc/.*")


@cache
def can_trace() -> bool:
    if shutil.which("strace") is None:
        return False
    return subprocess.run(["strace", "-f", "-o", os.devnull, "true"], capture_output=True).returncode == 0


def run(
    code: str, words: Sequence[str], out: Path, *, home: Path, refuse: bool = False, trace: Path | None = None
) -> None:
    """Run Python in the folder `out` with an empty home folder and its own temporary one, both beside it."""
    temporary = home.with_name("tmp")
    for folder in (home, temporary, out):
        folder.mkdir(exist_ok=True)
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("XDG_", "MPL", "ORT_"))}
    environment = kept | {
        "HOME": str(home), "TMPDIR": str(temporary), "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
    }  # fmt: skip
    command = [sys.executable, "-c", REFUSE * refuse + code, *words]
    if trace is not None:
        command = ["strace", "-f", "-y", "-qq", "-s", "4096", "-e", f"trace={CALLS}", "-o", str(trace), *command]
    done = subprocess.run(command, cwd=out, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def writes(lines: Sequence[str], here: Path) -> Iterator[str]:
    """The paths that traced calls of a process in the folder `here` create or change."""
    begun: dict[str, str] = {}
    for line in lines:
        process, _, text = line.partition(" ")
        if text.endswith("<unfinished ...>"):
            begun[process] = text.removesuffix("<unfinished ...>")
            continue
        if "resumed>" in text:
            text = begun.pop(process, "") + text.partition("resumed>")[2]
        if (call := CALL.match(text)) is None:
            continue
        name, arguments = call.groups()
        if name in ("open", "openat") and not re.search("O_(WRONLY|RDWR|CREAT)", arguments):
            continue
        paths = [os.path.normpath(os.path.join(here, folder, path)) for folder, path in PATH.findall(arguments)]
        yield from paths[-1:] if "link" in name else paths


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder set, a table and a recipe; where there is torch, a prepared set and a run."""
    folder = tmp_path_factory.mktemp("made") / "made"
    for i in range(12):
        split = "test" if i > 8 else "train"
        write_crop(folder / f"faces/{split}/{('happy', 'sad', 'neutral')[i % 3]}/{i:03d}.png", seed=i)
    (folder / "tiny.py").write_text(RECIPE)
    commands = ["predict faces --no-detect -o t.parquet", "data prepare folder faces --out prepared --workers 1"]
    if can_train():
        commands.append("train tiny.py --data prepared --out run --accelerator cpu")
    for command in commands:
        run(MAIN, command.split(), folder, home=folder.with_name("home"))
    return folder


def can_train() -> bool:
    return find_spec("torch") is not None and find_spec("lightning_fabric") is not None


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_goes_online_nowhere_and_writes_its_outputs_only(name: str, made: Path, tmp_path: Path) -> None:
    words, outputs, packages = COMMANDS[name]
    for package in packages:
        pytest.importorskip(package)
    home, out, trace = tmp_path / "home", tmp_path / "out", tmp_path / "trace.txt"
    arguments = [word.format(made=made) for word in words.split()]
    run(MAIN, arguments, out, home=home, refuse=not can_trace(), trace=trace if can_trace() else None)
    assert sorted(path.name for path in out.iterdir()) == sorted(outputs)
    assert list(home.iterdir()) == []
    assert [path for path in (tmp_path / "tmp").rglob("*") if path.is_file()] == []  # torch leaves an empty folder
    if can_trace():
        lines = trace.read_text(errors="replace").splitlines()
        assert [line for line in lines if INTERNET.search(line)] == []
        ours = (str(out), str(tmp_path / "tmp"))
        outside = {
            path for path in writes(lines, out) if not path.startswith(ours) and not HARMLESS.fullmatch(path)
        }
        assert outside == set()
        assert len(list(writes(lines, out))) >= len(outputs)


@pytest.mark.slow
def test_nothing_goes_online_after_a_while_either(tmp_path: Path) -> None:
    trace = tmp_path / "trace.txt"
    run(
        PREDICT,
        [],
        tmp_path / "out",
        home=tmp_path / "home",
        refuse=not can_trace(),
        trace=trace if can_trace() else None,
    )
    assert list((tmp_path / "home").iterdir()) == []
    if can_trace():
        assert [line for line in trace.read_text(errors="replace").splitlines() if INTERNET.search(line)] == []
