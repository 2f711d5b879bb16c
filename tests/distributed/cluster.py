"""A cluster of two nodes on which things go wrong: python -m tests.distributed.cluster IMAGES OUTPUT

Ray's own files go below RAY_TMPDIR.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np

from mien.distributed.predict import predict_collection
from mien.faces import Detection
from mien.geometry import Box

POISON = 77  # the grey of an image that ends the process that reads it


class WholeImage:
    """A detector that takes every image for a face, slowly; `POISON` ends its process."""

    name, settings = "whole image", "whole image"

    def detect(self, image: np.ndarray) -> list[Detection]:
        if (image == POISON).all():
            os._exit(1)
        time.sleep(0.15)
        return [Detection(Box(0, 0, image.shape[1], image.shape[0]), 1.0)]


def workers_of_pool() -> list[int]:
    """Processes of actors that make parts."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if command.startswith(b"ray::") and b"_Worker" in command:
            found.append(int(folder.name))
    return found


def main(images: str, output: str) -> None:
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 1, "include_dashboard": False, "object_store_memory": 80 << 20},
    )
    second = cluster.add_node(num_cpus=1, object_store_memory=80 << 20)
    ray.init(cluster.address, log_to_driver=False, logging_level="ERROR")
    ended: list[str] = []

    def end_something(done: int, _total: int | None) -> None:
        if done and not ended:
            ended.append("worker")
            os.kill(workers_of_pool()[0], signal.SIGKILL)
        elif done > 9 and len(ended) == 1:
            ended.append("node")
            threading.Thread(target=cluster.remove_node, args=(second, False)).start()

    result = predict_collection(
        images, output, detector=WholeImage(), images_per_part=3, progress=end_something, workers=2
    )
    print(json.dumps({"images": result.images, "errors": result.errors, "parts": result.parts, "ended": ended}))
    ray.shutdown()
    cluster.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
