from __future__ import annotations

import pytest

from mien.errors import OptionError
from mien.training.optim.schedule import Schedule


def test_the_published_runs_fall_by_two_percent_an_epoch() -> None:
    schedule = Schedule(name="exponential", gamma=0.98, per_epoch=True)
    assert [schedule.factor(step, per_epoch=10, epochs=3) for step in (0, 9, 10, 29)] == pytest.approx(
        [1, 1, 0.98, 0.98**2]
    )


def test_cosine_after_warm_up_begins_at_the_full_rate_and_ends_at_the_floor() -> None:
    schedule = Schedule(warmup_epochs=1, floor=0.1)
    factors = [schedule.factor(step, per_epoch=10, epochs=5) for step in range(51)]
    assert factors[0] == pytest.approx(0.1)
    assert factors[9] == factors[10] == 1
    assert factors[30] == pytest.approx(0.55)
    assert factors[50] == pytest.approx(0.1)


def test_apvits_cosine_moves_once_an_epoch() -> None:
    schedule = Schedule(per_epoch=True)
    assert schedule.factor(19, per_epoch=10, epochs=4) == schedule.factor(10, per_epoch=10, epochs=4)
    assert schedule.factor(20, per_epoch=10, epochs=4) == pytest.approx(0.5)


def test_an_unknown_curve_is_refused() -> None:
    with pytest.raises(OptionError, match="Schedule.name is 'step'; it must be one of 'cosine'"):
        Schedule(name="step")
