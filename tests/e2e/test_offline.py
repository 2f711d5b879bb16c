"""Offline means offline: no command opens a connection, or writes anywhere but into its outputs.

Traced with strace where the system allows it; else with sockets that refuse, which misses what libraries do in
machine code.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.conftest import EXAMPLES

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
PREDICT = f"""
import time
import mien
import mien.__main__
recognizer = mien.load(threads=1)
recognizer.predict_many([{PHOTO!r}], output="faces.parquet", save="marked")
time.sleep({WAIT_S})
recognizer.predict({PHOTO!r})
"""
PLOTS = """
from mien.draw.matplotlib_cache import leave_home_alone
leave_home_alone()
from matplotlib.figure import Figure
figure = Figure()
figure.add_subplot().set_title("fonts")
figure.savefig("plot.png")
"""
TRAIN = """
import torch
from lightning_fabric import Fabric
import mien
import mien.training.session
network = mien.build("phanet", config_name="small")
fabric = Fabric(accelerator="cpu", devices=1)
network, optimizer = fabric.setup(network, torch.optim.SGD(network.parameters(), lr=0.1))
"""
RUNS = {
    "predict": (PREDICT, ()),
    "plots": (PLOTS, ("matplotlib",)),
    "train": (TRAIN, ("torch", "lightning_fabric")),
}
INTERNET = re.compile(r"(?:connect|sendto|sendmsg)\(.*AF_INET")


def can_trace() -> bool:
    if shutil.which("strace") is None:
        return False
    return subprocess.run(["strace", "-f", "-o", os.devnull, "true"], capture_output=True).returncode == 0


@dataclass(frozen=True)
class Started:
    """A process with a home and a folder of its own; no trace where the system allows none."""

    process: subprocess.Popen[str]
    home: Path
    trace: Path | None


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Started]]:
    """All runs at once: the longest of them mostly waits."""
    traced = can_trace()
    runs = {
        name: start(code, tmp_path_factory.mktemp(name), traced=traced)
        for name, (code, packages) in RUNS.items()
        if all(map(find_spec, packages))
    }
    yield runs
    for one in runs.values():
        with one.process as process:
            process.kill()


def start(code: str, folder: Path, *, traced: bool) -> Started:
    home, out, trace = (folder / name for name in ("home", "out", "trace.txt"))
    home.mkdir()
    out.mkdir()
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("XDG_", "MPL", "ORT_"))}
    environment = kept | {"HOME": str(home), "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    command = [sys.executable, "-c", code if traced else REFUSE + code]
    if traced:
        command = ["strace", "-f", "-qq", "-e", "trace=%network", "-o", str(trace), *command]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    process = subprocess.Popen(command, cwd=out, env=environment, text=True, **pipes)
    return Started(process, home, trace if traced else None)


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_nothing_goes_online_and_the_home_folder_stays_empty(started: dict[str, Started], name: str) -> None:
    if name not in started:
        pytest.skip(f"needs {' and '.join(RUNS[name][1])}")
    one = started[name]
    said, _ = one.process.communicate()
    assert one.process.returncode == 0, said
    if one.trace:
        calls = one.trace.read_text(errors="replace").splitlines()
        assert [call for call in calls if INTERNET.search(call)] == []
    assert sorted(str(path.relative_to(one.home)) for path in one.home.rglob("*")) == []
