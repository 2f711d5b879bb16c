"""How fast prepared faces become batches, beside the usual loader that opens one image at a time.

    python benchmarks/data.py --out benchmarks/results/NAME.json

Both sides read the same small RAF-DB-like set (100 x 100 JPEG) and deliver float batches of the same size, flipped,
normalised and erased as POSTER++'s recipe does. The usual loader is a torch DataLoader of processes over
PIL: open, resize, flip, to tensor, normalise, erase. Ours also aligns, from shards. Besides: the other presets,
and how fast the light network trains. Files are in the page cache for both. Rounds alternate between the two
sides; figures are medians. Nothing here decides pass or fail.
"""

from __future__ import annotations

import argparse
import math
import random
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from mien.augment.presets import APVIT, LIGHT, POSTER_V2, Augmentation
from mien.datasets import dataset_info
from mien.models.poster_v2 import LIGHT as LIGHT_NETWORK
from mien.models.poster_v2 import PosterV2
from mien.prepared.build import prepare
from mien.prepared.store import PreparedStore
from mien.preprocess import Preprocess
from mien.training.sampling import Shuffle
from output import write_result
from predict import EXAMPLES, machine

BATCH = 64
MEAN = torch.tensor(Preprocess(size_px=1).mean).view(3, 1, 1)
STD = torch.tensor(Preprocess(size_px=1).std).view(3, 1, 1)


def fabricate(folder: Path, count: int) -> None:
    """RAF-DB's layout with crops of two faces in `count` places and sizes."""
    rng = np.random.default_rng(0)
    faces = [(Image.open(EXAMPLES / "astronaut.jpg"), (225, 120), 150),
             (Image.open(EXAMPLES / "grace_hopper.jpg"), (255, 200), 220)]  # fmt: skip
    lines = []
    for i in range(count):
        image, (x, y), side = faces[i % 2]
        half = side / 2 * rng.uniform(0.9, 1.1)
        dx, dy = rng.normal(0, side / 40, 2)
        crop = image.crop((x + dx - half, y + dy - half, x + dx + half, y + dy + half)).resize((100, 100))
        path = folder / f"Image/aligned/train_{i:05d}_aligned.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        crop.save(path, quality=95)
        lines.append(f"train_{i:05d}.jpg {i % 7 + 1}\n")
    (folder / "EmoLabel").mkdir()
    (folder / "EmoLabel/list_patition_label.txt").write_text("".join(lines))


class OneImage(Dataset[tuple[Tensor, int]]):
    """The usual way: one image at a time."""

    def __init__(self, paths: list[Path], size_px: int) -> None:
        self.paths, self.size_px = paths, size_px

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = Image.open(self.paths[index]).convert("RGB")
        if random.random() < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        image = image.resize((self.size_px, self.size_px), Image.Resampling.BILINEAR)
        x = torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous().float().div(255)
        x = x.sub_(MEAN).div_(STD)
        if random.random() < 0.5:
            self._erase(x)
        return x, index % 7

    def _erase(self, x: Tensor) -> None:
        side = self.size_px
        for _ in range(10):
            area = random.uniform(0.02, 0.1) * side * side
            ratio = math.exp(random.uniform(math.log(0.3), math.log(3.3)))
            tall, wide = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
            if tall < side and wide < side:
                top, left = random.randint(0, side - tall), random.randint(0, side - wide)
                x[:, top : top + tall, left : left + wide] = 0
                return


def usual(paths: list[Path], size_px: int, workers: int) -> Iterator[Tensor]:
    """Batches without end."""
    loader = DataLoader(
        OneImage(paths, size_px), batch_size=BATCH, shuffle=True, num_workers=workers, drop_last=True
    )
    while True:
        for x, _ in loader:
            yield x


def ours(shards: PreparedStore, augmentation: Augmentation, workers: int) -> Iterator[Tensor]:
    """Batches without end."""
    per_epoch = len(shards) // BATCH
    rng = torch.Generator().manual_seed(0)
    targets = torch.from_numpy(shards.targets)
    with ThreadPoolExecutor(workers) as pool:

        def batch(step: int, seed: int) -> Tensor:
            epoch, within = divmod(step, per_epoch)
            rows = Shuffle(count=len(shards)).indices(epoch)[within * BATCH : (within + 1) * BATCH]
            canvases = torch.from_numpy(shards.images(rows)).permute(0, 3, 1, 2)
            return augmentation(canvases, targets[rows], torch.Generator().manual_seed(seed)).images

        ahead = deque[Future[Tensor]]()
        for step in count():
            ahead.append(pool.submit(batch, step, int(torch.randint(2**31, (), generator=rng))))
            if len(ahead) > workers:
                yield ahead.popleft().result()


def rate(batches: Iterator[Tensor], seconds: float) -> float:
    """Images per second, after a start that does not count."""
    for _ in range(6):
        next(batches)
    count, start = 0, time.perf_counter()
    while (spent := time.perf_counter() - start) < seconds:
        count += len(next(batches))
    return count / spent


def rounds(sides: Mapping[str, Callable[[], Iterator[Tensor]]], *, count: int, seconds: float) -> dict[str, float]:
    """Median rate of each side, their turns alternating."""
    seen: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(count):
        for name, make in sides.items():
            batches = make()
            seen[name].append(rate(batches, seconds))
            batches.close()  # type: ignore[attr-defined]
    return {name: round(float(np.median(values)), 1) for name, values in seen.items()}


def training_rate(seconds: float) -> float:
    """Images per second of the light network forth and back, with all of torch's threads."""
    network = PosterV2(LIGHT_NETWORK).train()
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3)
    x = torch.randn(BATCH, 3, LIGHT_NETWORK.size_px, LIGHT_NETWORK.size_px)
    y = torch.randint(LIGHT_NETWORK.classes, (BATCH,))

    def steps() -> Iterator[Tensor]:
        while True:
            optimizer.zero_grad(set_to_none=True)
            F.cross_entropy(network(x), y).backward()
            optimizer.step()
            yield x

    batches = steps()
    next(batches)
    count, start = 0, time.perf_counter()
    while (spent := time.perf_counter() - start) < seconds:
        count += len(next(batches))
    return round(count / spent, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="per measurement")
    options = parser.parse_args()
    how = {"count": options.rounds, "seconds": options.seconds}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fabricate(folder / "raf", options.images)
        raf = dataset_info("raf-db")
        start = time.perf_counter()
        prepare(raf, folder / "raf", folder / "out", detect=False, workers=0)
        prepared = options.images / (time.perf_counter() - start)
        shards = PreparedStore(folder / "out")
        paths = sorted((folder / "raf/Image/aligned").iterdir())
        loading: dict[str, dict[str, float]] = {}
        for size in (112, 224):
            same = replace(POSTER_V2, inputs=Preprocess(size_px=size))
            for workers in (1, 2):
                measured = rounds(
                    {
                        "usual loader": partial(usual, paths, size, workers),
                        "shards": partial(ours, shards, same, workers),
                    },
                    **how,
                )
                measured["ratio"] = round(measured["shards"] / measured["usual loader"], 2)
                loading[f"{size} px, {workers} workers"] = measured
        others = {
            f"{name}, {workers} workers": partial(ours, shards, preset, workers)
            for name, preset in (("apvit, 112 px", APVIT), ("light, 96 px", LIGHT))
            for workers in (1, 2)
        }
        result = {
            "command": "python benchmarks/data.py",
            "machine": machine() | {"torch": torch.__version__, "threads": torch.get_num_threads()},
            "batches_images_per_s": loading,
            "other_presets_images_per_s": rounds(others, **how),
            "light_network_trains_images_per_s": training_rate(3 * options.seconds),
            "prepared_images_per_s": round(prepared, 1),
        }
    write_result(result, options.out)


if __name__ == "__main__":
    main()
