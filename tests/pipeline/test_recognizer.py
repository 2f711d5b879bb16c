from __future__ import annotations

import base64
import copy
import dataclasses
import io
import json
import pickle
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import mien
from mien.errors import ImageError, InputError, OptionError, UnknownNameError
from mien.faces import Detection
from mien.geometry import Box
from mien.labels import FERPLUS, RAF_DB
from mien.pipeline import loading as module
from mien.pipeline.classifier import ExpressionNetwork, calibrated
from mien.pipeline.recognizer import Recognizer
from mien.weights.manifest import SHIPPED, ConfidenceThreshold
from tests.conftest import EXAMPLES


def test_the_astronaut_smiles(recognizer: mien.Recognizer, astronaut: np.ndarray) -> None:
    (face,) = recognizer.predict(astronaut)
    assert face.expression is not None
    assert face.expression.top == "happiness"
    assert face.expression["happiness"] > 0.8
    assert sum(face.expression.values) == pytest.approx(1)
    assert face.pose is not None
    assert max(abs(face.pose.yaw_deg), abs(face.pose.pitch_deg), abs(face.pose.roll_deg)) < 25


def test_grace_hopper_does_not_smile(recognizer: mien.Recognizer, hopper: np.ndarray) -> None:
    (face,) = recognizer.predict(hopper)
    assert face.expression is not None
    assert face.expression["happiness"] < 0.3


def test_path_bytes_array_and_pil_image_give_one_answer(recognizer: mien.Recognizer) -> None:
    path = EXAMPLES / "astronaut.jpg"
    image = Image.open(path)
    predictions = [recognizer.predict(x) for x in (path, str(path), path.read_bytes(), image, np.asarray(image))]
    assert all(faces == predictions[0] for faces in predictions)
    (face,) = mien.predict(path)
    assert face.expression is not None
    assert face.expression.top == "happiness"
    assert mien.predict(path, detect=False)[0].detection is None


def test_no_face_is_an_empty_list(recognizer: mien.Recognizer) -> None:
    assert recognizer.predict(np.full((200, 300, 3), 90, np.uint8)) == []


def test_faces_come_largest_first(recognizer: mien.Recognizer, astronaut: np.ndarray) -> None:
    small = np.asarray(Image.fromarray(astronaut).resize((256, 256), Image.Resampling.LANCZOS))
    both = np.zeros((512, 768, 3), np.uint8)
    both[:256, :256], both[:, 256:] = small, astronaut
    areas = [face.box.area for face in recognizer.predict(both)]
    assert len(areas) == 2
    assert areas == sorted(areas, reverse=True)


def test_a_crop_gives_one_face_with_the_whole_image_as_box(
    recognizer: mien.Recognizer, astronaut: np.ndarray
) -> None:
    crop = astronaut[50:190, 160:290]
    (face,) = recognizer.predict(crop, detect=False)
    assert face.box == Box(0, 0, 130, 140)
    assert face.detection is None
    assert face.expression is not None
    assert face.expression.top == "happiness"


def test_crop_and_detection_agree_on_the_same_face(recognizer: mien.Recognizer, astronaut: np.ndarray) -> None:
    detected = recognizer.predict(astronaut)[0].expression
    cropped = recognizer.predict(astronaut[45:195, 150:300], detect=False)[0].expression
    assert detected is not None
    assert cropped is not None
    np.testing.assert_allclose(detected.values, cropped.values, atol=0.15)


def test_seven_classes_have_no_contempt(astronaut: np.ndarray) -> None:
    seven = mien.load(labels="raf-db", threads=1).predict(astronaut)[0].expression
    assert seven is not None
    assert seven.labels == RAF_DB
    assert sum(seven.values) == pytest.approx(1)


def test_priors_shift_the_answer_and_are_named(astronaut: np.ndarray) -> None:
    natural = mien.load(priors="natural", threads=1).predict(astronaut)[0].expression
    balanced = mien.load(priors="balanced", threads=1).predict(astronaut)[0].expression
    assert natural is not None
    assert balanced is not None
    assert balanced["contempt"] > natural["contempt"]
    with pytest.raises(UnknownNameError, match="No prior called 'flat'"):
        mien.load(priors="flat")


WRONG: list[dict[str, Any]] = [
    {"weights": 5}, {"weights": None}, {"threshold": "0.5"}, {"threshold": float("nan")}, {"detector": 3},
    {"labels": 3}, {"labels": ["anger", "anger"]}, {"labels": ["bored"]}, {"priors": 3}, {"priors": ["natural"]},
    {"tta": "yes"}, {"min_confidence": "0.5"}, {"small_faces": "no"}, {"labels": []}, {"labels": ["anger"]},
    {"min_confidence": True},
]  # fmt: skip


@pytest.mark.parametrize("options", WRONG, ids=str)
def test_options_of_the_wrong_type_are_refused_in_our_words(options: dict[str, Any]) -> None:
    for function in (mien.load, partial(mien.predict, EXAMPLES / "astronaut.jpg")):
        with pytest.raises(OptionError) as error:
            function(**options)
        assert len(str(error.value)) < 300


def test_runs_over_many_images_refuse_wrong_options_before_they_begin(recognizer: mien.Recognizer) -> None:
    wrong: list[dict[str, Any]] = [{"workers": -1}, {"workers": "2"}, {"detect": 1}, {"output": 5}, {"save": 5}]
    for options in wrong:
        with pytest.raises(OptionError):
            recognizer.stream([EXAMPLES], **options)
    for sources in (5, [5], [None]):
        with pytest.raises(OptionError, match="give"):
            recognizer.predict_many(sources)
    with pytest.raises(InputError, match="no such folder"):
        recognizer.predict_folder(EXAMPLES / "absent")


@pytest.mark.parametrize("boxes", [[(1, 2, 3, 4)], [Box(5, 5, 5, 9)], [None], 3, "abcd"])
def test_boxes_of_the_wrong_kind_are_refused(
    recognizer: mien.Recognizer, astronaut: np.ndarray, boxes: Any
) -> None:
    with pytest.raises(OptionError, match="mien.Box|no area"):
        recognizer.predict(astronaut, boxes=boxes)


def test_given_boxes_keep_their_order_and_carry_no_detection(
    recognizer: mien.Recognizer, astronaut: np.ndarray
) -> None:
    boxes = [Box(0, 0, 60, 60), Box(182, 58, 270, 178)]
    faces = mien.predict(astronaut, boxes=boxes)
    assert [face.box for face in faces] == boxes
    assert [face.detection for face in faces] == [None, None]
    assert recognizer.predict(astronaut, boxes=[]) == []


def test_networks_stay_loaded_between_calls(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, astronaut: np.ndarray
) -> None:
    loads: list[dict[str, Any]] = []
    load = module.load
    module._load_cached.cache_clear()
    monkeypatch.setattr(module, "load", lambda *given, **options: loads.append(options) or load(*given, **options))
    weights = tmp_path / "weights"
    shutil.copytree(SHIPPED / "default", weights)
    with ThreadPoolExecutor(4) as pool:
        faces = list(pool.map(lambda _: mien.predict(astronaut, weights=weights), range(4)))
    assert all(each == faces[0] for each in faces)
    assert mien.predict(astronaut, weights=weights / "default.onnx") == faces[0]
    assert len(loads) == 1
    mien.predict(astronaut, weights=weights, labels=["happiness", "anger"])
    mien.predict(astronaut, weights=weights, labels=["happiness", "anger"])
    assert len(loads) == 2
    manifest = weights / "manifest.json"
    manifest.write_text(manifest.read_text() + "\n")
    mien.predict(astronaut, weights=weights)
    assert len(loads) == 3
    for least in np.linspace(0.1, 0.9, 9):
        mien.predict(astronaut, weights=weights, min_confidence=float(least))
    assert module._load_cached.cache_info().currsize == module.KEPT_LOADED


def test_results_are_plain_values_with_a_short_repr(recognizer: mien.Recognizer) -> None:
    (result,) = recognizer.stream([EXAMPLES / "astronaut.jpg"])
    (face,) = result.faces
    for value in (recognizer, result, face, face.box, face.pose, face.quality, face.expression):
        assert len(repr(value)) <= 116
        assert "\n" not in repr(value)
    for value in (result, face, face.box, face.pose, face.quality, face.expression):
        assert copy.deepcopy(value) == value
        assert pickle.loads(pickle.dumps(value)) == value
        assert len(dataclasses.asdict(value)) == len(dataclasses.astuple(value))
    assert face.expression is not None
    assert re.match(r"Face\('happiness', confidence=[>\d]+%", repr(face))


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(OptionError, match="between 0 and 1"):
        mien.load(threshold=50)
    with pytest.raises(UnknownNameError, match="No weights called"):
        mien.load("no-such")
    with pytest.raises(UnknownNameError, match="No label set called"):
        mien.load(labels="raf")


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.zeros((5,), np.uint8), "shape"),
        (np.zeros((5, 5, 2), np.uint8), "shape"),
        (np.zeros((3, 5, 5), np.uint8), "channels come last"),
        (np.full((5, 5, 3), 200.0), "round"),
        (np.full((5, 5, 3), -2.0), "normalisation"),
        (np.full((5, 5, 3), np.nan), "nan_to_num"),
        (np.full((5, 5), np.inf), "nan_to_num"),
        (np.full((5, 5), 60000, np.uint16), r"255 / 65535.* where 65535 is white"),
        (np.full((5, 5), 1020, np.int64), r"255 / 1023.* where 1023 is white"),
        (np.zeros((1, 3, 5, 5), np.uint8), "one image at a time"),
        (np.full((5, 5), 1.2), r"clip\(0, 1\) where 1 is white, .*round\(\).* where 255 is"),
        (np.full((5, 5), True), "bool"),
        (np.full((5, 5), "a"), "uint8"),
    ],
)
def test_arrays_of_the_wrong_kind_are_refused(recognizer: mien.Recognizer, array: np.ndarray, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        recognizer.predict(array)


def test_whole_numbers_of_any_type_are_the_same_image(recognizer: mien.Recognizer, astronaut: np.ndarray) -> None:
    faces = recognizer.predict(astronaut)
    for kind in (np.int16, np.uint16, np.int64):
        assert recognizer.predict(astronaut.astype(kind)) == faces
    for kind in (np.float32, np.float64):
        assert recognizer.predict((astronaut / 255).astype(kind)) == faces
    grey = astronaut[:, :, 1]
    assert recognizer.predict(grey[:, :, None]) == recognizer.predict(grey)


def test_no_foreign_error_leaves_a_prediction(recognizer: mien.Recognizer, astronaut: np.ndarray) -> None:
    photo = (EXAMPLES / "astronaut.jpg").read_bytes()
    with pytest.raises(InputError, match="cannot be read"):
        recognizer.predict(Image.open(io.BytesIO(photo[:9000])))
    with pytest.raises(InputError, match="0x0 pixels"):
        recognizer.predict(Image.new("RGB", (0, 0)))
    with pytest.raises(InputError, match="is base64 text"):
        recognizer.predict(base64.b64encode(photo))
    for box in (Box(0, 0, float("inf"), 9), Box(0, 0, 1e12, 1e12), Box(5000, 5000, 5100, 5100)):
        with pytest.raises(OptionError, match="outside the image of 512x512"):
            recognizer.predict(astronaut, boxes=[box])
    (face,) = recognizer.predict(astronaut)
    assert face.expression is not None
    with pytest.raises(UnknownNameError, match="No class called 'happy'"):
        face.expression["happy"]
    assert face.landmarks is not None
    assert recognizer.network.manifest.inputs.crop(astronaut, face.landmarks).ndim == 3
    with pytest.raises(ImageError, match="is a data URL; give base64"):
        recognizer.predict("data:image/png;base64,iVBORw0KGgo=")
    with pytest.raises(OptionError, match="sources holds array.*give a path") as error:
        recognizer.predict_many([astronaut])  # type: ignore[list-item]
    assert len(str(error.value)) < 200


def test_a_users_detector_may_give_numpy_numbers_and_nothing_else(astronaut: np.ndarray, tmp_path: Path) -> None:
    class Own:
        def __init__(self, detections: object) -> None:
            self.detections = detections

        def detect(self, _image: np.ndarray) -> list[mien.Detection]:
            return self.detections  # type: ignore[return-value]

    sides = np.array([178, 60, 268, 176], np.float32)
    own = mien.load(detector=Own([mien.Detection(Box(*sides), np.float32(0.5))]), threads=1)
    (face,) = own.predict(astronaut)
    assert json.loads(json.dumps(face.to_dict()))["box"] == [178.0, 60.0, 268.0, 176.0]
    assert own.predict_many([EXAMPLES / "astronaut.jpg"], output=tmp_path / "t.csv").num_rows == 1
    for wrong in (None, [(1, 2, 3, 4)]):
        with pytest.raises(OptionError, match=r"give a list of mien.Detection"):
            mien.load(detector=Own(wrong), threads=1).predict(astronaut)
    for box, score in (
        (Box(float("nan"), 0, 5, 5), 0.9), (Box(5, 5, 5, 5), 0.9), (Box(90, 90, 5, 5), 0.9),
        (Box(178, 60, 268, 176), float("nan")), (Box(178, 60, 268, 176), 5),
    ):  # fmt: skip
        own = mien.load(detector=Own([mien.Detection(box, score)]), threads=1)
        with pytest.raises(OptionError, match="a detection (is Box|has no numbers)") as error:
            own.predict(astronaut)
        (row,) = own.predict_many([EXAMPLES / "astronaut.jpg"]).to_pylist()
        assert row["error"] == str(error.value)


def test_base64_text_is_named_and_not_repeated(recognizer: mien.Recognizer) -> None:
    text = base64.b64encode((EXAMPLES / "astronaut.jpg").read_bytes()).decode()
    with pytest.raises(ImageError, match="b64decode") as error:
        recognizer.predict(text)
    assert len(str(error.value)) < 200


def test_other_things_are_refused(recognizer: mien.Recognizer) -> None:
    with pytest.raises(InputError, match="not BytesIO"):
        recognizer.predict(io.BytesIO())


def test_lists_are_answered_with_the_way_to_read_many(recognizer: mien.Recognizer) -> None:
    with pytest.raises(InputError, match="predict_many"):
        recognizer.predict(["a.jpg", "b.jpg"])
    with pytest.raises(InputError, match="are a list"):
        recognizer.predict_many("a.jpg")


def test_a_pil_image_is_read_like_its_file(
    recognizer: mien.Recognizer, tmp_path: Path, astronaut: np.ndarray
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(astronaut).save(tmp_path / "turned.png", exif=exif)
    layered = Image.fromarray(astronaut).convert("RGBA")
    layered.putalpha(0)
    layered.save(tmp_path / "clear.png")
    Image.fromarray(astronaut[..., 0].astype(np.uint16) * 257).save(tmp_path / "deep.png")
    for name in ("turned.png", "clear.png", "deep.png"):
        assert recognizer.predict(Image.open(tmp_path / name)) == recognizer.predict(tmp_path / name)
    assert recognizer.predict(np.asarray(layered)) == recognizer.predict(layered) == []


def test_a_long_thin_image_needs_little_memory(recognizer: mien.Recognizer) -> None:
    import tracemalloc

    image = np.zeros((40, 40_000, 3), np.uint8)
    tracemalloc.start()
    assert recognizer.predict(image) == []
    recognizer.predict(image, detect=False)
    assert tracemalloc.get_traced_memory()[1] < 60_000_000
    tracemalloc.stop()


def test_a_users_own_detector_is_enough(recognizer: mien.Recognizer, astronaut: np.ndarray) -> None:
    class Fixed:
        def detect(self, image: np.ndarray) -> list[Detection]:
            return [Detection(Box(182, 58, 270, 178), 0.7)]

    own = Recognizer(detector=Fixed(), landmarker=recognizer.landmarker, network=recognizer.network)
    (face,) = own.predict(astronaut)
    assert face.detection == 0.7
    assert face.expression is not None
    assert face.expression.top == "happiness"


def test_with_tta_a_flipped_face_gets_the_same_answer(astronaut: np.ndarray) -> None:
    recognizer = mien.load(tta=True, threads=1)
    crops = astronaut[None, 60 : 60 + 96, 176 : 176 + 96]
    assert recognizer.network.manifest.inputs.size_px == 96
    np.testing.assert_allclose(
        recognizer.network.probabilities(crops), recognizer.network.probabilities(crops[:, :, ::-1]), atol=1e-4
    )


def test_calibration_by_hand() -> None:
    probabilities = calibrated(np.log([[1.0, 4.0]]), 2.0, np.log([1.0, 3.0]))
    np.testing.assert_allclose(probabilities, [[1 / 7, 6 / 7]])  # sqrt(1), sqrt(4) * 3


def test_a_face_survives_json(recognizer: mien.Recognizer, astronaut: np.ndarray) -> None:
    import json

    face = recognizer.predict(astronaut)[0]
    assert mien.Face.from_dict(json.loads(json.dumps(face.to_dict()))) == face
    assert face.to_dict()["quality"]["flags"] == []
    older = {name: face.to_dict()[name] for name in ("box", "detection", "landmarks", "pose", "expression")}
    assert mien.Face.from_dict(older).box == face.box
    assert mien.Face.from_dict(older).quality is None


def test_what_is_certain_comes_from_the_record_or_the_caller(
    recognizer: mien.Recognizer, hopper: np.ndarray
) -> None:
    manifest = recognizer.network.manifest
    stated = replace(
        manifest,
        confidence_thresholds={"natural": ConfidenceThreshold(threshold=0.123, rule="by hand", measured={})},
    )
    assert ExpressionNetwork(stated, priors="natural").confidence_threshold == 0.123
    assert ExpressionNetwork(stated, priors="default").confidence_threshold is None
    assert ExpressionNetwork(stated, priors="natural", min_confidence=0.9).confidence_threshold == 0.9
    (sure,), (unsure,) = (mien.predict(hopper, min_confidence=least) for least in (0.0, 1.0))
    assert (sure.certain, unsure.certain) == (True, False)
    assert replace(sure, expression=None) == replace(unsure, expression=None)
    with pytest.raises(OptionError, match="min_confidence is 60; it is a probability"):
        mien.load(min_confidence=60)


def test_a_folder_becomes_a_table(recognizer: mien.Recognizer) -> None:
    table = recognizer.predict_folder(EXAMPLES)
    assert table.column("source").to_pylist() == [
        str(EXAMPLES / "astronaut.jpg"),
        str(EXAMPLES / "grace_hopper.jpg"),
    ]
    assert recognizer.labels == FERPLUS
    assert Path(table.column("source")[0].as_py()).exists()
