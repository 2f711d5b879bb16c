"""This toolkit beside others that run offline from their packages: time, memory, faces found, accuracy.

    sh benchmarks/peers/install.sh peers/
    python benchmarks/side_by_side.py --peers peers/ --data DIR --out benchmarks/results/NAME.json

Each runs in a process of its own, all on the same core, in turns, on the same decoded images. Time is CPU time of
one image, the median of all rounds after two to warm up. Accuracy is over the seven basic expressions, on images
that show one face each and are given as that face; `human` cannot be told so, looks for the face, and a missed one
counts as wrong. `DIR` holds `sfew.zip` and `wild7.zip`; without `--data` only time, memory and faces found.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from mien.datasets import dataset_info
from mien.labels import RAF_DB, expression_called
from mien.metrics import balanced_accuracy
from output import write_result
from predict import machine, photo

WORKERS = Path(__file__).parent / "peers"
PEERS = ("mien", "human", "face-api", "fer", "facex")
ALONE_PX = 256  # side of an image that is one face
BORDER = 0.25  # of that side, repeated around the face where it is to be detected
IN_NODE = ("human", "face-api")
OWN_DETECTOR = ("human",)


class Worker:
    """One toolkit in its process, which loads it once."""

    def __init__(self, name: str, peers: Path | None, core: int) -> None:
        self.name = name
        python = sys.executable if name == "mien" else f"{peers}/python/bin/python"
        command = [python, str(WORKERS / "worker.py"), name]
        if name in IN_NODE:
            command = ["node", str(WORKERS / "worker.mjs"), name, str(peers)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        )
        os.sched_setaffinity(self._process.pid, {core})
        began = time.perf_counter()
        self._response()
        self.ready_s = time.perf_counter() - began

    def predict(self, images: np.ndarray, *, given: bool) -> dict[str, Any]:
        """The response about images (N, H, W, 3) uint8 RGB; `given`: each is one face."""
        with tempfile.NamedTemporaryFile() as file:
            file.write(np.ascontiguousarray(images).data)
            file.flush()
            request = {"file": file.name, "shape": images.shape, "given": given}
            assert self._process.stdin is not None
            print(json.dumps(request), file=self._process.stdin, flush=True)
            return self._response()

    @property
    def peak_mb(self) -> float:
        """Largest resident size so far."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return round(int(status.split("VmHWM:")[1].split()[0]) / 1024, 1)

    def close(self) -> None:
        self._process.communicate()

    def _response(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} ended with exit code {self._process.wait()}; is it installed?")
        response: dict[str, Any] = json.loads(line)
        return response


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelledImages:
    """Images of one face each."""

    images: np.ndarray  # (N, S, S, 3) uint8 RGB
    truth: np.ndarray  # (N,) index into RAF_DB

    @classmethod
    def of(cls, name: str, archive: Path, split: str, each: int) -> LabelledImages:
        """At most this many images of each class, drawn with seed 0."""
        samples = dataset_info(name).samples(archive).of(split)
        truth = np.array([RAF_DB.index(samples.labels[label]) for label in samples.label.tolist()])
        order = np.random.default_rng(0).permutation(len(truth))
        rows = np.concatenate([order[truth[order] == label][:each] for label in range(len(RAF_DB))])
        images = [
            np.asarray(ImageOps.pad(Image.fromarray(samples.image(row)), (ALONE_PX, ALONE_PX))) for row in rows
        ]
        return cls(images=np.stack(images), truth=truth[rows])


def predicted(faces: list[list[dict[str, Any]]]) -> np.ndarray:
    """(N,) the best of the seven expressions of each image's largest face; -1 where there is none."""
    best = []
    for each in faces:
        largest = max(each, key=lambda f: (f["box"][2] - f["box"][0]) * (f["box"][3] - f["box"][1]), default=None)
        scores = {expression_called(name): score for name, score in (largest or {"scores": {}})["scores"].items()}
        seven = {label: scores[label] for label in scores if label in RAF_DB}
        best.append(RAF_DB.index(max(seven, key=seven.__getitem__)) if seven else -1)
    return np.array(best)


def with_border(images: np.ndarray) -> np.ndarray:
    """Faces with their edges repeated around them, for a detector that wants surroundings."""
    side = round(BORDER * images.shape[1])
    return np.pad(images, ((0, 0), (side, side), (side, side), (0, 0)), mode="edge")


def times(workers: list[Worker], rounds: int) -> dict[str, Any]:
    """CPU milliseconds of photos with one and eight faces, the toolkits in turns, forth and back."""
    result: dict[str, Any] = {}
    for title, image in {"one face": photo(1), "eight faces": photo(8)}.items():
        taken: dict[str, list[float]] = {worker.name: [] for worker in workers}
        faces: dict[str, int] = {}
        for number in range(rounds + 2):
            for worker in workers if number % 2 else workers[::-1]:
                response = worker.predict(image[None], given=False)
                faces[worker.name] = len(response["faces"][0])
                if number >= 2:
                    taken[worker.name] += response["cpu_ms"]
        result[title] = {
            name: {"cpu_ms": round(statistics.median(values), 1), "faces": faces[name],
                   "times of mien": round(statistics.median(values) / statistics.median(taken["mien"]), 2)}
            for name, values in taken.items()
        }  # fmt: skip
    return result


def accuracies(workers: list[Worker], images: LabelledImages) -> dict[str, Any]:
    """Percent of each toolkit on images of one face each."""
    result = {}
    for worker in workers:
        own = worker.name in OWN_DETECTOR
        response = worker.predict(with_border(images.images) if own else images.images, given=not own)
        best = predicted(response["faces"])
        result[worker.name] = {
            "accuracy": round(100 * float((best == images.truth).mean()), 1),
            "balanced accuracy": round(100 * balanced_accuracy(images.truth, best), 1),
            "missed": int((best < 0).sum()),
        }
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path, help="the folder of install.sh")
    parser.add_argument("--only", nargs="+", choices=PEERS, default=PEERS)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--each", type=int, default=100, help="images of a class")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--core", type=int, default=min(os.sched_getaffinity(0)))
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.peers is None and set(options.only) != {"mien"}:
        parser.error("--peers names the folder that benchmarks/peers/install.sh filled")
    workers = [Worker(name, options.peers and options.peers.resolve(), options.core) for name in options.only]
    result = {
        "command": f"python benchmarks/side_by_side.py --each {options.each} --rounds {options.rounds}",
        "machine": machine(),
        "ready_s": {worker.name: round(worker.ready_s, 2) for worker in workers},
        "photo_1080p": times(workers, options.rounds),
        "peak_memory_mb": {worker.name: worker.peak_mb for worker in workers},
    }
    if options.data is not None:
        sets = {
            "wild7, validation part": LabelledImages.of("csv", options.data / "wild7.zip", "valid", options.each),
            "SFEW 2.0, Val": LabelledImages.of("sfew", options.data / "sfew.zip", "test", options.each),
        }
        result["accuracy"] = {
            title: {"images": len(images.truth)} | accuracies(workers, images) for title, images in sets.items()
        }
    for worker in workers:
        worker.close()
    write_result(result, options.out)


if __name__ == "__main__":
    main()
