"""What is known of a data set: one frozen value per set, from which checks, cards and tables are made."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from mien.datasets.distribution import Distribution
from mien.datasets.samples import Reading, Samples
from mien.errors import DataError, UnknownNameError
from mien.labels import LabelSet

ImageKind = Literal["crop", "aligned", "photo"]


@dataclass(frozen=True, kw_only=True)
class DatasetInfo:
    """One data set: what it is, what its official distribution holds, and how it is read.

    `read(files, variant)` takes the distribution as it is unpacked and gives rows and problems; it never decodes
    an image and never raises for a broken row.
    """

    name: str  # on the command line
    title: str
    read: Callable[[Distribution, str], Reading]
    variants: Mapping[str, LabelSet]  # "" or the names of its options -> classes, in the set's own order
    layout: str  # what the unpacked folder holds, one line per entry
    citation: str
    licence: str
    obtain: str  # where it comes from and who may have it
    expected: Mapping[str, Mapping[str, Mapping[str, int]]] = field(default_factory=dict)
    """variant -> split -> class -> images, as published; class "all" where only the sum is published.

    A set whose distributions differ in them has keys "variant release" as well; see `published`.
    """
    split_rule: str = "official"  # what the splits are
    protocol: Literal["official", "subject-folds", "leave-one-subject-out", "group-folds"] = "official"
    image_kind: ImageKind = "crop"
    """What an image shows: one face cut out, one face already aligned, or a scene in which faces must be found."""
    image_kinds: Mapping[str, ImageKind] = field(default_factory=dict)  # variants that show something else
    subjects: bool = False  # states who is seen
    poses: bool = False  # states the pose of the head
    votes: bool = False  # states how its annotators voted
    known_faults: tuple[str, ...] = ()  # what users should know

    def __repr__(self) -> str:
        return f"<DatasetInfo {self.name}: {self.title}>"

    def labels(self, variant: str = "") -> LabelSet:
        """The classes of a variant; raises `UnknownNameError`."""
        return self.variants[self.variant(variant)]

    def variant(self, name: str = "") -> str:
        """The variant called `name`, or the first one for ""; raises `UnknownNameError`."""
        if not name:
            return next(iter(self.variants))
        if name not in self.variants:
            raise UnknownNameError(f"variant of {self.name}", name, self.variants)
        return name

    def image_kind_of(self, variant: str = "") -> ImageKind:
        """What the images of a variant show; see `image_kind`."""
        return self.image_kinds.get(self.variant(variant), self.image_kind)

    def published(self, variant: str = "", release: str = "") -> Mapping[str, Mapping[str, int]]:
        """split -> class -> images as published, of a variant and a `Reading.release`; {} where unknown."""
        variant = self.variant(variant)
        return self.expected.get(f"{variant} {release}", self.expected.get(variant, {}))

    def reading(self, folder: str | os.PathLike[str], *, variant: str = "") -> Reading:
        """Everything in the folder (or .zip), with what is wrong."""
        return self.read(Distribution(folder), self.variant(variant))

    def samples(self, folder: str | os.PathLike[str], *, variant: str = "", skip_broken: bool = False) -> Samples:
        """The rows; raises `DataError` listing what is wrong, unless broken rows are to be skipped."""
        reading = self.reading(folder, variant=variant)
        return reading.samples if skip_broken else reading.checked()

    def some_samples(self, folder: str | os.PathLike[str], *, variant: str = "") -> Samples:
        """The rows that are not broken; raises `DataError` where there is none."""
        samples = self.samples(folder, variant=variant, skip_broken=True)
        if not len(samples):
            raise DataError(f"{folder}: no image of {self.name}; `mien data check {self.name} {folder}` says why")
        return samples
