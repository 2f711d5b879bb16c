"""From an official file to an answer: converted, verified, predicted with; equal to the network run by hand."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

import mien
from mien.cli.app import run
from mien.datasets import dataset_info
from mien.evaluation.predict import predict_samples
from mien.geometry import five_points, similarity
from mien.labels import label_set
from mien.models import build
from mien.models.apvit import APViTConfig
from mien.models.poster import PosterConfig
from mien.models.poster_v2 import PosterV2Config
from mien.prepared.image_framing import stated_framing
from mien.preprocess import TEMPLATES, warp
from mien.weights.manifest import load_manifest, write_manifest
from mien.weights.official import convert_file
from tests.conftest import EXAMPLES
from tests.parity.official import FAMILIES, state_of
from tests.prepared.cut_faces import SIDE, faces

PHOTO = str(EXAMPLES / "astronaut.jpg")
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def save_official(path: Path, family: str, config: Any) -> Path:
    """A checkpoint as the authors' scripts save it, with numbers by rule."""
    state = state_of(FAMILIES[family].layout(config))
    torch.save({"iter": 3, "model_state_dict": {f"module.{k}": v for k, v in state.items()}}, path)
    return path


@pytest.fixture(scope="module")
def poster(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("poster")
    return save_official(folder / "rafdb_best.pth", "poster", PosterConfig(size="small"))


@pytest.fixture(scope="module")
def converted(poster: Path) -> Path:
    target = poster.with_name("poster.safetensors")
    assert run(["weights", "convert", str(poster), "--to", str(target), "--labels", "raf-db"]) == 0
    return target


def by_hand(network: Any, crop: np.ndarray) -> np.ndarray:
    """Softmax of a network on one crop (S, S, 3) whose channels are as they are fed."""
    x = torch.from_numpy(((crop / 255 - MEAN) / STD).transpose(2, 0, 1)[None]).float()
    with torch.inference_mode():
        return network.eval()(x).double().softmax(-1)[0].numpy()


def aligned(face: mien.Face, template: str, size_px: int) -> np.ndarray:
    image = mien.read_image(PHOTO)
    matrix = similarity(five_points(np.array(face.landmarks)), TEMPLATES[template] * size_px)
    return warp(image, matrix, size_px)


def test_without_labels_the_command_says_what_it_needs(poster: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["weights", "convert", str(poster), "--to", str(poster.with_name("x.safetensors"))]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "does not say in which order they stand and in which colour order it saw its images" in line
    assert not poster.with_name("x.safetensors").exists()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--labels", "raf-db", "--channels", "grb"], "they can be 'rgb' or 'bgr'"),
        (["--labels", "raf-db", "--keep-rates", "most"], "give numbers with commas between"),
        (["--labels", "raf-db", "--keep-rates", "1,0.9"], "belong to APViT; this is poster"),
        (["--labels", "affectnet-8"], "with 7 classes, but --labels affectnet-8 has 8"),
    ],
)
def test_options_that_cannot_be_are_one_line_and_code_two(
    arguments: list[str], reason: str, poster: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["weights", "convert", str(poster), "--to", str(poster.with_name("x.safetensors")), *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert reason in line
    assert not poster.with_name("x.safetensors").exists()


def test_poster_of_raf_db_sees_blue_first(poster: Path, converted: Path) -> None:
    (face,) = mien.predict(PHOTO, weights=converted)
    assert face.expression is not None
    assert face.expression.labels == label_set("raf-db")
    network = build("poster", size="small")
    network.load_state_dict(convert_file(poster).state)
    crop = aligned(face, "face", 224)
    np.testing.assert_allclose(face.expression.values, by_hand(network, crop[..., ::-1]), atol=1e-5)
    assert np.abs(face.expression.values - by_hand(network, crop)).max() > 1e-3  # red first


def test_official_weights_take_the_framing_of_ones_own_copy(
    poster: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mien.prepare("folder", faces(tmp_path / "set"), tmp_path / "prepared", template="image", canvas_px=SIDE)
    target, framing = tmp_path / "framed.safetensors", stated_framing(tmp_path / "prepared")
    words = ["weights", "convert", str(poster), "--to", str(target), "--labels", "raf-db", "--framing"]
    assert run([*words, str(tmp_path / "prepared")]) == 0
    assert "bgr, framed as its set" in (text := capsys.readouterr().out)
    assert framing.describe() in text
    assert load_manifest(str(target)).inputs.points == framing.points
    (face,) = mien.predict(PHOTO, weights=target)
    network = build("poster", size="small")
    network.load_state_dict(convert_file(poster).state)
    matrix = similarity(five_points(np.array(face.landmarks)), np.array(framing.points) * 224)
    crop = warp(mien.read_image(PHOTO), matrix, 224)[..., ::-1]
    assert face.expression is not None
    np.testing.assert_allclose(face.expression.values, by_hand(network, crop), atol=1e-5)
    assert run([*words, str(tmp_path), "--overwrite"]) == 1
    assert "holds no prepared.json" in capsys.readouterr().err


def test_a_converted_file_is_shown_verified_and_used(converted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["weights", "show", str(converted)]) == 0
    assert '"channels": "bgr"' in capsys.readouterr().out
    assert run(["weights", "verify", str(converted)]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["ok"] * 3
    assert run(["predict", PHOTO, "--weights", str(converted), "--json"]) == 0
    assert '"p_neutral"' in capsys.readouterr().out


def test_in_python_the_network_says_what_it_is_fed_with(converted: Path) -> None:
    network = mien.load_network(converted)
    manifest: Any = network.manifest
    recognizer = mien.load(converted)
    (face,) = recognizer.predict(PHOTO)
    crop = manifest.inputs.crop(mien.read_image(PHOTO), np.array(face.landmarks))
    with torch.inference_mode():
        logits = network(torch.from_numpy(manifest.inputs.normalise(crop[None])))
    assert face.expression is not None
    np.testing.assert_allclose(face.expression.values, logits.softmax(-1)[0].numpy(), atol=1e-5)


def test_without_torch_each_command_says_what_to_install(poster: Path, converted: Path) -> None:
    code = "import sys; sys.modules['torch'] = None; from mien.cli.app import run; sys.exit(run(sys.argv[1:]))"
    for arguments in (
        ["predict", PHOTO, "--weights", str(converted)],
        ["weights", "convert", str(poster), "--to", str(poster.with_name("x.safetensors"))],
    ):
        done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
        assert done.returncode == 1
        assert "needs torch, which is not installed; in a clone of mien: pip install '.[train]'" in done.stderr
        assert len(done.stderr.splitlines()) == 1
    code = "import sys; sys.modules['torch'] = None; import mien; mien.load_network('default')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "MissingPackageError: A network as a torch module needs torch" in done.stderr


@pytest.mark.slow
def test_apvit_is_aligned_to_its_own_template_and_keeps_its_order(tmp_path: Path) -> None:
    file = save_official(tmp_path / "APViT_RAF.pth", "apvit", APViTConfig())
    target = tmp_path / "apvit.safetensors"
    rates = "1,1,1,1,1,1,0.9,0.9"
    assert run(["weights", "convert", str(file), "--to", str(target), "--keep-rates", rates]) == 0
    (face,) = mien.predict(PHOTO, weights=target)
    network = build("apvit", keep_rates=(1.0,) * 6 + (0.9,) * 2)
    network.load_state_dict(convert_file(file).state)
    assert face.expression is not None
    assert face.expression.labels == label_set("apvit-7")
    np.testing.assert_allclose(face.expression.values, by_hand(network, aligned(face, "arcface", 112)), atol=1e-5)


@pytest.mark.slow
@pytest.mark.heavy
def test_onnx_and_torch_give_one_answer_and_onnx_needs_no_torch(tmp_path: Path) -> None:
    file = save_official(tmp_path / "checkpoint.pth", "poster_v2", PosterV2Config(classes=8))
    target = tmp_path / "both.safetensors"
    assert run(["weights", "convert", str(file), "--to", str(target), "--labels", "affectnet-8", "--onnx"]) == 0
    assert run(["weights", "verify", str(target)]) == 0
    manifest = load_manifest(str(target))
    write_manifest(replace(manifest, files={target.name: ""}, filename="torch.json"))
    by_onnx = mien.predict(PHOTO, weights=target)[0].expression
    by_torch = mien.predict(PHOTO, weights=tmp_path / "torch.json")[0].expression
    assert by_onnx is not None
    assert by_torch is not None
    np.testing.assert_allclose(by_onnx.values, by_torch.values, atol=1e-5)
    code = "import sys; sys.modules['torch'] = None; from mien.cli.app import run; sys.exit(run(sys.argv[1:]))"
    arguments = ["predict", PHOTO, "--weights", str(target), "--json"]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_images_as_they_are_give_what_the_authors_inputs_give(converted: Path, tmp_path: Path) -> None:
    face = Image.open(PHOTO).convert("RGB").crop((168, 50, 278, 187)).resize((100, 100))
    (tmp_path / "RAF-DB/Image/aligned").mkdir(parents=True)
    (tmp_path / "RAF-DB/EmoLabel").mkdir()
    face.save(tmp_path / "RAF-DB/Image/aligned/test_0001_aligned.jpg")
    (tmp_path / "RAF-DB/EmoLabel/list_patition_label.txt").write_text("test_0001.jpg 4\n")
    recognizer = mien.load(converted, precision="float32")
    samples = dataset_info("raf-db").samples(tmp_path / "RAF-DB")
    made = predict_samples([(np.array([0]), [recognizer])], samples, detect=False, align=False)
    seen = Image.open(tmp_path / "RAF-DB/Image/aligned/test_0001_aligned.jpg").resize(
        (224, 224), Image.Resampling.BILINEAR
    )
    expected = by_hand(mien.load_network(converted), np.asarray(seen)[..., ::-1])  # read as BGR
    np.testing.assert_allclose(made.clean[0][0], expected, atol=1e-5)
    result = mien.evaluate("raf-db", tmp_path / "RAF-DB", weights=converted, align=False)
    assert result.settings["faces"] == "as the data set gives them, not aligned anew"
    with pytest.raises(mien.MienError, match="neither detect nor corruptions go with it"):
        mien.evaluate("raf-db", tmp_path / "RAF-DB", weights=converted, align=False, detect=True)
