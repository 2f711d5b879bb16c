"""Parts made by a pool of Ray actors, one loaded recognizer each, on one machine or a cluster."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

from mien.distributed.collection import PartTask
from mien.distributed.part import Job, Ledger, PartDone, PartWorker
from mien.errors import InputError, MienError, MissingPackageError, OptionError, OutputError
from mien.wording import in_one_line

MAX_ATTEMPTS = 20  # at one part, ended by whatever ends processes
_DEATHS = 2  # of processes at the same image before it is left out
_LONGEST_TEMP = 44  # Ray's sockets lie below it, and paths of sockets end at 107 bytes
_STORE_BYTES = 200 * 2**20  # of shared memory; only numbers of parts and counts pass through it
_QUIET = {  # no statistics to Ray's makers, no progress bars beside ours
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_USAGE_STATS_PROMPT_ENABLED": "0",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # of Ray's C++, which else writes about its inner life to our stderr
}


def make_parts(
    job: Job, tasks: Sequence[PartTask], *, address: str | None, workers: int, temp_dir: Path | None
) -> Iterator[PartDone]:
    """Make the parts on a Ray cluster, in whatever order they are done.

    `address`: of a running cluster; None: that of RAY_ADDRESS, else one on this machine for as long as it is
    needed, with its files below `temp_dir`. `workers`: 0 for one per CPU of the cluster. A part whose process or
    machine ends is made again elsewhere. Raises what a worker raises on purpose, `OutputError` for a part that
    ended `MAX_ATTEMPTS` processes.
    """
    with _environment(_QUIET), _cluster(address, workers, temp_dir) as ray:
        cpus = int(ray.cluster_resources().get("CPU", 1))
        count = min(workers or cpus, max(1, len(tasks)))
        if count > cpus:
            raise OptionError(f"{workers} workers, and the cluster has {cpus} CPUs; give at most as many, or 0")
        ledger = _beside_this_process(ray, LedgerActor)
        results = _dataset(tasks, count).map(
            _Worker,
            fn_constructor_args=(job, ledger),
            compute=ray.data.ActorPoolStrategy(
                min_size=1, initial_size=count, max_size=count, max_tasks_in_flight_per_actor=2
            ),
            num_cpus=1,
        )
        for row in results.iter_rows():
            if row["fault"]:
                raise _FAULTS.get(row["kind"], MienError)(row["fault"])
            yield PartDone(**{name: row[name] for name in ("index", "images", "faces", "errors", "worker")})


def _beside_this_process(ray: Any, kind: type) -> Any:
    """An actor that no other machine's end takes with it."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    return ray.remote(num_cpus=0, max_restarts=-1, scheduling_strategy=here)(kind).remote()


_FAULTS: dict[str, type[MienError]] = {kind.__name__: kind for kind in (InputError, OptionError, OutputError)}


def _dataset(tasks: Sequence[PartTask], workers: int) -> Any:
    import ray.data

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    for name in ("ray.data", "ray"):
        logging.getLogger(name).setLevel(logging.ERROR)
    return ray.data.from_items([asdict(task) for task in tasks], override_num_blocks=len(tasks))


class _Worker:
    """An actor of the pool. What `mien` raises on purpose is returned: it ends the run and is not retried."""

    def __init__(self, job: Job, ledger: Any) -> None:
        self._worker: PartWorker | None = None
        try:
            self._worker = PartWorker(job, _RemoteLedger(ledger))
        except MienError as error:
            self._fault = error

    def __call__(self, row: Mapping[str, Any]) -> dict[str, Any]:
        try:
            if self._worker is None:
                raise self._fault
            done = self._worker(PartTask(int(row["index"]), bool(row["again"])))
        except MienError as error:
            none = PartDone(int(row["index"]), 0, 0, 0, "")
            return asdict(none) | {"kind": _kind(error), "fault": str(error)}
        return asdict(done) | {"kind": "", "fault": ""}


def _kind(error: MienError) -> str:
    return next((name for name, kind in _FAULTS.items() if isinstance(error, kind)), "")


class LedgerActor:
    """Which image each worker was at when it ended; one for the run, beside the process that started it."""

    def __init__(self) -> None:
        self._begun: Counter[int] = Counter()
        self._at: dict[int, str] = {}
        self._deaths: dict[int, Counter[str]] = {}

    def begin(self, index: int) -> tuple[int, list[str]]:
        """How often this part was begun before, and the images that ended two processes."""
        before = self._begun[index]
        self._begun[index] += 1
        if (name := self._at.pop(index, None)) is not None:
            self._deaths.setdefault(index, Counter())[name] += 1
        return before, [name for name, count in self._deaths.get(index, Counter()).items() if count >= _DEATHS]

    def reading(self, index: int, name: str) -> None:
        """The worker of a part is at this image."""
        self._at[index] = name

    def end(self, index: int) -> None:
        """A part is finished."""
        self._begun.pop(index, None)
        self._at.pop(index, None)
        self._deaths.pop(index, None)


class _RemoteLedger(Ledger):
    """The ledger as a worker sees it; while it cannot be reached, parts are made without it."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    def _call(self, method: str, *arguments: Any) -> Any:
        import ray

        try:
            return ray.get(getattr(self._actor, method).remote(*arguments))
        except ray.exceptions.RayActorError:
            return None

    def begin(self, index: int) -> tuple[bool, frozenset[str]]:
        before, bad = self._call("begin", index) or (0, [])
        if before >= MAX_ATTEMPTS:
            raise OutputError(
                f"part {index} ended {before} processes; workers need more memory, or machines stop too often. "
                "What is finished is kept: run the same command again"
            )
        return before > 0, frozenset(bad)

    def reading(self, index: int, name: str) -> None:
        self._call("reading", index, name)

    def end(self, index: int) -> None:
        self._call("end", index)


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Environment variables for this process and those it starts, as long as the block lasts."""
    before = {name: os.environ.get(name) for name in [*values, "RAY_AUTH_MODE"]}  # the last is set by Ray
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@lru_cache(maxsize=1)
def _own_token() -> dict[str, str]:
    """Keeps other users of this machine out of a cluster started here; without it Ray writes one to ~/.ray."""
    if {"RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & os.environ.keys():
        return {}
    return {"RAY_AUTH_TOKEN": secrets.token_hex(32)}


@contextmanager
def _cluster(address: str | None, workers: int, temp_dir: Path | None) -> Iterator[Any]:
    """Ray, connected; what was started here is ended."""
    try:
        import ray
        import ray.data
    except ModuleNotFoundError as error:
        raise MissingPackageError("Prediction on a cluster", "Ray", "ray") from error
    if ray.is_initialized():
        yield ray
        return
    address = address or os.environ.get("RAY_ADDRESS")
    options: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False, "namespace": "mien"}
    if address is not None:
        try:
            ray.init(address, **options)
        except (ConnectionError, ValueError, RuntimeError) as error:
            reason = in_one_line(error, 200)
            raise OptionError(f"--address {address}: no Ray cluster answers there ({reason})") from error
        with _shut_down(ray):
            yield ray
        return
    with _temporary(temp_dir) as folder, _environment(_own_token()):
        options |= {"_temp_dir": folder, "include_dashboard": False, "object_store_memory": _STORE_BYTES}
        with _no_stderr():  # Ray's C++ states its log level there
            ray.init("local", num_cpus=workers or None, **options)
        with _shut_down(ray):
            yield ray


@contextmanager
def _no_stderr() -> Iterator[None]:
    """Nothing on the process's stderr, whatever writes there; exceptions say what went wrong."""
    sys.stderr.flush()
    before = os.dup(2)
    try:
        with open(os.devnull, "wb") as nothing:
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)


@contextmanager
def _shut_down(ray: Any) -> Iterator[None]:
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def _temporary(parent: Path | None) -> Iterator[str]:
    """A folder for Ray's logs and sockets, removed at the end."""
    above = os.path.abspath(parent) if parent is not None else tempfile.gettempdir()
    if not os.path.isdir(above):
        raise OutputError(f"--temp-dir {above}: no such folder; make it first")
    folder = tempfile.mkdtemp(prefix="mien", dir=above)
    try:
        if len(os.fsencode(folder)) > _LONGEST_TEMP:
            raise OptionError(f"--temp-dir {above} is too long for Ray's sockets; choose a shorter path, like /tmp")
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
