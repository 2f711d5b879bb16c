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


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("how", ["traced", "refused"])
def test_nothing_goes_online_and_the_home_folder_stays_empty(how: str, name: str, tmp_path: Path) -> None:
    code, packages = RUNS[name]
    for package in packages:
        pytest.importorskip(package)
    home, out = tmp_path / "home", tmp_path / "out"
    home.mkdir()
    out.mkdir()
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("XDG_", "MPL", "ORT_"))}
    environment = kept | {"HOME": str(home), "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    command, trace = [sys.executable, "-c", code], tmp_path / "trace.txt"
    if how == "traced":
        if not can_trace():
            pytest.skip("no strace here, or it may not trace: apt install strace, or allow ptrace")
        command = ["strace", "-f", "-qq", "-e", "trace=%network", "-o", str(trace), *command]
    else:
        command[-1] = REFUSE + code
    done = subprocess.run(command, cwd=out, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    if how == "traced":
        assert [line for line in trace.read_text(errors="replace").splitlines() if INTERNET.search(line)] == []
    assert sorted(str(path.relative_to(home)) for path in home.rglob("*")) == []
