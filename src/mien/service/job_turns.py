"""The order in which waiting jobs are run: clients take turns, so that the many jobs of one hold up no other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class WaitingJob:
    """A queued job. `attempts`: so often it has ended the process; `created`: seconds since 1970."""

    id: str
    owner: str
    attempts: int
    created: float


def in_turn(waiting: Iterable[WaitingJob], served: Mapping[str, float]) -> list[WaitingJob]:
    """The jobs in the order in which they are run, as long as no other comes.

    In each round every client has one job, its oldest; first the client whose last job was begun the longest ago
    (`served`, by owner; those that are not in it come before all). Jobs that ended the process before are last.
    """
    rounds: Counter[tuple[int, str]] = Counter()
    order = []
    for job in sorted(waiting, key=lambda job: (job.attempts, job.created, job.id)):
        number = rounds[job.attempts, job.owner]
        rounds[job.attempts, job.owner] += 1
        order.append(((job.attempts, number, served.get(job.owner, 0.0), job.created, job.id), job))
    return [job for _, job in sorted(order, key=lambda entry: entry[0])]
