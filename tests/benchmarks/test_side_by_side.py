"""The comparison with other toolkits: our own worker, and what counts as right among the seven expressions."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from PIL import Image

import side_by_side
from mien.labels import RAF_DB

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_a_worker_finds_the_face_or_takes_the_image_for_one() -> None:
    image = np.asarray(Image.open(EXAMPLES / "astronaut.jpg").convert("RGB"))
    worker = side_by_side.Worker("mien", None, min(os.sched_getaffinity(0)))
    try:
        detected = worker.predict(np.stack([image, np.zeros_like(image)]), given=False)
        given = worker.predict(image[None], given=True)
        assert [len(faces) for faces in detected["faces"]] == [1, 0]
        assert len(detected["cpu_ms"]) == len(detected["ms"]) == 2
        assert detected["faces"][0][0]["box"][2] < 400
        assert given["faces"][0][0]["box"] == [0, 0, 512, 512]
        assert side_by_side.predicted(detected["faces"]).tolist() == [RAF_DB.index("happiness"), -1]
        assert worker.peak_mb > 50
    finally:
        worker.close()


def test_the_largest_face_counts_in_the_words_of_each_toolkit() -> None:
    small = {"box": [0, 0, 5, 5], "scores": {"sad": 0.9, "happy": 0.1}}
    large = {"box": [0, 0, 9, 9], "scores": {"contempt": 0.7, "angry": 0.2, "fearful": 0.1}}
    assert side_by_side.predicted([[small, large], []]).tolist() == [RAF_DB.index("anger"), -1]


def test_faces_get_surroundings_for_a_detector() -> None:
    images = np.arange(2 * 8 * 8 * 3, dtype=np.uint8).reshape(2, 8, 8, 3)
    bordered = side_by_side.with_border(images)
    assert bordered.shape == (2, 12, 12, 3)
    assert (bordered[:, 2:-2, 2:-2] == images).all()
    assert (bordered[:, 0, 0] == images[:, 0, 0]).all()
