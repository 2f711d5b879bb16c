"""A recognizer in threads, in forked and spawned processes, copied and pickled: one answer, and nothing hangs."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

import mien
from mien.weights.manifest import load_manifest, write_manifest
from tests.conftest import EXAMPLES
from tests.waiting import PATIENCE_S

PHOTO = str(EXAMPLES / "astronaut.jpg")
FORK = """
import os, sys
import mien
recognizer = mien.load(sys.argv[1], threads=2)
before = recognizer.predict(sys.argv[2])
children = []
for idle in (False, True):  # the idle one ends without a prediction
    child = os.fork()
    if child == 0:
        faces = before if idle else recognizer.predict(sys.argv[2])
        sys.exit(abs(faces[0].expression.confidence - before[0].expression.confidence) > 1e-6)
    children.append(child)
print([os.waitpid(child, 0)[1] for child in children])
"""


def confidences(recognizer: mien.Recognizer) -> list[float]:
    return [face.expression.confidence for face in recognizer.predict(PHOTO) if face.expression]


@pytest.fixture(params=["onnx", "torch"])
def weights(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The weights of the package, and the same for torch alone."""
    if request.param == "onnx":
        return "default"
    pytest.importorskip("torch")
    manifest = load_manifest("default")
    name = next(name for name in manifest.files if name.endswith(".safetensors"))
    (tmp_path / name).symlink_to(manifest.folder / name)
    alone = replace(manifest, files={name: manifest.files[name]}, folder=tmp_path, filename="manifest.json")
    write_manifest(alone)
    return str(tmp_path)


def test_forked_processes_predict_and_end(weights: str) -> None:
    command = [sys.executable, "-c", FORK, weights, PHOTO]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.stdout == "[0, 0]\n", done.stderr


def test_pickles_copies_threads_and_spawned_processes_give_one_answer(weights: str) -> None:
    recognizer = mien.load(weights, threads=1, priors="balanced", labels="raf-db")
    expected = pytest.approx(confidences(recognizer))
    for other in (pickle.loads(pickle.dumps(recognizer)), copy.deepcopy(recognizer)):
        assert other.describe() == recognizer.describe()
        assert confidences(other) == expected
    with ThreadPoolExecutor(4) as threads:
        assert all(values == expected for values in threads.map(confidences, [recognizer] * 8))
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as processes:
        assert processes.submit(confidences, recognizer).result(timeout=PATIENCE_S) == expected
