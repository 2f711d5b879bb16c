"""Faces with soft expression labels, as the expression recipes draw them."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import torch
from torch import Generator, Tensor

from mien.labels import FER2013, FERPLUS, Expression

_FER2013_WORDS = {"angry": "anger", "happy": "happiness", "sad": "sadness"}


class LabelledFaces:
    """Packed faces of one set: FER+ targets (N, 8), FER2013 targets (N, 7) or zeros, splits.

    FER+ votes become a distribution as Barsoum et al. (2016) do: single votes are dropped, the rest
    normalised. Images whose most votes say "unknown" or "no face" are left out of training.
    """

    def __init__(self, folder: Path) -> None:
        self.canvas = torch.from_numpy(np.load(folder / "canvas.npy", mmap_mode="c"))
        self.found = np.load(folder / "found.npy")
        with (folder / "faces.csv").open() as file:
            self.table = list(csv.DictReader(file))
        self.split = np.array([row["split"] for row in self.table])
        self.plus = np.zeros((len(self.table), len(FERPLUS)), np.float32)
        self.original = np.zeros((len(self.table), len(FER2013)), np.float32)
        self.usable = np.ones(len(self.table), bool)
        self.majority = np.full(len(self.table), -1)
        (self._read_votes if "NF" in self.table[0] else self._read_labels)()

    def _read_votes(self) -> None:
        votes = np.array(
            [[int(row[name]) for name in (*FERPLUS, "unknown", "NF")] for row in self.table], np.float32
        )
        top = votes.max(axis=1)
        tied = (votes == top[:, None]).sum(axis=1) > 1
        self.majority = np.where(tied | (votes.argmax(axis=1) >= 8), -1, votes.argmax(axis=1))
        kept = np.where(votes[:, :8] > 1, votes[:, :8], 0)
        total = kept.sum(axis=1, keepdims=True)
        self.usable = (votes.argmax(axis=1) < 8) & (total[:, 0] > 0)
        self.plus = (kept / np.maximum(total, 1)).astype(np.float32)
        for row, target in zip(self.table, self.original, strict=True):
            word = row["fer2013"]
            target[FER2013.index(Expression(_FER2013_WORDS.get(word, word)))] = 1

    def _read_labels(self) -> None:
        for i, row in enumerate(self.table):
            self.majority[i] = FERPLUS.index(Expression(row["label"]))
            self.plus[i, self.majority[i]] = 1
        self.usable = self.found.copy()

    def rows(self, split: str, *, labelled: bool = False) -> np.ndarray:
        """Indices of one split: usable for training, or with one majority label for judging."""
        kept = self.majority >= 0 if labelled else self.usable
        return np.flatnonzero((self.split == split) & kept)

    def images(self, rows: Tensor) -> Tensor:
        """Canvases (B, 3, 192, 192) uint8."""
        return self.canvas[rows].permute(0, 3, 1, 2).expand(-1, 3, -1, -1)


class Draw:
    """Draws training rows of one set, rare classes more often.

    An image's weight is the mean of 1 / frequency^power over its target distribution.
    """

    def __init__(self, faces: LabelledFaces, split: str, power: float) -> None:
        self.faces = faces
        self.rows = torch.from_numpy(faces.rows(split))
        target = faces.plus[self.rows.numpy()]
        frequency = target.mean(axis=0)
        weight = target @ (np.maximum(frequency, 2e-3) ** -power)
        self.weights = torch.from_numpy(weight / weight.sum())

    def __call__(self, count: int, rng: Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Canvases (B, 3, 192, 192) uint8, FER+ targets (B, 8), FER2013 targets (B, 7)."""
        rows = self.rows[torch.multinomial(self.weights, count, replacement=True, generator=rng)]
        return (
            self.faces.images(rows),
            torch.from_numpy(self.faces.plus[rows.numpy()]),
            torch.from_numpy(self.faces.original[rows.numpy()]),
        )
