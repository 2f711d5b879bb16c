"""`POST /v1/predict`: one image to its faces; `POST /v1/explain`: one of them to its explanation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from mien.errors import ServiceError
from mien.service.body import FormReader, MemorySink, content_type, pieces, stated_length
from mien.service.gather import Gatherer
from mien.service.image_work import ImageRequest
from mien.service.options import ExplainOptions, ImageOptions, check_once, with_fields
from mien.service.schemas import Explanation, Prediction, errors, image_body
from mien.service.settings import MIB
from mien.service.state import ServiceState, owner_of, state_of

router = APIRouter()


@router.post(
    "/v1/predict",
    summary="Predict the expression of every face in an image",
    response_model=Prediction,
    responses=errors(400, 401, 403, 408, 413, 415, 422, 429),
    openapi_extra=image_body(),
    tags=["prediction"],
)
async def predict(request: Request, options: Annotated[ImageOptions, Query()]) -> Response:
    """The image as the body, or as the field `image` of a form; options in the query or as fields of the form.

    The image is not stored.
    """
    state = state_of(request)
    return await _carried_out(request, options, state, state.gatherer)


@router.post(
    "/v1/explain",
    summary="Which parts of one face its prediction uses",
    response_model=Explanation,
    responses=errors(400, 401, 403, 408, 413, 415, 422, 429),
    openapi_extra=image_body(),
    tags=["prediction"],
)
async def explain(request: Request, options: Annotated[ExplainOptions, Query()]) -> Response:
    """The occlusion map of a face, as `mien explain` makes it: 197 runs of the network, one request at a time.

    Image, options and limits are those of `POST /v1/predict`.
    """
    state = state_of(request)
    return await _carried_out(request, options, state, state.explainer)


async def _carried_out(
    request: Request, options: ImageOptions, state: ServiceState, gatherer: Gatherer[ImageRequest, bytes]
) -> Response:
    """The response of a queue to an image within the limits."""
    check_once(request.query_params.multi_items())
    state.recognizers.check(options)
    client, most = owner_of(request), int(state.settings.max_mib * MIB)
    with state.memory.request(client, min(stated_length(request) or 0, most)) as arrived:
        with gatherer.arriving(client):
            image = await _received(request, options, state, arrived)
        state.recognizers.check(image.options)
        body = await gatherer.submit(client, image)
    return Response(body, media_type="application/json")


async def _received(
    request: Request, options: ImageOptions, state: ServiceState, arrived: Callable[[int], None]
) -> ImageRequest:
    settings = state.settings
    kind, parameters = content_type(request)
    max_bytes = int(settings.max_mib * MIB)
    if kind == "multipart/form-data":
        sinks: list[tuple[str, MemorySink]] = []

        def open_file(field: str, name: str) -> MemorySink:
            if field != "image" or sinks:
                raise ServiceError(f"give one file, in the field 'image'; the field {field!r} is one more")
            sinks.append((name, MemorySink()))
            return sinks[0][1]

        form = FormReader(parameters.get("boundary", ""), open_file, files="image")
        async for piece in pieces(request, max_bytes=max_bytes, timeout_s=settings.timeout_s):
            arrived(len(piece))
            form.feed(piece)
        form.finish()
        options = with_fields(options, form.fields)
        name, content = (sinks[0][0], bytes(sinks[0][1].content)) if sinks else ("", b"")
    elif kind.startswith("image/") or kind in ("application/octet-stream", ""):
        data = bytearray()
        async for piece in pieces(request, max_bytes=max_bytes, timeout_s=settings.timeout_s):
            arrived(len(piece))
            data += piece
        name, content = "image", bytes(data)
    else:
        raise ServiceError(
            f"the body is {kind[:80]!r}; send an image (image/jpeg, ...) or a form (multipart/form-data)",
            status=415,
        )
    if content and options.url is not None:
        raise ServiceError("there are an image and a 'url'; give one of them", status=422)
    if options.url is not None:
        if state.fetcher is None:
            raise ServiceError("this service fetches no addresses; send the image itself", status=403)
        name, content = "image", await state.fetcher.fetch(options.url, arrived)
    if not content:
        raise ServiceError("there is no image; send it as the body or as the field 'image' of a form", status=422)
    return ImageRequest(content, name or "image", options)
