"""The bodies of requests and responses as the OpenAPI document describes them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

_BINARY: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
IMAGE_TYPES = ("image/jpeg", "image/png", "image/webp", "image/*", "application/octet-stream")


class WeightsName(BaseModel):
    """Which weights predicted."""

    name: str = Field(examples=["default"])
    identity: str = Field(description="Twelve digits that stand for the files of these weights.")


class PoseValues(BaseModel):
    """Head rotation in degrees."""

    yaw_deg: float
    pitch_deg: float
    roll_deg: float


class QualityValues(BaseModel):
    """How well a face can be seen: docs/concepts/quality.md."""

    model_config = ConfigDict(extra="allow")

    eye_px: float
    off_axis_deg: float
    sharpness: float
    light: float
    contrast: float
    clipped: float
    upright: float
    flags: list[str] = Field(examples=[["small", "dark"]])


class FaceValues(BaseModel):
    """One face: `mien.Face.to_dict`, which `mien.Face.from_dict` reads, and the reasons in words."""

    box: list[float] = Field(description="left, top, right, bottom in pixels of the upright image.")
    detection: float | None
    landmarks: list[list[float]] | None = Field(description="68 points (x, y).")
    pose: PoseValues | None
    quality: QualityValues | None
    expression: dict[str, float] | None = Field(
        description="Calibrated probability of each class; they sum to 1.",
        examples=[{"neutral": 0.1, "happiness": 0.9}],
    )
    certain: bool | None
    confidence_threshold: float | None
    track: int | None
    smoothed: dict[str, float] | None
    scores_frame: int | None
    reasons: list[str] = Field(
        description="Why the prediction is not to be used as it is; empty where it is certain.",
        examples=[["face too small"], ["below 58%"]],
    )


class Prediction(BaseModel):
    """The faces of one image, largest first."""

    source: str = Field(description="File name as uploaded.", examples=["photo.jpg"])
    width: int = Field(description="Pixels of the upright image.")
    height: int
    frames: int = Field(description="Frames or pages of the file, of which the first was read.")
    small_faces: bool | None = Field(
        description="As asked for; null: where they are likely. false for an image beyond `search_megapixels`."
    )
    weights: WeightsName
    labels: list[str]
    confidence_threshold: float | None
    faces: list[FaceValues]
    rows: list[dict[str, Any]] = Field(description="The same with the columns of docs/reference/table.md.")


class Explanation(BaseModel):
    """Which parts of one face a network uses for a class: an occlusion map."""

    source: str = Field(description="File name as uploaded.", examples=["photo.jpg"])
    width: int = Field(description="Pixels of the upright image.")
    height: int
    weights: WeightsName
    method: Literal["occlusion"]
    face: int = Field(description="Number of the face in the image, from 0: the largest.")
    box: list[float] = Field(description="left, top, right, bottom of the face in pixels of the upright image.")
    label: str = Field(description="The class that is explained.", examples=["happiness"])
    probability: float
    cells: list[list[float]] = Field(
        description="12 x 12 cells of the aligned face, from its top: fall of the probability where a cell is "
        "hidden; negative where it rises."
    )
    crop_px: int = Field(description="Side of the aligned face in pixels.")
    matrix: list[list[float]] = Field(description="(2, 3): from pixels of the upright image into the aligned face.")


class Health(BaseModel):
    """That the service responds."""

    status: str = Field(examples=["ok"])


class ErrorDetail(BaseModel):
    """What is wrong and what to do."""

    type: str = Field(description="A class of `mien.errors`.", examples=["ImageError"])
    message: str = Field(examples=["photo.jpg: is not an image of a known format"])
    status: int = Field(examples=[422])


class ErrorBody(BaseModel):
    """The body of every error."""

    error: ErrorDetail


class ModelFile(BaseModel):
    """A file for prediction in the browser."""

    name: str = Field(examples=["default.onnx"])
    url: str = Field(description="Relative to the root of the service.", examples=["models/default/default.onnx"])
    bytes: int
    sha256: str


class BrowserModel(BaseModel):
    """Weights whose files are served for prediction in the browser; `manifest` says how to use them."""

    name: str = Field(examples=["default"])
    network: str = Field(examples=["poster_v2"])
    manifest: str = Field(examples=["models/default/manifest.json"])
    files: list[ModelFile]


class Weights(BaseModel):
    """Weights that `weights` may name."""

    name: str
    network: str
    identity: str
    labels: list[str]
    input_px: int
    tta: bool
    priors: list[str]
    confidence_thresholds: dict[str, float]
    accuracies: dict[str, float]
    licence: str


class Limits(BaseModel):
    """What this service accepts."""

    image_mib: float
    image_megapixels: float
    search_megapixels: float = Field(description="Larger images are not searched for small faces tile by tile.")
    job_files: int
    job_mib: float
    keep_hours: float
    url: bool = Field(description="Whether `url` may name an image.")
    token: bool = Field(description="Whether requests need a bearer token.")


class Models(BaseModel):
    """What this service predicts with."""

    version: str
    default: str
    weights: list[Weights]
    browser: list[BrowserModel]
    limits: Limits


class JobStatus(BaseModel):
    """A job."""

    id: str
    state: Literal["queued", "running", "done", "failed", "cancelled", "expired"]
    position: int | None = Field(
        description="Place in the queue, from 1, as it stands now; null: not in the queue. Clients take turns, so "
        "that a client who comes later, or waits for longer, may go first."
    )
    files: int = Field(description="Uploads.")
    unreadable: int = Field(description="Uploads that are no image or video; they are rows with an error.")
    bytes: int
    done: int = Field(description="Images and frames that are predicted.")
    total: int | None = Field(description="Of so many; of videos an estimate.")
    error: str | None = Field(description="Why a job failed.")
    created: str = Field(examples=["2026-11-27T10:00:00+00:00"])
    started: str | None = Field(description="When it was begun, or last gone on with after the turn of others.")
    ended: str | None
    expires: str | None = Field(description="When the result is removed.")
    result: dict[str, str] = Field(
        description="Addresses of the table by format.",
        examples=[{"csv": "v1/jobs/4f2a/result?format=csv"}],
    )


class JobList(BaseModel):
    """Jobs."""

    jobs: list[JobStatus]


def job_body() -> dict[str, Any]:
    """The request body of `POST /v1/jobs`."""
    files = {"type": "array", "items": {"type": "string", "format": "binary"}}
    form = {"type": "object", "properties": {"files": files}, "required": ["files"],
            "additionalProperties": {"type": "string"}}  # fmt: skip
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": form}}}}


def image_body() -> dict[str, Any]:
    """The request body of `POST /v1/predict`."""
    form = {
        "schema": {
            "type": "object",
            "properties": {"image": {"type": "string", "format": "binary"}},
            "additionalProperties": {"type": "string"},
        }
    }
    content = {kind: _BINARY for kind in IMAGE_TYPES} | {"multipart/form-data": form}
    return {"requestBody": {"required": False, "content": content}}


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Documented error responses."""
    meaning = {
        400: "The request is broken.", 401: "No valid token.", 403: "Not allowed here.", 404: "Not there.",
        408: "The body came too slowly.", 409: "Not in this state.", 410: "Expired.", 413: "Too large.",
        415: "The body is of a type that is not read.", 422: "Wrong options, or a file that cannot be read.",
        429: "Busy; `Retry-After` says when to try again.",
        503: "Not ready, or without its database.", 507: "The disk of the service is full.",
    }  # fmt: skip
    return {status: {"model": ErrorBody, "description": meaning[status]} for status in statuses}
