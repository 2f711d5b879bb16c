from __future__ import annotations

import os
from pathlib import Path

import pytest

from mien.synthetic.face_model import FaceModel, load_model
from tests.synthetic import fabricated


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fabricated.save(tmp_path_factory.mktemp("model") / "face.npz")


@pytest.fixture(scope="session")
def fabricated_model(model_file: Path) -> FaceModel:
    return load_model(model_file)


@pytest.fixture(scope="session")
def real_model() -> FaceModel:
    beside = Path(__file__).parents[3] / "shared" / "data" / "ict_facekit.npz"
    path = Path(os.environ.get("MIEN_ICT_FACEKIT", beside))
    if not path.exists():
        pytest.skip(
            f"no face model at {path} (or MIEN_ICT_FACEKIT); docs/datasets/rendered.md says where to get it"
        )
    return load_model(path)


@pytest.fixture(params=["fabricated_model", "real_model"])
def model(request: pytest.FixtureRequest) -> FaceModel:
    return request.getfixturevalue(request.param)
