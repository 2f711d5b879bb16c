"""How well weights tell people apart: ROC AUC of pairs of photos.

    python -m research.fer.face_verification teachers/facenet --images muxspace/images

`--images`: a folder of photos named after the person, NAME_0001.jpg. Two photos each of `--people` people, drawn
with a fixed seed, are detected and aligned by the default recogniser; photos without a face are passed over. Every
pair of photos is scored by the cosine of its embeddings.
"""

from __future__ import annotations

import argparse
import random
import re
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import roc_auc_score

import mien
from mien.preprocess import Preprocess
from mien.weights.fill import load_network
from mien.weights.manifest import load_manifest

BATCH = 32
NAMED = re.compile(r"(.+)_\d{4}\.jpg")


def photos_of_people(folder: Path, *, seed: int = 0) -> list[tuple[str, list[Path]]]:
    """People with two photos or more, in random order, and two of the photos of each."""
    people = defaultdict[str, list[Path]](list)
    for path in sorted(folder.iterdir()):
        if match := NAMED.fullmatch(path.name):
            people[match[1]].append(path)
    draw = random.Random(seed)
    several = [(name, draw.sample(paths, 2)) for name, paths in people.items() if len(paths) > 1]
    draw.shuffle(several)
    return several


def aligned(folder: Path, inputs: Preprocess, people: int) -> tuple[np.ndarray, np.ndarray]:
    """Faces (2 * people, S, S, 3) and whose they are."""
    recognizer = mien.load("default")
    crops, names = list[np.ndarray](), list[str]()
    for name, paths in photos_of_people(folder):
        both = list[np.ndarray]()
        for path in paths:
            image = mien.read_image(path)
            middle = image.shape[1] / 2
            faces = recognizer.predict(image)
            if faces:
                nearest = min(faces, key=lambda face: abs((face.box.left + face.box.right) / 2 - middle))
                assert nearest.landmarks is not None
                both.append(inputs.crop(image, np.asarray(nearest.landmarks)))
        if len(both) == 2:
            crops += both
            names += [name, name]
        if len(names) == 2 * people:
            break
    return np.stack(crops), np.array(names)


@torch.inference_mode()
def auc(network: torch.nn.Module, faces: np.ndarray, names: np.ndarray) -> float:
    """Of pairs of the same person against pairs of two. `faces`: (N, 3, S, S), normalised."""
    embeddings = torch.cat([network(batch) for batch in torch.from_numpy(faces).split(BATCH)]).numpy()
    first, second = np.triu_indices(len(names), 1)
    similarity = (embeddings[first] * embeddings[second]).sum(axis=1)
    return float(roc_auc_score(names[first] == names[second], similarity))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", help="folder of `research.fer.facenet`")
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--people", type=int, default=300)
    options = parser.parse_args(arguments)
    network, inputs = load_network(options.weights), load_manifest(options.weights).inputs
    crops, names = aligned(options.images, inputs, options.people)
    print(f"{len(set(names))} people, AUC {auc(network, inputs.normalise(crops), names):.4f}")


if __name__ == "__main__":
    main()
