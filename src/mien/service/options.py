"""Options of a request: the names of the command line, from the query and from form fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mien.errors import OptionError
from mien.labels import LABEL_SETS
from mien.media.frames import Sampling

MAX_OPTION = 200  # characters of a value


class PredictOptions(BaseModel):
    """How faces are predicted; what is left out is as `mien predict` has it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weights: Annotated[
        str | None, Field(max_length=MAX_OPTION, description="A name of `GET /v1/models`. Default: its first.")
    ] = None
    detect: Annotated[bool, Field(description="false: the image is one face already, nothing is detected.")] = True
    threshold: Annotated[float, Field(gt=0, lt=1, description="Least confidence of a detection.")] = 0.5
    small_faces: Annotated[
        bool | None,
        Field(description="Search large images at full size. Default: where small faces are likely."),
    ] = None
    labels: Annotated[
        str | None,
        Field(
            max_length=MAX_OPTION,
            description="Label set of the predictions.",
            examples=["raf-db"],
            json_schema_extra={"x-known": sorted(LABEL_SETS)},
        ),
    ] = None
    priors: Annotated[
        str, Field(max_length=MAX_OPTION, description="Class frequencies to assume: default, natural, balanced.")
    ] = "default"
    tta: Annotated[
        bool | None, Field(description="Test-time augmentation (horizontal flip). Default: that of the weights.")
    ] = None
    min_confidence: Annotated[
        float | None,
        Field(
            ge=0,
            le=1,
            description="Confidence threshold of certain predictions, 0 to 1. Default: that of the weights.",
        ),
    ] = None


class ImageOptions(PredictOptions):
    """Options of `POST /v1/predict`."""

    url: Annotated[
        str | None,
        Field(max_length=2000, description="Address of the image instead of a body, where the service allows it."),
    ] = None


class ExplainOptions(ImageOptions):
    """Options of `POST /v1/explain`."""

    face: Annotated[
        int, Field(ge=0, le=100_000, description="Which face of `POST /v1/predict`, from 0: the largest.")
    ] = 0
    label: Annotated[
        str | None, Field(max_length=MAX_OPTION, description="The class to explain. Default: the most probable.")
    ] = None


class JobOptions(PredictOptions):
    """Options of `POST /v1/jobs`; the last ones are of videos."""

    fps: Annotated[float | None, Field(gt=0, le=1000, description="Frames to examine per second.")] = None
    every: Annotated[int, Field(ge=1, le=1_000_000, description="Examine every n-th frame.")] = 1
    start_s: Annotated[float, Field(ge=0, le=1e6, description="Begin here.")] = 0.0
    end_s: Annotated[float | None, Field(gt=0, le=1e6, description="End before this time.")] = None
    smoothing: Annotated[bool, Field(description="Also smooth scores over each track.")] = True
    reuse_scores: Annotated[
        bool,
        Field(description="A face that has not changed takes over the scores of a frame less than 0.25 s away."),
    ] = True

    def check_sampling(self) -> None:
        """Raises `OptionError` for options of videos that exclude each other."""
        Sampling(fps=self.fps, every=self.every, start_s=self.start_s, end_s=self.end_s)


Options = TypeVar("Options", bound=PredictOptions)


def with_fields(options: Options, form: Mapping[str, str]) -> Options:
    """Options of the query, and over them those of a form. Raises `OptionError`."""
    if not form:
        return options
    try:
        return type(options).model_validate(options.model_dump(exclude_unset=True) | dict(form))
    except ValidationError as error:
        raise OptionError(problems(error.errors(include_url=False))) from None


def check_once(query: Sequence[tuple[str, str]]) -> None:
    """Raises `OptionError` for an option that a query has twice, as forms are refused too."""
    names = [name for name, _ in query]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise OptionError(f"the option {twice[:80]!r} is there twice; give it once")


def problems(errors: object) -> str:
    """The complaints of Pydantic in one line: "threshold: Input should be less than 1"."""
    lines = []
    for error in errors if isinstance(errors, list | tuple) else ():
        field = [str(part) for part in error.get("loc", ()) if part not in ("query", "body", "path", "header")]
        unknown = error.get("type") == "extra_forbidden"
        reason = "there is no such option; /openapi.json lists them" if unknown else error.get("msg", "is wrong")
        lines.append(f"{'.'.join(field)[:80] or 'request'}: {reason}")
    return "; ".join(lines[:5]) or "the request is wrong"
