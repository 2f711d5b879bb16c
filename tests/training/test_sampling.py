from __future__ import annotations

import numpy as np
import pytest

from mien.datasets.readers.raf_db import COUNTS
from mien.errors import DataError, OptionError
from mien.labels import RAF_DB
from mien.training.sampling import Balanced, RepeatFactor, Sampler, Shuffle, Weighted

RAF_LABELS = np.repeat(np.arange(7), [COUNTS["train"][name] for name in RAF_DB])
LABELS = np.array([0] * 90 + [1] * 9 + [2] + [-1] * 10)
SAMPLERS: list[Sampler] = [
    Shuffle(count=110),
    Balanced(labels=LABELS),
    RepeatFactor(labels=LABELS),
    Weighted(distributions=np.eye(4)[LABELS][:, :3]),
]


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda sampler: type(sampler).__name__)
def test_an_epoch_follows_from_seed_and_number_alone(sampler: Sampler) -> None:
    first = sampler.indices(3)
    assert len(first) == len(sampler)
    assert np.array_equal(first, sampler.indices(3))
    assert not np.array_equal(first, sampler.indices(4))


@pytest.mark.parametrize("sampler", SAMPLERS[1:], ids=lambda sampler: type(sampler).__name__)
def test_rows_without_a_label_are_never_drawn(sampler: Sampler) -> None:
    assert (LABELS[np.concatenate([sampler.indices(i) for i in range(20)])] >= 0).all()


def test_shuffling_shows_every_row_once() -> None:
    assert sorted(Shuffle(count=50).indices(0)) == list(range(50))


def test_balanced_draws_every_class_equally_often() -> None:
    drawn = np.concatenate([Balanced(labels=RAF_LABELS).indices(epoch) for epoch in range(10)])
    shares = np.bincount(RAF_LABELS[drawn]) / len(drawn)
    np.testing.assert_allclose(shares, 1 / 7, atol=0.005)


def test_repeat_factors_of_raf_db_are_those_of_apvit() -> None:
    sampler = RepeatFactor(labels=RAF_LABELS, threshold=0.15)
    assert dict(zip(RAF_DB, sampler.repeats.tolist(), strict=True)) == {
        "surprise": 2, "fear": 3, "disgust": 2, "happiness": 1, "sadness": 1, "anger": 2, "neutral": 1,
    }  # fmt: skip
    assert len(sampler) == 15_545
    times = np.bincount(sampler.indices(0), minlength=len(RAF_LABELS))
    assert np.array_equal(times, sampler.repeats[RAF_LABELS])


def test_weights_by_power_lie_between_even_and_balanced() -> None:
    p = np.eye(3)[LABELS[:100]]

    def share(power: float) -> float:
        sampler = Weighted(distributions=p, power=power)
        return float((LABELS[np.concatenate([sampler.indices(i) for i in range(100)])] == 1).mean())

    assert share(0) == pytest.approx(0.09, abs=0.01)
    root = 9 * 0.09**-0.5 / (90 * 0.9**-0.5 + 9 * 0.09**-0.5 + 0.01**-0.5)
    assert share(0.5) == pytest.approx(root, abs=0.01)
    assert share(1) == pytest.approx(1 / 3, abs=0.02)


def test_what_cannot_be_sampled_is_refused() -> None:
    with pytest.raises(DataError, match="no row has a label"):
        Balanced(labels=np.array([-1, -1])).indices(0)
    with pytest.raises(OptionError, match=r"0\.\.1"):
        RepeatFactor(labels=LABELS, threshold=15)
