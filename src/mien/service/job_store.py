"""Jobs in the database. A job changes its state only from the state that it is known to be in."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import Connection, Engine, Row, case, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from mien.errors import ServiceError
from mien.service.database import FINISHED, UNFINISHED, jobs
from mien.service.job_turns import WaitingJob, in_turn

STATES = (*UNFINISHED, *FINISHED, "expired")
FORGET_S = 7 * 86400  # an expired job is known that long


@dataclass(frozen=True)
class JobFile:
    """One upload. `name`: as given; `file`: in the job's folder; `error`: why it is not read; `digest`: BLAKE2b."""

    name: str
    file: str | None
    error: str | None = None
    digest: str | None = None

    def renamed(self, name: str) -> JobFile:
        """The same under another name."""
        return replace(self, name=name)


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job as it is in the database; times in seconds since 1970."""

    id: str
    owner: str
    instance: str  # the service that has its files
    state: str
    options: dict[str, Any]
    files: tuple[JobFile, ...]
    bytes: int
    attempts: int
    done: int
    total: int | None
    error: str | None
    created: float
    started: float | None
    ended: float | None
    expires: float | None


class JobStore:
    """The jobs of one service, `instance`, whose folder has their files. May be used by threads."""

    def __init__(self, engine: Engine, instance: str, *, keep_s: float) -> None:
        self._engine, self._instance, self._keep_s = engine, instance, keep_s

    def add(
        self,
        number: str,
        *,
        owner: str,
        key: str | None,
        options: dict[str, Any],
        files: Sequence[JobFile],
        size: int,
    ) -> Job:
        """A queued job. Of a `key` that its owner has used before, the job of that time.

        Raises `ServiceError` 422 where that job has other files or options.
        """
        values = {
            "id": number, "owner": owner, "instance": self._instance, "key": key, "state": "queued",
            "options": json.dumps(options), "files": json.dumps([asdict(file) for file in files]), "bytes": size,
            "attempts": 0, "done": 0, "created": time.time(),
        }  # fmt: skip
        try:
            with self._engine.begin() as connection:
                connection.execute(insert(jobs).values(values))
        except IntegrityError:
            if key is None or (before := self.with_key(owner, key)) is None:
                raise
            same = [(file.name, file.digest) for file in before.files] == [
                (file.name, file.digest) for file in files
            ]
            if not same or before.options != options:
                reason = f"this Idempotency-Key made job {before.id} of other files or options; give another key"
                raise ServiceError(reason, status=422) from None
            return before
        return self.get(number, owner)

    def with_key(self, owner: str, key: str) -> Job | None:
        """The job that an owner made with this Idempotency-Key."""
        with self._engine.connect() as connection:
            row = connection.execute(select(jobs).where(jobs.c.owner == owner, jobs.c.key == key)).first()
        return None if row is None else _job(row)

    def get(self, number: str, owner: str) -> Job:
        """Raises `ServiceError` 404 for a job that is not there or is another owner's."""
        with self._engine.connect() as connection:
            row = connection.execute(select(jobs).where(jobs.c.id == number, jobs.c.owner == owner)).first()
        if row is None:
            raise ServiceError("there is no such job; it may have expired long ago", status=404)
        return _job(row)

    def of(self, owner: str, *, limit: int = 100) -> list[Job]:
        """The jobs of an owner, the newest first."""
        rows = select(jobs).where(jobs.c.owner == owner).order_by(jobs.c.created.desc()).limit(limit)
        with self._engine.connect() as connection:
            return [_job(row) for row in connection.execute(rows)]

    def counts(self) -> dict[str, int]:
        """How many jobs of this service are in each state."""
        rows = select(jobs.c.state, func.count()).where(jobs.c.instance == self._instance).group_by(jobs.c.state)
        with self._engine.connect() as connection:
            return dict.fromkeys(STATES, 0) | {state: count for state, count in connection.execute(rows)}

    def unfinished(self) -> dict[str, tuple[int, int]]:
        """By owner: how many unfinished jobs of this service there are, and the size of their uploads."""
        rows = select(jobs.c.owner, func.count(), func.sum(jobs.c.bytes)).group_by(jobs.c.owner)
        rows = rows.where(jobs.c.instance == self._instance, jobs.c.state.in_(UNFINISHED))
        with self._engine.connect() as connection:
            return {owner: (count, int(size)) for owner, count, size in connection.execute(rows)}

    def positions(self, of: Iterable[Job]) -> dict[str, int]:
        """Places in the queues of their services, from 1, of those among these jobs that are queued, by id."""
        wanted = {job.id: job.instance for job in of if job.state == "queued"}
        with self._engine.connect() as connection:
            queues = [_queue(connection, instance) for instance in set(wanted.values())]
        return {job.id: i for queue in queues for i, job in enumerate(queue, 1) if job.id in wanted}

    def ids(self, *states: str) -> set[str]:
        """Jobs of this service in these states; without any in those that have files."""
        among = states or (*UNFINISHED, "done", "failed")
        rows = select(jobs.c.id).where(jobs.c.instance == self._instance, jobs.c.state.in_(among))
        with self._engine.connect() as connection:
            return set(connection.execute(rows).scalars())

    def requeue(self) -> int:
        """At the start: what was running when the service ended waits again."""
        rows = update(jobs).where(jobs.c.instance == self._instance, jobs.c.state == "running")
        with self._engine.begin() as connection:
            return connection.execute(rows.values(state="queued")).rowcount

    def claim(self) -> Job | None:
        """The queued job of this service whose turn it is, running from now on."""
        with self._engine.connect() as connection:
            queue = _queue(connection, self._instance)
        if not queue:
            return None
        now = {"started": time.time(), "attempts": queue[0].attempts + 1}
        if not self._move(queue[0].id, "queued", "running", **now):
            return None  # cancelled meanwhile
        return self.get(queue[0].id, queue[0].owner)

    def makes_way(self, job: Job) -> bool:
        """Whether it would be another client's turn if this running job were released."""
        with self._engine.connect() as connection:
            queue = _queue(connection, self._instance)
        return bool(queue) and not queue[0].attempts and queue[0].owner != job.owner

    def progress(self, number: str, done: int, total: int | None) -> bool:
        """Note how far a job is. False where it is not to go on: it was cancelled."""
        rows = update(jobs).where(jobs.c.id == number, jobs.c.state == "running")
        further = jobs.c.done < done  # then it does not end the process, whatever its attempts before
        values = {
            "done": case((further, done), else_=jobs.c.done),
            "attempts": case((further, 0), else_=jobs.c.attempts),
            "total": total,
        }
        with self._engine.begin() as connection:
            return connection.execute(rows.values(values)).rowcount == 1

    def finish(self, number: str, state: str, *, error: str | None = None) -> bool:
        """A running job is done or failed; False where it is not running, so that nothing ends twice."""
        return self._move(number, "running", state, error=error, **self._ended())

    def release(self, number: str) -> None:
        """A running job that the end of the service interrupts: it goes on with the next start."""
        with self._engine.begin() as connection:
            rows = update(jobs).where(jobs.c.id == number, jobs.c.state == "running")
            connection.execute(rows.values(state="queued", attempts=0))

    def cancel(self, number: str, owner: str) -> bool:
        """Cancel an unfinished job; of a finished one, let its result expire now.

        True where its files are nobody's from now on; of a job that is running its runner removes them.
        """
        self.get(number, owner)
        for state in ("queued", "running", "queued"):  # it may be claimed, or released, in between
            if self._move(number, state, "cancelled", **self._ended()):
                return state == "queued"
        self.expire([number])
        return self.get(number, owner).state == "expired"

    def expired(self) -> list[str]:
        """Finished jobs of this service whose time is over."""
        rows = select(jobs.c.id).where(jobs.c.instance == self._instance, jobs.c.state.in_(FINISHED))
        with self._engine.connect() as connection:
            return list(connection.execute(rows.where(jobs.c.expires < time.time())).scalars())

    def expire(self, numbers: Sequence[str]) -> None:
        """Forget names and options of finished jobs, whose files are gone; and the jobs that expired long ago."""
        with self._engine.begin() as connection:
            rows = update(jobs).where(jobs.c.id.in_(numbers), jobs.c.state.in_(FINISHED))
            connection.execute(rows.values(state="expired", files="[]", options="{}", key=None, error=None))
            long_ago = time.time() - FORGET_S
            mine = delete(jobs).where(jobs.c.instance == self._instance, jobs.c.state == "expired")
            connection.execute(mine.where(jobs.c.expires < long_ago))

    def _ended(self) -> dict[str, float]:
        now = time.time()
        return {"ended": now, "expires": now + self._keep_s}

    def _move(self, number: str, before: str, after: str, **values: Any) -> bool:
        rows = update(jobs).where(jobs.c.id == number, jobs.c.state == before)
        with self._engine.begin() as connection:
            return connection.execute(rows.values(state=after, **values)).rowcount == 1


def _queue(connection: Connection, instance: str) -> list[WaitingJob]:
    """The queued jobs of a service in the order in which they are run."""
    rows = select(jobs.c.id, jobs.c.owner, jobs.c.attempts, jobs.c.created)
    rows = rows.where(jobs.c.instance == instance, jobs.c.state == "queued")
    waiting = [WaitingJob(*row) for row in connection.execute(rows)]
    begun = select(jobs.c.owner, func.max(jobs.c.started)).group_by(jobs.c.owner)
    owners = {job.owner for job in waiting}
    begun = begun.where(jobs.c.instance == instance, jobs.c.owner.in_(owners), jobs.c.started.is_not(None))
    served = {owner: moment for owner, moment in connection.execute(begun)} if len(owners) > 1 else {}
    return in_turn(waiting, served)


def _job(row: Row[Any]) -> Job:
    values = {name: row._mapping[name] for name in Job.__dataclass_fields__ if name not in ("options", "files")}
    files = tuple(JobFile(**file) for file in json.loads(row.files))
    return Job(options=json.loads(row.options), files=files, **values)
