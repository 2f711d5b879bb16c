"""`/v1/jobs`: several images and videos at once, predicted in the background."""

from __future__ import annotations

import contextlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, BinaryIO, Literal

import pyarrow.parquet as pq
from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from mien.errors import ServiceError
from mien.pipeline.rows import csv_lines
from mien.service.body import FormReader, content_type, pieces
from mien.service.job_files import Incoming
from mien.service.job_store import Job
from mien.service.options import JobOptions, check_once, with_fields
from mien.service.schemas import JobList, JobStatus, errors, job_body
from mien.service.settings import MIB
from mien.service.state import ServiceState, owner_of, state_of
from mien.service.upload_names import distinct

router = APIRouter(tags=["jobs"])
PARQUET = "application/vnd.apache.parquet"
PIECE = 2**18  # bytes of a file that are read at once
ROOM_EVERY = 2**24  # bytes of an upload, after which it is looked whether there is room for more
Unfinished = Mapping[str, tuple[int, int]]  # by owner, as `JobStore.unfinished` has it
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        description="The same key with the same files and options gives the same job, where a client does not know "
        "whether it was received; with others it is refused.",
    ),
]


@router.post(
    "/v1/jobs",
    status_code=202,
    summary="Predict several images and videos in the background",
    response_model=JobStatus,
    responses=errors(400, 401, 403, 408, 413, 415, 422, 429, 503, 507),
    openapi_extra=job_body(),
)
async def submit(request: Request, options: Annotated[JobOptions, Query()], key: Key = None) -> Response:
    """A form with files and options. Its uploads are kept until the job ends, its result until it expires."""
    state, owner = state_of(request), owner_of(request)
    check_once(request.query_params.multi_items())
    _check_options(state, options)
    kind, parameters = content_type(request)
    if kind != "multipart/form-data":
        raise ServiceError("a job is a form (multipart/form-data) with its files", status=415)
    if key is None or await run_in_threadpool(state.jobs.with_key, owner, key) is None:
        _check_room(state, owner, await run_in_threadpool(state.jobs.unfinished))
    with _arriving(state, owner) as incoming:
        form, checked = FormReader(parameters.get("boundary", ""), incoming.open_file, files="files"), 0
        max_bytes = int(state.settings.job_mib * MIB)
        with contextlib.closing(form):
            async for piece in pieces(request, max_bytes=max_bytes, timeout_s=state.settings.timeout_s):
                await run_in_threadpool(form.feed, piece)  # a disk may be slow; others are served meanwhile
                if incoming.size - checked >= ROOM_EVERY:
                    checked = incoming.size
                    _check_space(state, owner, await run_in_threadpool(state.jobs.unfinished))
        form.finish()
        _check_space(state, owner, await run_in_threadpool(state.jobs.unfinished))
        if not incoming.files:
            raise ServiceError("the form has no file; send images or videos in the field 'files'", status=422)
        options = with_fields(options, form.fields)
        _check_options(state, options)
        job = await run_in_threadpool(_keep, state, incoming, owner, key, options)
    if job.id != incoming.number:
        incoming.discard()
    state.runner.wake()
    return await run_in_threadpool(_respond, state, job, 202)


@contextlib.contextmanager
def _arriving(state: ServiceState, owner: str) -> Iterator[Incoming]:
    """The uploads of a job that is being received; nothing is left of them where that fails."""
    incoming = Incoming(state.folder, state.settings, owner)
    state.incoming.add(incoming)
    try:
        yield incoming
    except BaseException:
        incoming.discard()
        raise
    finally:
        state.incoming.discard(incoming)


def _check_options(state: ServiceState, options: JobOptions) -> None:
    state.recognizers.check(options)
    options.check_sampling()


def _check_room(state: ServiceState, owner: str, unfinished: Unfinished) -> None:
    """Whether one more job may arrive; those that are arriving count too."""
    settings = state.settings
    counts = Counter({one: count for one, (count, _) in unfinished.items()})
    counts.update(one.owner for one in state.incoming)
    if counts.total() >= settings.jobs:
        raise _busy("too many jobs wait; try again later")
    if counts[owner] >= int(settings.share(settings.jobs, least=1)):
        raise _busy(f"{counts[owner]} of your jobs wait, the limit of one client; wait until one of them has ended")
    _check_space(state, owner, unfinished)


def _check_space(state: ServiceState, owner: str, unfinished: Unfinished) -> None:
    """Also those that are being received count: each may be as large as a job may be."""
    settings = state.settings
    sizes = Counter({one: size for one, (_, size) in unfinished.items()})
    for incoming in state.incoming:
        sizes[incoming.owner] += incoming.size
    if sizes.total() > settings.jobs_mib * MIB:
        raise _busy("the uploads of waiting jobs fill their space; try later")
    most = settings.share(settings.jobs_mib, least=settings.job_mib)
    if sizes[owner] > most * MIB:
        raise _busy(f"the uploads of your jobs fill {most:g} MiB, the limit of one client; try later")


def _busy(message: str) -> ServiceError:
    return ServiceError(message, status=429, retry_after_s=30)


def _keep(state: ServiceState, incoming: Incoming, owner: str, key: str | None, options: JobOptions) -> Job:
    """First the files are safe, then the job exists: after a kill in between nothing refers to them."""
    incoming.keep()
    names = distinct([file.name for file in incoming.files])
    files = [file.renamed(name) for file, name in zip(incoming.files, names, strict=True)]
    values = options.model_dump(exclude_unset=True)
    return state.jobs.add(incoming.number, owner=owner, key=key, options=values, files=files, size=incoming.size)


@router.get("/v1/jobs", summary="Jobs of this token, the newest first", response_model=JobList,
            responses=errors(401, 403, 503))  # fmt: skip
async def list_jobs(request: Request) -> Any:
    """At most a hundred."""
    state = state_of(request)
    jobs = await run_in_threadpool(state.jobs.of, owner_of(request))
    return {"jobs": await run_in_threadpool(_statuses, state, jobs)}


@router.get("/v1/jobs/{job_id}", summary="How far a job is", response_model=JobStatus,
            responses=errors(401, 403, 404, 503))  # fmt: skip
async def job_status(request: Request, job_id: str) -> Any:
    """`state` is queued, running, done, failed, cancelled or expired; `position` is the place in the queue."""
    state = state_of(request)
    job = await run_in_threadpool(state.jobs.get, job_id, owner_of(request))
    return (await run_in_threadpool(_statuses, state, [job]))[0]


@router.delete("/v1/jobs/{job_id}", summary="Cancel a job, or remove its result", response_model=JobStatus,
               responses=errors(401, 403, 404, 503))  # fmt: skip
async def cancel(request: Request, job_id: str) -> Any:
    """Its uploads and its result are removed."""
    state = state_of(request)
    job = await run_in_threadpool(state.cancel_job, job_id, owner_of(request))
    return _status(job, None)


@router.get(
    "/v1/jobs/{job_id}/result",
    summary="The table of a job that is done",
    responses={
        200: {
            "description": "The columns of docs/reference/table.md.",
            "content": {
                "application/json": {"schema": {"type": "array", "items": {"type": "object"}}},
                "text/csv": {"schema": {"type": "string"}},
                PARQUET: {"schema": {"type": "string", "format": "binary"}},
            },
        },
        **errors(401, 403, 404, 409, 410, 422, 503),
    },
    response_class=Response,
)
async def result(
    request: Request,
    job_id: str,
    format: Annotated[Literal["json", "csv", "parquet"], Query(description="Of the table.")] = "json",  # noqa: A002
) -> Response:
    """One row per face per frame, in the order of the uploads; a file that could not be read has its `error`."""
    state = state_of(request)
    job = await run_in_threadpool(state.jobs.get, job_id, owner_of(request))
    file = await run_in_threadpool(_open_result, state, job)
    disposition = {"Content-Disposition": f'attachment; filename="{job.id}.{format}"'}
    if format == "parquet":
        length = {"Content-Length": str(os.fstat(file.fileno()).st_size)}
        return StreamingResponse(_pieces(file), media_type=PARQUET, headers=disposition | length)
    if format == "csv":
        return StreamingResponse(_gathered(csv_lines(_rows(file))), media_type="text/csv", headers=disposition)
    return StreamingResponse(_gathered(_json_array(file)), media_type="application/json")


def _open_result(state: ServiceState, job: Job) -> BinaryIO:
    """The table of a job; opened once, so that it can be read to its end where it expires meanwhile."""
    if job.state == "done":
        with contextlib.suppress(FileNotFoundError):
            return state.folder.result(job.id).open("rb")
        if job.instance != state.folder.instance:
            raise ServiceError("the result is with another service of this database; ask that one", status=409)
    if job.state in ("done", "expired"):
        raise ServiceError("the result has expired; submit the files again", status=410)
    reason = f" ({job.error})" if job.error else ""
    raise ServiceError(f"the job is {job.state}{reason}; it has no result", status=409)


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while piece := file.read(PIECE):
            yield piece


def _gathered(lines: Iterator[str]) -> Iterator[bytes]:
    """Pieces of some size: each costs the server more than a line does."""
    piece = bytearray()
    for line in lines:
        piece += line.encode()
        if len(piece) >= PIECE:
            yield bytes(piece)
            piece.clear()
    yield bytes(piece)


def _rows(file: BinaryIO) -> Iterator[dict[str, Any]]:
    with file, pq.ParquetFile(file) as table:
        for batch in table.iter_batches(batch_size=1000):
            yield from batch.to_pylist()


def _json_array(file: BinaryIO) -> Iterator[str]:
    separator = "["
    for row in _rows(file):
        yield separator + json.dumps(row)
        separator = ",\n"
    yield "[]\n" if separator == "[" else "]\n"


def _statuses(state: ServiceState, of: Sequence[Job]) -> list[dict[str, Any]]:
    positions = state.jobs.positions(of)
    return [_status(job, positions.get(job.id)) for job in of]


def _status(job: Job, position: int | None) -> dict[str, Any]:
    """A job as its owner sees it."""
    done = job.state == "done"
    return {
        "id": job.id,
        "state": job.state,
        "position": position,
        "files": len(job.files),
        "unreadable": sum(file.error is not None for file in job.files),
        "bytes": job.bytes,
        "done": job.done,
        "total": job.total,
        "error": job.error,
        "created": _time(job.created),
        "started": _time(job.started),
        "ended": _time(job.ended),
        "expires": _time(job.expires),
        "result": {kind: f"v1/jobs/{job.id}/result?format={kind}" for kind in ("json", "csv", "parquet")}
        if done
        else {},
    }


def _time(moment: float | None) -> str | None:
    return None if moment is None else datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")


def _respond(state: ServiceState, job: Job, code: int) -> Response:
    headers = {"Location": f"/v1/jobs/{job.id}"}
    return Response(json.dumps(_statuses(state, [job])[0]), code, headers, "application/json")
