"""One toolkit in Python, asked by benchmarks/side_by_side.py: python worker.py mien

Requests and responses are those of `worker.mjs`.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

Faces = list[dict[str, Any]]  # {"box": left, top, right, bottom; "scores": of each class}
Predict = Callable[[np.ndarray, bool], Faces]  # an image (H, W, 3) uint8 RGB; whether it is one face


def mien() -> Predict:
    import mien as toolkit

    recognizer = toolkit.load()

    def predict(image: np.ndarray, given: bool) -> Faces:
        return [
            {
                "box": [face.box.left, face.box.top, face.box.right, face.box.bottom],
                "scores": face.expression.to_dict(),
            }
            for face in recognizer.predict(image, detect=not given)
            if face.expression is not None
        ]

    return predict


def fer() -> Predict:
    from fer.fer import FER

    peer = FER()

    def predict(image: np.ndarray, given: bool) -> Faces:
        height, width = image.shape[:2]
        faces = peer.detect_emotions(
            np.ascontiguousarray(image[:, :, ::-1]), face_rectangles=[(0, 0, width, height)] if given else None
        )
        return [
            {"box": [int(x), int(y), int(x + w), int(y + h)], "scores": face["emotions"]}
            for face in faces
            for x, y, w, h in [face["box"]]
        ]

    return predict


def facex() -> Predict:
    from facex.core import PoolManager

    peer = PoolManager(pool_size=1).pool[0]

    def predict(image: np.ndarray, given: bool) -> Faces:
        image = np.ascontiguousarray(image[:, :, ::-1])
        if given:
            height, width = image.shape[:2]
            faces = [{"bbox": (0, 0, width, height), "emot": peer.detect_emotion(peer._preprocess_frame(image))}]
        else:
            faces = peer.predict(image)
        return [
            {"box": [int(x), int(y), int(x + w), int(y + h)],
             "scores": {name: float(score) for name, score in face["emot"].items()}}
            for face in faces for x, y, w, h in [face["bbox"]]
        ]  # fmt: skip

    return predict


def main() -> None:
    stream = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a toolkit prints is no response
    predict = {"mien": mien, "fer": fer, "facex": facex}[sys.argv[1]]()
    print('{"ready": true}', file=stream, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        images = np.fromfile(request["file"], np.uint8).reshape(request["shape"])
        response: dict[str, list[Any]] = {"faces": [], "cpu_ms": [], "ms": []}
        for image in images:
            began, used = time.perf_counter(), time.process_time()
            response["faces"].append(predict(image, request["given"]))
            response["cpu_ms"].append(1000 * (time.process_time() - used))
            response["ms"].append(1000 * (time.perf_counter() - began))
        print(json.dumps(response), file=stream, flush=True)


if __name__ == "__main__":
    main()
