"""`GET /v1/models`, and the model files that the page predicts with in the browser."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, Response

from mien._version import __version__
from mien.errors import ServiceError
from mien.service.recognizers import summary_of
from mien.service.schemas import Models, errors
from mien.service.state import state_of
from mien.weights.borrow import borrows
from mien.weights.manifest import SHIPPED, WeightsManifest, load_manifest, shipped_names

router = APIRouter()


@router.get(
    "/v1/models",
    summary="Weights to choose from, model files for the browser, limits",
    response_model=Models,
    responses=errors(401, 403),
    tags=["prediction"],
)
async def models(request: Request) -> Any:
    """Names for the option `weights`, with classes and accuracies, and what this service accepts."""
    state = state_of(request)
    settings = state.settings
    return {
        "version": __version__,
        "default": state.recognizers.default,
        "weights": [summary_of(manifest) for manifest in state.recognizers.manifests.values()],
        "browser": [_browser(load_manifest(name)) for name in shipped_names()],
        "limits": {
            "image_mib": settings.max_mib,
            "image_megapixels": settings.max_megapixels,
            "search_megapixels": settings.max_search_megapixels,
            "job_files": settings.job_files,
            "job_mib": settings.job_mib,
            "keep_hours": settings.keep_hours,
            "url": settings.allow_urls,
            "token": settings.auth,
        },
    }


@router.get("/models/{name}/{file}", include_in_schema=False)
async def model_file(name: str, file: str) -> Response:
    """An ONNX file, what it takes weights from, or a manifest of the package, read-only."""
    if file not in _served(name):
        raise ServiceError("there is no such model file; GET /v1/models lists them", status=404)
    return FileResponse(SHIPPED / name / file, headers={"Cache-Control": "public, max-age=3600, no-transform"})


@lru_cache(maxsize=32)
def _served(name: str) -> frozenset[str]:
    if name not in shipped_names():
        return frozenset()
    return frozenset({"manifest.json", *_onnx_files(load_manifest(name))})


def _browser(manifest: WeightsManifest) -> dict[str, Any]:
    return {
        "name": manifest.name,
        "network": manifest.network,
        "manifest": f"models/{manifest.name}/manifest.json",
        "files": [
            {
                "name": file,
                "url": f"models/{manifest.name}/{file}",
                "bytes": (manifest.folder / file).stat().st_size,
                "sha256": sha256,
            }
            for file, sha256 in _onnx_files(manifest).items()
        ],
    }


def _onnx_files(manifest: WeightsManifest) -> dict[str, str]:
    """The ONNX files and what they take their weights from, with their hashes."""
    onnx = f"{manifest.name}.onnx"
    lenders = {file for file in manifest.files if file.endswith(".safetensors")}
    needed = {file for file in lenders if borrows(manifest.folder / onnx, file)}
    return {file: sha256 for file, sha256 in manifest.files.items() if file.endswith(".onnx") or file in needed}
